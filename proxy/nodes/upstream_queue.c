/*
 * upstream_queue: the requests on an upstream, from upstream_submit() until they leave it.
 *
 *     queue:   [sent] [sent] [partly sent] [unsent] [unsent]          pending: [before READY]
 *               ^head: the next reply is its   ^send_at
 *
 * The send queue is the requests themselves: nothing is copied into an output
 * buffer that would have to be told apart again when the connection dies. So what was not written can be taken back,
 * one by one or all, and be sent elsewhere; of what was written, only reads of others can be, when a reply before
 * theirs takes long: a ghost stands in their place then and swallows the reply.
 */
#include "nodes/upstream_parts.h"

#include <assert.h>

bool upstream_idle(const struct upstream *up)
{
    return list_empty(&up->queue) && list_empty(&up->pending);
}

bool upstream_serves_others(const struct upstream *up, const void *owner_data)
{
    for (const struct list *it = up->queue.next; it != &up->queue; it = it->next) {
        const struct request *request = container_of(it, struct request, in_upstream);
        if (request->owner && request->owner_data != owner_data)
            return true;
    }
    return false;
}

bool upstream_has_write(const struct upstream *up)
{
    for (const struct list *it = up->queue.next; it != &up->queue; it = it->next) {
        const struct request *request = container_of(it, struct request, in_upstream);
        if (request->write && request->state == REQUEST_SENT)
            return true;
    }
    return false;
}

void upstream_update_want(struct upstream *up)
{
    unsigned want = up->paused ? 0 : STREAM_READABLE;
    if (up->send_at != &up->queue && !list_linked(&up->in_turn) && !upstream_is_held_back(up))
        want |= STREAM_WRITABLE;
    stream_want(&up->stream, want);
}

void upstream_pause(struct upstream *up, bool paused)
{
    if (up->paused == paused || up->state == UPSTREAM_CLOSED)
        return;
    up->paused = paused;
    if (stream_is_open(&up->stream))
        upstream_update_want(up);
}

/* ---- taking over ---- */

static void enqueue(struct upstream *up, struct request *request)
{
    list_append(&up->queue, &request->in_upstream);
    if (up->send_at == &up->queue) {
        up->send_at = &request->in_upstream;
        up->sent = 0;
    }
    upstream_mark_dirty(up);
}

void upstream_submit(struct upstream *up, struct request *request)
{
    assert(up->state != UPSTREAM_CLOSED && !up->retired);
    request_move(request, REQUEST_QUEUED);
    request->upstream = up;
    if (up->state == UPSTREAM_READY)
        enqueue(up, request);
    else
        list_append(&up->pending, &request->in_upstream);
}

void upstream_send_own(struct upstream *up, struct request *request)
{
    request_move(request, REQUEST_QUEUED);
    request->upstream = up;
    enqueue(up, request);
}

void upstream_queue_pending(struct upstream *up)
{
    struct list *node;
    while ((node = list_take(&up->pending)))
        enqueue(up, queued(node));
}

/* ---- taking back ---- */

void upstream_withdraw(struct upstream *up)
{
    struct list *node, back;
    if (up->state == UPSTREAM_CLOSED)
        return;
    list_init(&back);
    list_splice(&back, &up->pending);
    if (up->state == UPSTREAM_READY) {
        struct list *it = up->send_at;
        if (it != &up->queue && up->sent > 0)
            it = it->next;
        while (it != &up->queue) {
            struct list *next = it->next;
            if (it == up->send_at)
                up->send_at = &up->queue;
            list_remove(it);
            list_append(&back, it);
            it = next;
        }
    }
    while ((node = list_take(&back)))
        request_fail(&up->turn->requests, queued(node), REQUEST_UNSENT, NULL);
}

void upstream_unqueue(struct upstream *up, struct request *request)
{
    assert(request->state == REQUEST_QUEUED && request->upstream == up);
    if (up->send_at == &request->in_upstream)
        up->send_at = request->in_upstream.next;
    upstream_forget(up, request);
    request->upstream = NULL;
    request_move(request, REQUEST_WAITING);
}

/* ---- reads that were sent ---- */

/* A read before a write of its own session has to stay: elsewhere it would see that write. */
static bool may_leave(const struct request *request)
{
    return request->owner && !request->write &&
           (!request->owner->may_be_sent_again || request->owner->may_be_sent_again(request));
}

/* A ghost takes its place, and swallows its reply. */
static void evict(struct upstream *up, struct request *request)
{
    struct request *ghost = request_new(&up->turn->requests, 0);
    request_move(ghost, REQUEST_QUEUED);
    request_move(ghost, REQUEST_SENT);
    ghost->upstream = up;
    list_insert_before(&request->in_upstream, &ghost->in_upstream);
    list_remove(&request->in_upstream);
    request_fail(&up->turn->requests, request, REQUEST_LOST, NULL);
}

static bool is_evicting(const struct upstream *up)
{
    return up->evict_at && up->evict_at != up->send_at && up->evict_at != &up->queue;
}

/* As far as this turn goes, but one at least. */
static void evict_some(struct upstream *up)
{
    for (bool spent = false; !spent && is_evicting(up); spent = turn_spent(up->turn)) {
        struct request *request = queued(up->evict_at);
        up->evict_at = up->evict_at->next;
        if (request->owner_data != up->evict_except && may_leave(request))
            evict(up, request);
    }
    if (is_evicting(up)) {
        list_append(&up->turn->evicting, &up->in_evicting);
        up->turn->rare = true;
    } else {
        up->evict_at = NULL;
    }
}

void upstream_evict_reads(struct upstream *up, const void *except_owner_data)
{
    struct list *head = up->queue.next;
    if (head == up->send_at || head == &up->queue || list_linked(&up->in_evicting))
        return;
    up->evict_at = head->next; /* the head's reply is on its way */
    up->evict_except = except_owner_data;
    evict_some(up);
}

void upstreams_evict(struct turn *turn)
{
    turn_renew(turn);
    while (!list_empty(&turn->evicting) && !turn_spent(turn))
        evict_some(container_of(list_take(&turn->evicting), struct upstream, in_evicting));
}
