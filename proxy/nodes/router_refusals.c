/*
 * router_refusals: nodes that do not let the proxy itself in (topology/refusals.h). Requests for such a master need not
 * wait for the whole of hold_timeout, and are answered with the node's own words.
 */
#include "nodes/router_state.h"

#include "base/clock.h"

#include <stdio.h>

const char *router_refusal(const struct router *router, size_t group, char *out, size_t size)
{
    const struct topology_group *view = view_of(router, group);
    const char *shut_out;
    struct refusal refusal;
    if (!view)
        return NULL;
    if (view->master >= 0) {
        const struct topology_node *master = &view->nodes[view->master];
        if (!view->writable ||
            !refusals_find(board_refusals(router->turn->board), group, master->id, &refusal) ||
            clock_ms() < refusal.until_ms)
            return NULL;
        snprintf(out, size, "%s refuses the proxy: %s", master->name, refusal.text);
        return out;
    }
    shut_out = topology_shut_out(view, clock_ms(), router->options->groups[group].hold_timeout_ms);
    if (!shut_out)
        return NULL;
    snprintf(out, size, "%s", shut_out);
    return out;
}

void router_test_refusing(struct router *router)
{
    struct refusal refusal;
    for (size_t i = 0; router->topology && i < router->options->group_count; i++) {
        const struct topology_group *view = &router->topology->groups[i];
        for (size_t k = 0; k < view->node_count; k++) {
            const struct topology_node *node = &view->nodes[k];
            bool master = (int)k == view->master;
            if (!refusals_find(board_refusals(router->turn->board), i, node->id, &refusal))
                continue;
            pool_test(
                router->pool,
                &(struct target){i, node->id, master ? PURPOSE_MASTER : PURPOSE_REPLICA, node},
                router->own);
        }
    }
}
