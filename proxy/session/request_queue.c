/* request_queue: see the header. */
#include "session/request_queue.h"

#include "redis/resp.h"

#include <assert.h>

void queue_init(struct request_queue *queue)
{
    *queue = (struct request_queue){0};
    list_init(&queue->requests);
    held_init(&queue->held);
}

static struct request *first_waiting(struct request_queue *queue, struct list *from)
{
    for (; from != &queue->requests; from = from->next) {
        struct request *request = container_of(from, struct request, in_session);
        if (request->state == REQUEST_WAITING)
            return request;
    }
    return NULL;
}

/* ---- the bytes that wait ---- */

void queue_charge(struct request_queue *queue, size_t bytes)
{
    queue->waiting_bytes += bytes;
}

void queue_discharge(struct request_queue *queue, size_t bytes)
{
    queue->waiting_bytes -= bytes;
}

static void begin_waiting(struct request_queue *queue, const struct request *request)
{
    queue_charge(queue, request->len);
    if (hold_waits(&queue->held))
        hold_grow(&queue->held, request->len);
}

static void end_waiting(struct request_queue *queue, const struct request *request)
{
    queue_discharge(queue, request->len);
    if (hold_waits(&queue->held))
        hold_shrink(&queue->held, request->len);
}

void queue_set_bytes(struct request_queue *queue, struct request *request, const struct buf *bytes)
{
    assert(request->state == REQUEST_WAITING);
    end_waiting(queue, request);
    request_set_bytes(request, buf_head(bytes), buf_len(bytes));
    request->argc = resp_args(request->data, request->len).left;
    begin_waiting(queue, request);
}

/* ---- in and out ---- */

void queue_add(struct request_queue *queue, struct request *request)
{
    assert(request->state == REQUEST_WAITING);
    list_append(&queue->requests, &request->in_session);
    queue->count++;
    queue->writes += request->maybe_write;
    if (!queue->next)
        queue->next = request;
    begin_waiting(queue, request);
}

void queue_remove(struct request_queue *queue, struct request *request)
{
    assert(request->state == REQUEST_ANSWERED);
    list_remove(&request->in_session);
    queue->count--;
    queue->writes -= request->maybe_write;
}

/* ---- states ---- */

static void leave_waiting(struct request_queue *queue, struct request *request)
{
    end_waiting(queue, request);
    if (queue->next == request)
        queue->next = first_waiting(queue, request->in_session.next);
}

static void land(struct request_queue *queue, const struct request *request)
{
    queue->inflight--;
    queue->inflight_writes -= request->write;
    if (queue->inflight == 0) {
        queue->mixed = false;
        queue->at = NULL;
    }
}

static void leave(struct request_queue *queue, struct request *request)
{
    switch ((enum request_state)request->state) {
    case REQUEST_WAITING:
        leave_waiting(queue, request);
        break;
    case REQUEST_QUEUED:
    case REQUEST_SENT:
        land(queue, request);
        break;
    case REQUEST_REJECTED:
        queue->rejected--;
        break;
    case REQUEST_ANSWERED:
        break;
    }
}

static void enter(struct request_queue *queue, struct request *request)
{
    if (request->state == REQUEST_WAITING) {
        begin_waiting(queue, request);
        queue->next = first_waiting(queue, queue->requests.next);
    } else if (request->state == REQUEST_REJECTED) {
        queue->rejected++;
    } else {
        assert(request->state == REQUEST_ANSWERED);
    }
}

void queue_move(struct request_queue *queue, struct request *request, enum request_state state)
{
    leave(queue, request);
    request_move(request, state);
    enter(queue, request);
}

void queue_depart(struct request_queue *queue, struct request *request, struct upstream *to)
{
    assert(request->state == REQUEST_WAITING);
    leave_waiting(queue, request);
    if (queue->inflight == 0) {
        queue->at = to;
        queue->mixed = false;
    } else if (queue->at != to) {
        queue->mixed = true;
    }
    queue->inflight++;
    queue->inflight_writes += request->write;
}
