/* router_moved: see nodes/moved.h. */
#include "nodes/moved.h"

#include "nodes/router_state.h"

#include <unistd.h>

bool router_describe_lease(const struct router *router, const struct upstream *lease,
                           struct moved_upstream *out)
{
    const struct topology_group *view = view_of(router, lease->group);
    const struct topology_node *node = view ? topology_node_by_id(view, lease->node) : NULL;
    if (!node || !upstream_may_move(lease))
        return false;
    *out = (struct moved_upstream){.node = node->address,
                                   .purpose = lease->purpose,
                                   .client_id = lease->client_id,
                                   .process = node->process,
                                   .fd = lease->stream.fd};
    return true;
}

/* Whether it is now what the lease is for. */
static bool serves(const struct topology_group *view, const struct topology_node *node,
                   const struct moved_upstream *moved)
{
    bool master = view->master >= 0 && node == &view->nodes[view->master];
    if (node->suspect || (node->process && moved->process && node->process != moved->process))
        return false;
    return moved->purpose == PURPOSE_MASTER ? master && view->writable : node->readable && !master;
}

static const struct topology_node *find_node(const struct topology_group *view,
                                             const struct moved_upstream *moved)
{
    for (size_t i = 0; view && i < view->node_count; i++)
        if (address_equal(&view->nodes[i].address, &moved->node))
            return serves(view, &view->nodes[i], moved) ? &view->nodes[i] : NULL;
    return NULL;
}

struct upstream *router_adopt_lease(struct router *router, struct place *place,
                                    const struct moved_upstream *moved, struct identity *identity,
                                    upstream_lost *on_lost, void *lease_data)
{
    const struct topology_node *node = find_node(view_of(router, place->group), moved);
    struct target target;
    struct upstream *up;
    if (!node) {
        close(moved->fd);
        return NULL;
    }
    target = (struct target){place->group, node->id, moved->purpose, node};
    up = pool_adopt_lease(router->pool, &target, identity, moved, on_lost, lease_data);
    if (!up)
        return NULL;
    place->entered[0] = node->id;
    if (moved->purpose == PURPOSE_REPLICA)
        router_join_replica(router, place, node->id);
    return up;
}
