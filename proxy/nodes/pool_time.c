/*
 * pool_time: what ends an upstream by itself, looked at every 100 ms: it does not become READY, nobody uses it any more,
 * or it is retired and the writes on it wait behind a reply that its session does not read.
 */
#include "nodes/pool_state.h"

/* Writes queued behind a reply that its session does not read wait this long (decision 8). */
#define STUCK_MS 1000

static bool writes_wait_behind(const struct upstream *up)
{
    const struct request *head = container_of(up->queue.next, struct request, in_upstream);
    if (!head->owner)
        return false; /* it is being swallowed */
    for (struct list *it = up->queue.next->next; it != &up->queue; it = it->next) {
        const struct request *request = container_of(it, struct request, in_upstream);
        if (request->owner && request->owner_data != head->owner_data)
            return true;
    }
    return false;
}

/* An upstream that nobody uses holds its client's password: so it is closed after a while, and the password wiped. */
static void watch_idle(struct upstream *up, int64_t now_ms)
{
    if (up->leased || up->state != UPSTREAM_READY)
        return;
    if (!upstream_idle(up) || up->identity->refs > up->identity->pooled)
        up->deadline_ms = 0;
    else if (!up->deadline_ms)
        up->deadline_ms = now_ms + IDLE_MS;
}

void pool_tick(struct pool *pool, int64_t now_ms,
               void (*on_stuck)(void *data, void *head_owner_data), void *data)
{
    struct list *it = pool->upstreams.next;
    while (it != &pool->upstreams) {
        struct upstream *up = container_of(it, struct upstream, in_pool);
        it = it->next;
        watch_idle(up, now_ms);
        if (up->deadline_ms && up->deadline_ms <= now_ms) {
            if (up->state == UPSTREAM_READY)
                upstream_close(up, "idle for long");
            else
                upstream_cut(up, "connecting took too long");
        } else if (up->singly && up->state == UPSTREAM_READY && upstream_idle(up)) {
            upstream_close(up, "nobody comes in");
        } else if (up->retired && up->paused && now_ms - up->retired_ms >= STUCK_MS &&
                   !list_empty(&up->queue) && writes_wait_behind(up)) {
            on_stuck(data, container_of(up->queue.next, struct request, in_upstream)->owner_data);
            return; /* others may have ended with it: the next ones at the next tick */
        }
    }
}
