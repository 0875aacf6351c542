/*
 * pool_time: what ends an upstream by itself, looked at every 100 ms: it does not become READY, or nobody uses it any
 * more.
 */
#include "nodes/pool_state.h"

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

void pool_tick(struct pool *pool, int64_t now_ms)
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
        }
    }
}
