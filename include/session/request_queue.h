/*
 * request_queue: a session's unfinished requests, in the order in which they came, and all that follows from their
 * states: which waits first, how many are in flight and where, how many bytes wait. queue_move() is the only way in
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

#include <stdbool.h>
#include <stddef.h>

struct request_queue {
    struct list requests;
    struct request *next;               /* the first that is WAITING */
    unsigned count, writes;             /* unfinished: all, and those that may write */
    unsigned inflight, inflight_writes; /* QUEUED or SENT: all, and those that write */
    unsigned rejected;
    unsigned unclassified; /* requests that were refused before their turn came */
    size_t waiting_bytes;
    struct upstream *at; /* where those in flight are, unless `mixed` */
    bool mixed;          /* they (reads) are in flight on several upstreams */
    struct held held;    /* in the hold, which counts the bytes, too */
};

void queue_init(struct request_queue *queue);

/* A request that waits joins the end. */
void queue_add(struct request_queue *queue, struct request *request);
/* An answered one leaves: it was delivered. */
void queue_remove(struct request_queue *queue, struct request *request);

/* A WAITING request is to be sent to `to` now: it counts as in flight. upstream_submit() follows, and changes its
 * state. */
void queue_depart(struct request_queue *queue, struct request *request, struct upstream *to);

/* Leaves the old state and enters the new one, WAITING, ANSWERED or REJECTED; anything else aborts. */
void queue_move(struct request_queue *queue, struct request *request, enum request_state state);

/* Replaces a WAITING request's bytes. */
void queue_set_bytes(struct request_queue *queue, struct request *request, const struct buf *bytes);

/* Bytes that wait beside the requests: a tunnel's. */
void queue_charge(struct request_queue *queue, size_t bytes);
void queue_discharge(struct request_queue *queue, size_t bytes);

#endif
