/*
 * router_view: what the newest topology, which the worker goes by, says about a group and a node.
 */
#include "nodes/router_state.h"

/* What a node does so soon after a change in its group belongs to that. */
#define CHANGED_MS 1000

const struct topology_group *router_view(const struct router *router, size_t group)
{
    return router->topology ? &router->topology->groups[group] : NULL;
}

uint64_t router_seq(const struct router *router)
{
    return router->topology ? router->topology->seq : 0;
}

bool router_may_write(const struct router *router, const struct upstream *up)
{
    const struct topology_group *view = view_of(router, up->group);
    const struct topology_node *node = view ? topology_node_by_id(view, up->node) : NULL;
    if (!node || node->suspect || up->state == UPSTREAM_CLOSED || up->retired)
        return false;
    return up->purpose == PURPOSE_REPLICA || view->writable;
}

bool router_is_settled(const struct router *router, size_t group)
{
    const struct topology_group *view = view_of(router, group);
    return view && view->writable && !view->settling;
}

bool router_node_is_unchanged(const struct router *router, size_t group, const struct ended *ended)
{
    const struct topology_group *view = view_of(router, group);
    const struct topology_node *node = view ? topology_node_by_id(view, ended->node) : NULL;
    if (!node || !node->up || node->suspect || node->leaving || node->tenure != ended->tenure ||
        view->state != GROUP_STEADY || view->since_ms > ended->at_ms - CHANGED_MS)
        return false;
    return ended->purpose == PURPOSE_REPLICA
               ? node->readable
               : view->writable && view->master >= 0 && view->nodes[view->master].id == node->id;
}
