/*
 * hold: requests kept back while there is nobody to send them to. Held are
 * sessions, in the order in which they began to wait; each keeps its requests
 * in order. Bounded in memory here, in time by whoever walks the list.
 *
 * The memory is what its requests really cost (request_cost()), and nobody takes it from the others: one session
 * has no more of it than is still free, and those that have yet to log in have a small share for each and a quarter
 * for all of them.
 *
 * A worker has one for each group. The memory is one budget for all workers: a part for each would be
 * too little for a large request where there are many. Nothing is counted while nobody waits. One
 * worker's thread only, but for the common count.
 */
#ifndef REDISPROXY_NODES_HOLD_H
#define REDISPROXY_NODES_HOLD_H

#include "base/list.h"
#include "threads/shared.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hold {
    struct list sessions;
    struct held_total *total; /* of all workers */
    size_t bytes, limit;      /* of this one; of all */
    size_t count;
    int64_t timeout_ms;
    int64_t since_ms;  /* when the first of those that wait began to; for the log */
    size_t peak_count; /* since then */
    size_t peak_bytes;
};

/* Embedded in a session. */
struct held {
    struct list in_hold;
    struct hold *hold; /* while it waits */
    bool outside;      /* its session has yet to log in: to be said before it enters */
    size_t bytes;
};

void hold_init(struct hold *hold, struct held_total *total, size_t limit, int64_t timeout_ms);
/* Other limits, for those who wait already, too. */
void hold_set_limits(struct hold *hold, size_t limit, int64_t timeout_ms);
void held_init(struct held *held);

/* `held` begins to wait with that many bytes; more may come. */
void hold_enter(struct hold *hold, struct held *held, size_t bytes, int64_t now_ms);
void hold_grow(struct held *held, size_t bytes);
void hold_shrink(struct held *held, size_t bytes);
/* It waits no longer; nothing when it did not. */
void hold_leave(struct held *held);

/* Whether one that waits may have `bytes` more. Workers that ask at the same moment may be told so both. */
bool hold_has_room(const struct held *held, size_t bytes);

static inline bool hold_waits(const struct held *held)
{
    return held->hold != NULL;
}

#endif
