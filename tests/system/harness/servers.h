/*
 * servers: which redis-server the tests run (the first in PATH; `make system SERVERS=folder` puts that
 * folder there), for what only some versions have.
 */
#ifndef TESTS_SYSTEM_SERVERS_H
#define TESTS_SYSTEM_SERVERS_H

#include <stdbool.h>

/* Whether it has what came with this version of Redis. Valkey, of any version, has what Redis 7.2
 * had. */
bool servers_have(int major, int minor);

/* Whether it is Valkey, of this version or newer. */
bool servers_are_valkey(int major);

/* Skips the test, with a clear line, when it has not. `what` is what the test needs. */
#define NEEDS_REDIS(major, minor, what)                                                            \
    do {                                                                                           \
        if (!servers_have(major, minor))                                                           \
            cr_skip_test("redis-server has no %s before %d.%d", what, major, minor);               \
    } while (0)

#endif
