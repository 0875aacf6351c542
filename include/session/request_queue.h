/*
 * request_queue: a session's unfinished requests, in the order in which they came, and all that follows from their
 * states: which waits first, how many are in flight and where, how many bytes they take. queue_move() is the only way in
 * which a request's state changes here, so no counter can be forgotten.
 *
 *     WAITING --queue_depart(), then the upstream--> QUEUED, SENT --queue_move()--> ANSWERED, REJECTED
 *        ^                                                                             |
 *        `---------------------------- queue_move() ----------------------------------'
 */
#ifndef REDISPROXY_SESSION_REQUEST_QUEUE_H
#define REDISPROXY_SESSION_REQUEST_QUEUE_H

#include "base/list.h"
#include "nodes/hold.h"
#include "session/session_request.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* What the requests that wait make of the transaction, up to a place in the queue: held.c reckons it. */
struct waiting_tx {
    bool known; /* otherwise it has to be reckoned from the first on that waits */
    bool begun; /* whether one is open before all of them */
    bool open;  /* whether one is open behind them */
    struct session_request *multi; /* the one among them that opens it; NULL: none does */
};

struct request_queue {
    struct list requests;
    struct session_request *next;       /* the first that is WAITING */
    unsigned count, writes;             /* unfinished: all, and those that may write */
    unsigned inflight, inflight_writes; /* QUEUED or SENT: all, and those that write */
    uint32_t last_write;    /* the number of the write that departed last; while one is in flight */
    unsigned inflight_ends; /* of these, EXEC and DISCARD */
    unsigned inflight_subscribe; /* and those that change what the session is subscribed to */
    unsigned rejected;
    unsigned unclassified; /* requests that were refused before their turn came */
    struct session_request *first_unclassified; /* none stands before it */
    uint32_t numbered;                          /* requests that were ever added */
    struct waiting_tx at_end;                   /* up to the end; known at most while it is held */
    size_t
        bytes; /* what all unfinished ones take (request_cost()), and what was charged beside them */
    struct upstream *at; /* where those in flight are, unless `mixed` */
    bool mixed;          /* they (reads) are in flight on several upstreams */
    struct held held;    /* in the hold, which counts the bytes, too */
};

void queue_init(struct request_queue *queue);

/* The first that waits, from this one on in the list; NULL: none. */
struct session_request *queue_first_waiting(struct request_queue *queue, struct list *from);

/* Bytes beside the requests: a tunnel's, that wait to be written. */
static inline void queue_charge(struct request_queue *queue, size_t bytes)
{
    queue->bytes += bytes;
}

static inline void queue_discharge(struct request_queue *queue, size_t bytes)
{
    queue->bytes -= bytes;
}

/* Whether `a` stands before `b`. */
static inline bool queue_before(const struct session_request *a, const struct session_request *b)
{
    return (int32_t)(a->number - b->number) < 0;
}

/* Of a read in flight: whether a write is in flight behind it. (Where one was taken back, it may say so of a read that is
 * only before that one.) */
static inline bool queue_writes_behind(const struct request_queue *queue,
                                       const struct session_request *read)
{
    return queue->inflight_writes > 0 && (int32_t)(queue->last_write - read->number) > 0;
}

/* It is answered before its turn has come, and so before it is known what it is to its client. */
static inline void queue_note_unclassified(struct request_queue *queue,
                                           struct session_request *request)
{
    if (queue->unclassified++ == 0 || queue_before(request, queue->first_unclassified))
        queue->first_unclassified = request;
}

/* ---- the steps of queue_move(): for this file only. They are here because each request takes them twice. ---- */

static inline void queue_begin_waiting(struct request_queue *queue,
                                       const struct session_request *request)
{
    if (hold_waits(&queue->held))
        hold_grow(&queue->held, request_cost(request));
}

static inline void queue_end_waiting(struct request_queue *queue,
                                     const struct session_request *request)
{
    if (hold_waits(&queue->held)) {
        hold_shrink(&queue->held, request_cost(request));
        queue->at_end.known = false;
    }
}

static inline void queue_leave_waiting(struct request_queue *queue, struct session_request *request)
{
    queue_end_waiting(queue, request);
    if (queue->next == request)
        queue->next = queue_first_waiting(queue, request->in_session.next);
}

static inline void queue_leave_flight(struct request_queue *queue,
                                      const struct session_request *request)
{
    queue->inflight_writes -= request->write;
    if (__builtin_expect(request->ends_tx || request->subscribes, 0)) {
        queue->inflight_ends -= request->ends_tx;
        queue->inflight_subscribe -= request->subscribes;
    }
    if (--queue->inflight == 0) {
        queue->mixed = false;
        queue->at = NULL;
    }
}

/* ---- */

/* A request that waits joins the end. */
static inline void queue_add(struct request_queue *queue, struct session_request *request)
{
    assert(request->state == REQUEST_WAITING);
    list_append(&queue->requests, &request->in_session);
    request->number = queue->numbered++;
    queue->count++;
    queue->bytes += request_cost(request);
    queue->writes += request->maybe_write;
    if (!queue->next)
        queue->next = request;
    queue_begin_waiting(queue, request);
}

/* An answered one leaves: it was delivered. */
static inline void queue_remove(struct request_queue *queue, struct session_request *request)
{
    assert(request->state == REQUEST_ANSWERED);
    list_remove(&request->in_session);
    queue->count--;
    queue->bytes -= request_cost(request);
    queue->writes -= request->maybe_write;
}

/* A WAITING request is to be sent to `to` now: it counts as in flight. upstream_submit() follows, and changes its
 * state. */
static inline void queue_depart(struct request_queue *queue, struct session_request *request,
                                struct upstream *to)
{
    assert(request->state == REQUEST_WAITING);
    queue_leave_waiting(queue, request);
    if (queue->inflight == 0) {
        queue->at = to;
        queue->mixed = false;
    } else if (queue->at != to) {
        queue->mixed = true;
    }
    queue->inflight++;
    if (request->write) {
        queue->inflight_writes++;
        queue->last_write = request->number;
    }
    if (__builtin_expect(request->ends_tx || request->subscribes, 0)) {
        queue->inflight_ends += request->ends_tx;
        queue->inflight_subscribe += request->subscribes;
    }
}

/* Leaves the old state and enters the new one, WAITING, ANSWERED or REJECTED; anything else aborts. */
static inline void queue_move(struct request_queue *queue, struct session_request *request,
                              enum request_state state)
{
    if (request->state == REQUEST_QUEUED || request->state == REQUEST_SENT)
        queue_leave_flight(queue, request);
    else if (request->state == REQUEST_WAITING)
        queue_leave_waiting(queue, request);
    else if (request->state == REQUEST_REJECTED)
        queue->rejected--;
    request_move(&request->wire, state);
    if (state == REQUEST_WAITING) {
        queue_begin_waiting(queue, request);
        queue->at_end.known = false;
        if (!queue->next || queue_before(request, queue->next))
            queue->next = request;
    } else if (state == REQUEST_REJECTED) {
        queue->rejected++;
    } else {
        assert(state == REQUEST_ANSWERED);
    }
}

/* Replaces a WAITING request's bytes. */
void queue_set_bytes(struct request_queue *queue, struct session_request *request,
                     const struct buf *bytes);

#endif
