/*
 * shared: all that the workers of the process share: for each a slot with its mailbox and with what
 * it shows others, the number of bytes that they hold together, and what a change of rights made old.
 * None of it is touched for a request: a slot is written once a turn, by its own worker, and read when
 * somebody asks.
 */
#ifndef REDISPROXY_THREADS_SHARED_H
#define REDISPROXY_THREADS_SHARED_H

#include "threads/counters.h"
#include "threads/mail.h"
#include "threads/rights.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Desks are this far apart, so that no two are in one line of a cache. */
#define SLOT_LINE 128

/* What a worker holds of one group's requests. */
struct slot_hold {
    atomic_size_t sessions, bytes;
};

/* What all workers together hold of one group's requests: all, and those of sessions that have yet to log in (hold.h). */
struct held_total {
    atomic_size_t bytes, outside_bytes;
};

struct worker_slot {
    struct mailbox box;
    atomic_llong last_turn_ms;
    atomic_size_t sessions, upstreams, request_bytes, output_bytes, ahead_bytes;
    atomic_size_t disconnected, over_output;
    atomic_size_t ended;            /* sessions that it was given and has no more */
    atomic_size_t unrenewed, early; /* of its gates (gate.h) */
    atomic_ullong accepted;  /* clients, of all workers, ever, if it is the one who accepts */
    atomic_ullong adopted;   /* the sequence of the snapshot that it has adopted */
    atomic_bool waits;       /* its publishers wait for others' subscriptions (gate.h) */
    struct slot_hold *holds; /* one for each group */
    struct counters *counters;
} __attribute__((aligned(SLOT_LINE)));

struct shared {
    size_t worker_count, group_count;
    struct worker_slot *slots;
    struct held_total *held; /* one for each group */
    struct rights *rights;   /* the same: whether those who come now may be let in otherwise */
    /* Of all workers: what waits for clients that do not read, and what was read ahead of them (output_memory). */
    atomic_size_t unread_bytes;
    /* One for each group: sessions, of all workers, whose subscriptions a node has lost, and no other
     * has confirmed yet (gate.h). */
    atomic_size_t *unrenewed;
};

/* The mailboxes are the workers' to begin. */
struct shared *shared_new(size_t slots, size_t groups, size_t listeners);
void shared_free(struct shared *shared);

/* Something has changed that publishers may wait for: the workers whose publishers do are rung. */
void shared_ring_waiting(struct shared *shared);

#endif
