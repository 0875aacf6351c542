/*
 * router_pauses: nodes that keep requests waiting. With CLIENT PAUSE a client may have asked for that; a node that
 * rejects requests (LOADING, READONLY, ...) is left alone for a moment.
 */
#include "nodes/router_state.h"

void router_writes_wait(struct router *router, size_t group, uint64_t node, int64_t until_ms)
{
    router->waits[group] = (struct wait){node, until_ms};
}

bool router_do_writes_wait(const struct router *router, size_t group)
{
    const struct topology_group *view = view_of(router, group);
    const struct wait *wait = &router->waits[group];
    return wait->until_ms > turn_now(router->turn) && view && view->master >= 0 &&
           view->nodes[view->master].id == wait->node;
}

static void part(void *data, struct upstream *up)
{
    (void)data;
    if (up->leased || up->retired || upstream_idle(up))
        return;
    upstream_retire(up, "its node keeps writes waiting (CLIENT PAUSE)");
    upstream_evict_reads(up, NULL);
}

void router_stop_sharing(struct router *router, size_t group, uint64_t node)
{
    pool_each(router->pool, group, node, part, NULL);
}

void router_rejected(struct router *router, size_t group, struct upstream *up, bool not_master)
{
    pool_penalize(router->pool, group, up->node);
    if (not_master && !up->leased)
        upstream_retire(up, "the node says that it is no master");
    router_arm_retry(router);
}
