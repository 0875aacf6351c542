/*
 * switch_counts: what became of clients' requests for want of a master, of one group and all workers together, since
 * the process began. They stand on the board (topology.h). Nothing of it happens to a request that is simply sent and answered.
 */
#ifndef REDISPROXY_TOPOLOGY_SWITCH_COUNTS_H
#define REDISPROXY_TOPOLOGY_SWITCH_COUNTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum switch_count {
    SWITCH_HELD,    /* began to wait in the hold */
    SWITCH_RETRIED, /* had been sent, and was taken back to be sent again */
    SWITCH_UNKNOWN, /* a write that was sent, of which nobody knows whether it was executed */
    SWITCH_REFUSED, /* answered with an error: not held, or not any longer */
    SWITCH_COUNTS,  /* how many there are */
};

struct switch_counts {
    atomic_uint_least64_t of[SWITCH_COUNTS];
};

/* Any thread. */
static inline void switch_count(struct switch_counts *counts, enum switch_count what)
{
    atomic_fetch_add_explicit(&counts->of[what], 1, memory_order_relaxed);
}

/* Any thread. */
static inline void switch_counts_read(const struct switch_counts *counts,
                                      uint64_t out[SWITCH_COUNTS])
{
    for (int what = 0; what < SWITCH_COUNTS; what++)
        out[what] = atomic_load_explicit(&counts->of[what], memory_order_relaxed);
}

#endif
