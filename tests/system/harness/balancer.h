/*
 * balancer: a small TCP balancer of the test's own, as a Service in Kubernetes is one: it takes connections at one address
 * and passes each on to one of its targets, in turn. What a target is asked is no business of its: bytes are copied, and
 * the end of either side is passed on.
 */
#ifndef TESTS_SYSTEM_BALANCER_H
#define TESTS_SYSTEM_BALANCER_H

#include "harness/trio.h"

enum { BALANCER_TARGETS_MAX = 8 };

struct balancer_target {
    char host[TRIO_HOST];
    int port;
};

struct balancer;

/* Listens on host:port. Returns NULL after saying why. All targets are in use at first. */
struct balancer *balancer_start(const char *host, int port, const struct balancer_target *targets,
                                int count);
/* New connections go to this target, or go there no more; those that stand stay. Any thread, as balancer_count(). */
void balancer_use(struct balancer *balancer, int target, bool use);
/* How many connections were passed on to it. */
long balancer_count(struct balancer *balancer, int target);
/* How many tries of it to connect to a target in use were in vain: a balancer that does not try the next one would have let
 * its client down. */
long balancer_failures(struct balancer *balancer);
/* Breaks all connections that stand; those who had them connect again. */
void balancer_cut(struct balancer *balancer);
void balancer_stop(struct balancer *balancer);

#endif
