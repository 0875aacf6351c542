/* text: a formatted text, for the arguments of a call. */
#ifndef TESTS_SYSTEM_TEXT_H
#define TESTS_SYSTEM_TEXT_H

/* At most 4095 bytes; it is good until the eighth call after it. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
