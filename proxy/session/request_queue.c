/* request_queue: see the header. */
#include "session/request_queue.h"

void queue_init(struct request_queue *queue)
{
    *queue = (struct request_queue){0};
    list_init(&queue->requests);
    held_init(&queue->held);
}

struct session_request *queue_first_waiting(struct request_queue *queue, struct list *from)
{
    for (; from != &queue->requests; from = from->next) {
        struct session_request *request = session_request(from);
        if (request->state == REQUEST_WAITING)
            return request;
    }
    return NULL;
}

void queue_set_bytes(struct request_queue *queue, struct session_request *request,
                     const struct buf *bytes)
{
    assert(request->state == REQUEST_WAITING);
    queue_end_waiting(queue, request);
    queue->bytes -= request_cost(request);
    request_set_bytes(&request->wire, buf_head(bytes), buf_len(bytes));
    request->argc = resp_args(request->data, request->len).left;
    queue->bytes += request_cost(request);
    queue_begin_waiting(queue, request);
}
