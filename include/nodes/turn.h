/*
 * turn: what the parts of one worker share during a turn of its loop: the
 * loop, the memory that bytes are read into and gathered in, the recycled
 * requests, and the lists of who has something to do before the loop sleeps.
 *
 *     poll: read, frame, dispatch, answer   (many callbacks; they only queue)
 *     before sleeping: newest snapshot -> woken sessions -> flush upstreams -> flush sessions
 *
 * The work of one turn is bounded. What goes over many requests, or many sessions, asks turn_spent() at each, and
 * leaves the rest where it is: at the head of its list, so that everybody there gets a turn before anybody gets a
 * second one. The loop does not sleep while something is left, but the sockets and timers have theirs in between. Each
 * of the steps above has a budget of its own (turn_renew()), so that none of them keeps the next one from its share.
 */
#ifndef REDISPROXY_NODES_TURN_H
#define REDISPROXY_NODES_TURN_H

#include "base/clock.h"
#include "base/list.h"
#include "nodes/request.h"
#include "threads/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct board;

/* One read's worth. What is left of a request when it ends moves to the request itself. */
#define TURN_BYTES (64 * 1024)

/* What one part of a turn may take; the clock is looked at after so many steps, of a microsecond or less each. */
#define TURN_BUDGET_NS ((uint64_t)2 * 1000 * 1000)
#define TURN_STEPS 256
#define TURN_HASTY (TURN_STEPS - 1)

struct turn {
    uv_loop_t *loop;
    struct board *board; /* where the newest snapshot is */
    struct request_pool requests;
    struct buf_stock stock;      /* for sessions' output */
    struct list woken;           /* sessions to be dispatched */
    struct list evicting;        /* upstreams whose reads are being taken elsewhere */
    struct list dirty_upstreams; /* have requests to write */
    struct list dirty_sessions;  /* have replies to write */
    unsigned steps;              /* since the clock was looked at */
    uint64_t began_ns;           /* when the clock was first looked at; 0: not yet */
    bool over;                   /* the budget of the part at hand is spent */
    bool
        rare; /* there may be something to do that there seldom is: whoever adds to one of these lists sets it */
    bool cut;       /* that of some part of this turn was */
    unsigned least; /* steps that count as taken; TURN_HASTY: it is spent after one, for tests */
    bool looked;    /* the time is that of this turn */
    uint64_t ticks; /* the time of this turn, for histograms (turn_look()) */
    struct traffic_counters uncounted; /* of connections that belong to no pool that counts */
    char read[TURN_BYTES];             /* valid within one callback */
    char gather[TURN_BYTES];           /* valid within one flush */
};

/* `turn` is zeroed. `request_size`: of the requests that its pool hands out (request.h). */
void turn_init(struct turn *turn, uv_loop_t *loop, struct board *board, size_t request_size);

/* For turn_spent() only. */
bool turn_look_at_clock(struct turn *turn);

/* A new budget. */
static inline void turn_renew(struct turn *turn)
{
    turn->steps = turn->least;
    turn->began_ns = 0;
    turn->over = false;
}

/* After a step: whether the next one has to wait for the next turn. */
static inline bool turn_spent(struct turn *turn)
{
    return __builtin_expect(turn->steps++ >= TURN_STEPS, 0) && turn_look_at_clock(turn);
}

/* A step was taken that is worth so many: a system call, or a thousand bytes, is worth some. */
static inline void turn_took(struct turn *turn, size_t steps)
{
    turn->steps += (unsigned)steps;
}

/* One clock call for each turn in which something happens, for all the latencies of that turn: they are as exact as a turn
 * is short. Whoever reads a socket calls it first. */
static inline void turn_look(struct turn *turn)
{
    if (!turn->looked) {
        turn->looked = true;
        turn->ticks = clock_ticks();
    }
}

static inline int64_t turn_now(const struct turn *turn)
{
    return (int64_t)uv_now(turn->loop);
}

#endif
