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
#include "nodes/request.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct request_queue {
    struct list requests;
    struct request *next;               /* the first that is WAITING */
    unsigned count, writes;             /* unfinished: all, and those that may write */
    unsigned inflight, inflight_writes; /* QUEUED or SENT: all, and those that write */
    unsigned rejected;
    unsigned unclassified; /* requests that were refused before their turn came */
    size_t
        bytes; /* what all unfinished ones take (request_cost()), and what was charged beside them */
    struct upstream *at; /* where those in flight are, unless `mixed` */
    bool mixed;          /* they (reads) are in flight on several upstreams */
    struct held held;    /* in the hold, which counts the bytes, too */
};

void queue_init(struct request_queue *queue);

/* The first that waits, from this one on in the list; NULL: none. */
struct request *queue_first_waiting(struct request_queue *queue, struct list *from);

/* Bytes beside the requests: a tunnel's, that wait to be written. */
static inline void queue_charge(struct request_queue *queue, size_t bytes)
{
    queue->bytes += bytes;
}

static inline void queue_discharge(struct request_queue *queue, size_t bytes)
{
    queue->bytes -= bytes;
}

/* ---- the steps of queue_move(): for this file only. They are here because each request takes them twice. ---- */

static inline void queue_begin_waiting(struct request_queue *queue, const struct request *request)
{
    if (hold_waits(&queue->held))
        hold_grow(&queue->held, request->len);
}

static inline void queue_end_waiting(struct request_queue *queue, const struct request *request)
{
    if (hold_waits(&queue->held))
        hold_shrink(&queue->held, request->len);
}

static inline void queue_leave_waiting(struct request_queue *queue, struct request *request)
{
    queue_end_waiting(queue, request);
    if (queue->next == request)
        queue->next = queue_first_waiting(queue, request->in_session.next);
}

static inline void queue_leave_flight(struct request_queue *queue, const struct request *request)
{
    queue->inflight_writes -= request->write;
    if (--queue->inflight == 0) {
        queue->mixed = false;
        queue->at = NULL;
    }
}

/* ---- */

/* A request that waits joins the end. */
static inline void queue_add(struct request_queue *queue, struct request *request)
{
    assert(request->state == REQUEST_WAITING);
    list_append(&queue->requests, &request->in_session);
    queue->count++;
    queue->bytes += request_cost(request);
    queue->writes += request->maybe_write;
    if (!queue->next)
        queue->next = request;
    queue_begin_waiting(queue, request);
}

/* An answered one leaves: it was delivered. */
static inline void queue_remove(struct request_queue *queue, struct request *request)
{
    assert(request->state == REQUEST_ANSWERED);
    list_remove(&request->in_session);
    queue->count--;
    queue->bytes -= request_cost(request);
    queue->writes -= request->maybe_write;
}

/* A WAITING request is to be sent to `to` now: it counts as in flight. upstream_submit() follows, and changes its
 * state. */
static inline void queue_depart(struct request_queue *queue, struct request *request,
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
    queue->inflight_writes += request->write;
}

/* Leaves the old state and enters the new one, WAITING, ANSWERED or REJECTED; anything else aborts. */
static inline void queue_move(struct request_queue *queue, struct request *request,
                              enum request_state state)
{
    if (request->state == REQUEST_QUEUED || request->state == REQUEST_SENT)
        queue_leave_flight(queue, request);
    else if (request->state == REQUEST_WAITING)
        queue_leave_waiting(queue, request);
    else if (request->state == REQUEST_REJECTED)
        queue->rejected--;
    request_move(request, state);
    if (state == REQUEST_WAITING) {
        queue_begin_waiting(queue, request);
        queue->next = queue_first_waiting(queue, queue->requests.next);
    } else if (state == REQUEST_REJECTED) {
        queue->rejected++;
    } else {
        assert(state == REQUEST_ANSWERED);
    }
}

/* Replaces a WAITING request's bytes. */
void queue_set_bytes(struct request_queue *queue, struct request *request, const struct buf *bytes);

#endif
