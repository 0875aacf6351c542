/*
 * compare: the proxy against Redis itself. The same bytes go straight to the master and through the
 * proxy, each time on an empty database, and the answers must be the same to the byte.
 */
#ifndef TESTS_SYSTEM_COMPARE_H
#define TESTS_SYSTEM_COMPARE_H

#include "harness/suite.h"

/* Compares the answers to commands, one a line, words separated by single spaces; sent inline, as
 * multibulk in one piece, and (but for split) as multibulk a byte at a time. A script must end
 * outside MULTI, or with QUIT when `closes`. Fails the test with both answers when they differ. */
void compare_script(const struct shared *s, int port, const char *script, bool closes);

/* The same as multibulk only, in one piece and a byte at a time: for many of them. Ends with QUIT. */
void compare_pipeline(const struct shared *s, int port, const char *script);

/* Compares the answers to raw bytes, sent in one piece; `closes`: the server ends the connection.
 */
void compare_bytes(const struct shared *s, int port, const void *bytes, size_t len, bool closes);

/* No keys, no scripts, no functions, on any node. */
void compare_clean(const struct shared *s);

#endif
