/*
 * router_choose: to which node does a request go? A session that reads from replicas stays on one; new ones are spread
 * evenly. A node that is suspect, or was found to be down just now, is passed over; but where a connection to it stands
 * already, that is of use.
 */
#include "nodes/router_state.h"

bool router_target_for(struct router *router, size_t group, const struct topology_node *node,
                       enum purpose purpose, const struct want *want, struct target *target)
{
    *target = (struct target){group, node->id, purpose, node};
    if (node->suspect || pool_rejects(router->pool, group, node->id))
        return false;
    return pool_usable(router->pool, group, node->id, want->identity) ||
           pool_stands(router->pool, target, want->identity, want->leased);
}

static bool choose_master(struct router *router, size_t group, const struct want *want,
                          struct target *target)
{
    const struct topology_group *view = &router->topology->groups[group];
    if (view->master < 0 || !view->writable)
        return false;
    return router_target_for(router, group, &view->nodes[view->master], PURPOSE_MASTER, want,
                             target);
}

static bool may_be_read(struct router *router, size_t group, const struct topology_node *node,
                        const struct want *want)
{
    return node->readable && !node->suspect &&
           pool_usable(router->pool, group, node->id, want->identity);
}

/* The replica with the fewest sessions; among equals they take turns, so that short sessions spread evenly, too. Only
 * replicas take turns, not all nodes: otherwise the one that stands behind the master in the list would have two. */
static const struct topology_node *least_used(struct router *router, size_t group,
                                              const struct want *want)
{
    const struct topology_group *view = &router->topology->groups[group];
    const struct topology_node *best = NULL;
    unsigned best_users = 0;
    size_t readable = 0, best_rank = 0, rank, at = 0;
    for (size_t i = 0; i < view->node_count; i++)
        readable += may_be_read(router, group, &view->nodes[i], want);
    if (readable == 0)
        return NULL;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct topology_node *node = &view->nodes[i];
        unsigned users = pool_users(router->pool, group, node->id);
        if (!may_be_read(router, group, node, want))
            continue;
        rank = (at++ + readable - router->turns % readable) % readable; /* 0: it is its turn */
        if (!best || users < best_users || (users == best_users && rank < best_rank)) {
            best = node;
            best_users = users;
            best_rank = rank;
        }
    }
    router->turns++;
    return best;
}

void router_join_replica(struct router *router, struct place *place, uint64_t replica)
{
    if (place->replica || !replica)
        return;
    place->replica = replica;
    pool_add_user(router->pool, place->group, replica, 1);
}

void router_leave_replica(struct router *router, struct place *place)
{
    if (place->replica)
        pool_add_user(router->pool, place->group, place->replica, -1);
    place->replica = 0;
    place->epoch[TARGET_REPLICA] = 0;
}

/* No replica can be read: reads go to the master, on the connections that writes share; while writes are held, on
 * connections for reads alone. */
static bool choose_reader(struct router *router, size_t group, const struct want *want,
                          struct target *target)
{
    const struct topology_group *view = &router->topology->groups[group];
    if (view->writable || view->reader < 0)
        return choose_master(router, group, want, target);
    return router_target_for(router, group, &view->nodes[view->reader], PURPOSE_REPLICA, want,
                             target);
}

static bool choose_replica(struct router *router, struct place *place, const struct want *want,
                           struct target *target)
{
    const struct topology_group *view = &router->topology->groups[place->group];
    const struct topology_node *node =
        place->replica ? topology_node_by_id(view, place->replica) : NULL;
    if (node && node->readable &&
        router_target_for(router, place->group, node, PURPOSE_REPLICA, want, target))
        return true;
    router_leave_replica(router, place);
    node = least_used(router, place->group, want);
    if (!node)
        return choose_reader(router, place->group, want, target);
    router_join_replica(router, place, node->id);
    return router_target_for(router, place->group, node, PURPOSE_REPLICA, want, target);
}

bool router_choose(struct router *router, struct place *place, enum target_role role,
                   const struct want *want, struct target *target)
{
    bool found;
    place->entry = ENTRY_NONE;
    if (!router->topology)
        return false;
    found = role == TARGET_MASTER ? choose_master(router, place->group, want, target)
                                  : choose_replica(router, place, want, target);
    if (!found)
        router_arm_retry(router);
    return found;
}
