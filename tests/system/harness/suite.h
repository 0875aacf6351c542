/*
 * suite: the main() of every system test program. Each program says in one `const struct suite`
 * what its tests share; main() starts that, puts the addresses into the environment, runs
 * Criterion, and stops everything. The proxy's end is part of the verdict.
 *
 * Tests of one program run one after the other: they share a database and a master.
 */
#ifndef TESTS_SYSTEM_SUITE_H
#define TESTS_SYSTEM_SUITE_H

#include "harness/proxy.h"

struct suite {
    bool alone;  /* the tests share nothing: no trio, no proxy */
    int at_once; /* ... and so many of them run at a time; 0: one */
    bool without_proxy;
    int since; /* the Redis 7, ... that its configuration needs: an older one is not tried */
    struct trio_options trio;
    struct proxy_options proxy;
};

/* Defined by each test program. */
extern const struct suite suite;

/* What the tests share, for a test: both attached. Fails the test when they are not there. */
struct shared {
    struct trio trio;
    struct proxy proxy;
};
struct shared shared(void);

#endif
