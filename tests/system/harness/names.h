/*
 * names: host names that a test can move. The test gets a mount namespace of its own, with a file
 * of its own over /etc/hosts; the machine's file is never touched.
 */
#ifndef TESTS_SYSTEM_NAMES_H
#define TESTS_SYSTEM_NAMES_H

/* Why this machine does not allow it, in one line; NULL when it does. */
const char *names_refused(void);

/* Puts `path` (which exists) over /etc/hosts for this process and its children. Writing the file
 * in place changes what names mean. Returns 0, or -1 after saying why. */
int names_open(const char *path) __attribute__((warn_unused_result));

#endif
