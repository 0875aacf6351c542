/*
 * rights: whether those who come to a group's nodes now are let in may have changed. One for each
 * group, shared by all workers: a number that grows when such a change went by here (CONFIG SET, ACL
 * SETUSER, ...), and when a node refused somebody, so that what was proved before that counts no more
 * (admission.h).
 *
 * Refusals are anybody's to cause: they make it grow at once, and then not again for RIGHTS_PAUSE_MS.
 * What falls into that time counts at its end. Any thread.
 */
#ifndef REDISPROXY_THREADS_RIGHTS_H
#define REDISPROXY_THREADS_RIGHTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RIGHTS_PAUSE_MS 100

struct rights {
    atomic_uint_least64_t generation;
    atomic_int_least64_t grown_ms; /* by a refusal, the last time */
    atomic_bool due;               /* a refusal has not counted yet */
};

/* Something that may have changed somebody's right to come in was answered, or may have been executed. */
void rights_changed(struct rights *rights);
/* A node refused somebody's password. */
void rights_refused(struct rights *rights, int64_t now_ms);
/* The present generation. */
uint64_t rights_generation(struct rights *rights, int64_t now_ms);

#endif
