/*
 * switch_counts: what became of clients' requests for want of a master, of one group and all workers together, since
 * the process began. Each worker counts for itself (struct group_counters, threads/counters.h), where /metrics reads the
 * same numbers; the control plane adds them up when a switchover is to be summed up (summaries.h).
 */
#ifndef REDISPROXY_TOPOLOGY_SWITCH_COUNTS_H
#define REDISPROXY_TOPOLOGY_SWITCH_COUNTS_H

#include <stddef.h>
#include <stdint.h>

enum switch_count {
    SWITCH_HELD,    /* began to wait in the hold */
    SWITCH_RETRIED, /* had been sent, and was taken back to be sent again */
    SWITCH_UNKNOWN, /* a write that was sent, of which nobody knows whether it was executed */
    SWITCH_REFUSED, /* answered with an error: not held, or not any longer */
    SWITCH_COUNTS,  /* how many there are */
};

/* Whoever counts: what all workers have counted so far for this group. Any thread. */
typedef void switch_counts_read(const void *counted, size_t group, uint64_t out[SWITCH_COUNTS]);

#endif
