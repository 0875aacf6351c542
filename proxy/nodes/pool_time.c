/*
 * pool_time: what ends an upstream by itself, looked at every 100 ms: it does not become READY, or nobody uses it any
 * more.
 */
#include "nodes/pool_state.h"

#include <string.h>

/* So often the upstreams are counted, each with its node, kind and phase. */
#define COUNT_MS 1000

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

/* ---- how many there are, for whoever asks ---- */

static enum upstream_phase phase_of(const struct upstream *up)
{
    if (up->state != UPSTREAM_READY)
        return UPSTREAM_PHASE_CONNECTING;
    return list_linked(&up->in_idle) ? UPSTREAM_PHASE_IDLE : UPSTREAM_PHASE_READY;
}

static enum upstream_kind kind_of(const struct upstream *up)
{
    if (up->leased)
        return UPSTREAM_KIND_LEASED;
    return up->singly ? UPSTREAM_KIND_SINGLE : UPSTREAM_KIND_SHARED;
}

static void show_standing(struct pool_node *node)
{
    for (int kind = 0; kind < UPSTREAM_KIND_COUNT; kind++)
        for (int phase = 0; phase < UPSTREAM_PHASE_COUNT; phase++)
            counter_set(&node->counters->upstreams[kind][phase], node->standing[kind][phase]);
}

static void count_standing(struct pool *pool, int64_t now_ms)
{
    if (now_ms - pool->counted_ms < COUNT_MS)
        return;
    pool->counted_ms = now_ms;
    list_each (it, &pool->nodes)
        memset(container_of(it, struct pool_node, in_pool)->standing, 0,
               sizeof(((struct pool_node *)NULL)->standing));
    list_each (it, &pool->upstreams) {
        const struct upstream *up = container_of(it, struct upstream, in_pool);
        pool_get_node(pool, up->group, up->node)->standing[kind_of(up)][phase_of(up)]++;
    }
    list_each (it, &pool->nodes)
        show_standing(container_of(it, struct pool_node, in_pool));
}

/* ---- */

void pool_tick(struct pool *pool, int64_t now_ms)
{
    struct list *it = pool->upstreams.next;
    count_standing(pool, now_ms);
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
