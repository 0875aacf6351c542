/*
 * upstream_parts: what the files of an upstream know of each other. Nobody else includes this.
 *
 *     upstream.c          opens one, and gets the socket's events
 *        |-- upstream_read.c     whose reply is it?
 *        |-- upstream_write.c    what is sent next, and how far the kernel took it
 *        |      `-- both end it when the connection does not hold what it should:
 *        |-- upstream_state.c    its states, and its end
 *        `-- upstream_queue.c    the requests on it: taken over, taken back
 *
 * Each calls only those below it.
 */
#ifndef REDISPROXY_NODES_UPSTREAM_PARTS_H
#define REDISPROXY_NODES_UPSTREAM_PARTS_H

#include "nodes/upstream.h"

static inline struct request *queued(struct list *node)
{
    return container_of(node, struct request, in_upstream);
}

/* Has something to write: the worker flushes it before its loop sleeps. */
static inline void upstream_mark_dirty(struct upstream *up)
{
    if (!list_linked(&up->in_turn))
        list_append(&up->turn->dirty_upstreams, &up->in_turn);
}

/* How many requests may be sent now, of an upstream that has a window. */
static inline int upstream_left_in_window(const struct upstream *up)
{
    int left = up->window;
    for (const struct list *it = up->queue.next; left > 0 && it != up->send_at; it = it->next)
        left--;
    return left;
}

/* Whether what waits may not be sent before something is answered. */
static inline bool upstream_is_held_back(const struct upstream *up)
{
    return up->window && up->state == UPSTREAM_READY && upstream_left_in_window(up) == 0;
}

/* The request whose reply comes next, or NULL: nothing was wholly sent. */
static inline struct request *upstream_first_sent(struct upstream *up)
{
    if (list_empty(&up->queue) || up->queue.next == up->send_at)
        return NULL;
    return queued(up->queue.next);
}

/* Whether what is sent are bytes that nobody answers. Not before the handshake is over. */
static inline bool upstream_is_tunnel(const struct upstream *up)
{
    return up->tunnel && up->state == UPSTREAM_READY;
}

/* The request leaves the queue. */
static inline void upstream_forget(struct upstream *up, struct request *request)
{
    if (__builtin_expect(up->evict_at == &request->in_upstream, 0))
        up->evict_at = request->in_upstream.next;
    list_remove(&request->in_upstream);
}

/* ---- upstream_queue.c ---- */

/* What was submitted before READY goes into the wire's queue. */
void upstream_queue_pending(struct upstream *upstream);
/* Asks the loop to tell when the socket can be read, or written, as far as the upstream has a use for that. */
void upstream_update_want(struct upstream *upstream);

/* ---- upstream_state.c ---- */

/* A retired one ends when nothing on it is unanswered. */
static inline void upstream_close_if_done(struct upstream *up)
{
    if (up->retired && upstream_idle(up))
        upstream_close(up, up->why);
}

/* ---- upstream_read.c ---- */

/* Reads what is there, but not so long that others starve, and gives each piece to whom it answers. */
void upstream_read(struct upstream *upstream);

#endif
