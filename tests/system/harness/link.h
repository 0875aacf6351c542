/*
 * link: one connection of another process made to stall: nothing that the peer sends arrives any
 * more, nobody is told, and every other connection of that process goes on. The socket is borrowed
 * (pidfd_getfd) and gets a filter that drops what comes in.
 */
#ifndef TESTS_SYSTEM_LINK_H
#define TESTS_SYSTEM_LINK_H

#include <stdbool.h>
#include <sys/types.h>

/* Why this machine does not allow it, in one line; NULL when it does. */
const char *link_refused(void);

/* Stalls a child's one connection to this address and port, or lets it go on (what was lost is sent
 * again within seconds). Returns 0, or -1 when there is not exactly one. */
int link_stall(pid_t child, const char *host, int port, bool stalled)
    __attribute__((warn_unused_result));

#endif
