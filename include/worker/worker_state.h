/*
 * worker_state: the inside of a worker, which worker.c and accept_points.c share. Nobody else includes this.
 */
#ifndef REDISPROXY_WORKER_WORKER_STATE_H
#define REDISPROXY_WORKER_WORKER_STATE_H

#include "base/list.h"
#include "nodes/turn.h"
#include "session/drain.h"
#include "session/mover.h"
#include "session/session.h"
#include "worker/balance.h"
#include "worker/handover.h"
#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

/* Of the worker that accepts. */
struct accept_point {
    struct list in_worker;
    struct worker *worker;
    struct listener *listener;
    struct traffic_listener_options *options; /* a copy of its own, which its sessions keep, too */
};

struct worker {
    pthread_t thread;
    bool started;
    const struct traffic_options *options;
    struct board *board;
    size_t subscriber;
    uint64_t acknowledged; /* of the one that is carried out */
    uv_loop_t loop;
    uv_async_t async;
    uv_prepare_t prepare;
    bool left;
    uv_idle_t idle; /* active while `left`: something is left to be done in the next turn */
    uv_timer_t tick, drain_tick;
    struct turn turn;
    struct session_host host;
    struct worker_slot *slot;             /* what it shows others, */
    const struct hold *holds, *holds_end; /* and where from: one for each group */
    bool accepts;                         /* for all */
    struct list accept_points;
    struct balance balance;
    /* Other options: what is to be followed, as others say it and as this thread takes it up, and what is. */
    _Atomic(const struct traffic_options *) reload, followed;
    const struct traffic_options *wanted; /* NULL: nothing else */
    const int *wanted_fds; /* of the one that accepts: one for each listener, -1: it has that one */
    uint64_t accepted;     /* clients, ever; and those of processes before this one */
    size_t given;          /* sessions, ever */
    bool draining, closing;
    struct session_drain drainage;
    int64_t ticked_ms;                           /* the last tick */
    int64_t lag_ms, lag_before_ms, lag_since_ms; /* how late ticks were: of late, and before that */
    struct session_mover mover;
    struct handover_channel
        *channel; /* to the process that takes the sessions over; NULL: none does */
    _Atomic(struct handover_channel *) hand_over_to;
    atomic_bool drain, stop, finished, keep;
};

static inline struct worker_slot *worker_slot_of(const struct worker *w)
{
    return w->slot;
}

#endif
