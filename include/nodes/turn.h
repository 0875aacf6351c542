/*
 * turn: what the parts of one worker share during a turn of its loop: the
 * loop, the memory that bytes are read into and gathered in, the recycled
 * requests, and the lists of who has something to do before the loop sleeps.
 *
 *     poll: read, frame, dispatch, answer   (many callbacks; they only queue)
 *     before sleeping: newest snapshot -> woken sessions -> flush upstreams -> flush sessions
 */
#ifndef REDISPROXY_NODES_TURN_H
#define REDISPROXY_NODES_TURN_H

#include "base/list.h"
#include "nodes/request.h"

#include <stddef.h>
#include <uv.h>

struct board;

/* One read's worth. What is left of a request when it ends moves to the request itself. */
#define TURN_BYTES (64 * 1024)

struct turn {
    uv_loop_t *loop;
    struct board *board; /* where the newest snapshot is */
    struct request_pool requests;
    struct buf_stock stock;      /* for sessions' output */
    struct list woken;           /* sessions to be dispatched */
    struct list dirty_upstreams; /* have requests to write */
    struct list dirty_sessions;  /* have replies to write */
    char read[TURN_BYTES];       /* valid within one callback */
    char gather[TURN_BYTES];     /* valid within one flush */
};

static inline int64_t turn_now(const struct turn *turn)
{
    return (int64_t)uv_now(turn->loop);
}

#endif
