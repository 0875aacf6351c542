/*
 * router_wake: sessions that wait, for a master, for room, for a node's word, are woken when that may have come, and then
 * look for themselves. What comes by the clock (a node is left alone for a moment) has one timer.
 */
#include "nodes/router_state.h"

void router_wake(struct router *router, size_t group)
{
    /* The woken session leaves the hold when it is dispatched, and comes back when it must. */
    list_each (it, &router->holds[group].sessions)
        router->events->wake(container_of(it, struct held, in_hold));
    list_each (it, &router->awaiting_admission)
        router->events->wake(container_of(it, struct place, in_admission)->held);
}

static void on_retry(uv_timer_t *timer)
{
    struct router *router = timer->data;
    pool_retry(router->pool, turn_now(router->turn));
    router_arm_retry(router); /* others may wait for another node */
}

void router_arm_retry(struct router *router)
{
    int64_t next = pool_next_try(router->pool), now = turn_now(router->turn);
    if (next == INT64_MAX || uv_is_active((uv_handle_t *)&router->retry))
        return;
    uv_timer_start(&router->retry, on_retry, next > now ? (uint64_t)(next - now) : 1, 0);
}
