/*
 * pool_adopt: what the newest topology means for the upstreams that stand. One whose node is not what it is used for any
 * more is closed; one to which nothing may be written now keeps what was sent, and gives back what was not.
 */
#include "nodes/pool_state.h"

/* Whether the node may still be used as what the upstream is for. */
static bool still_good(const struct topology_group *group, const struct upstream *up)
{
    const struct topology_node *node = topology_node_by_id(group, up->node);
    if (!node)
        return false;
    if (up->purpose == PURPOSE_MASTER)
        return group->master >= 0 && group->nodes[group->master].id == up->node;
    return node->readable || pool_is_reader(group, up->node);
}

/* Not to a master while a switch is under way, nor to a node that is silent; but the proxy's own commands go there: one
 * of them takes blocked commands back. */
static bool may_be_written(const struct topology_group *group, const struct upstream *up)
{
    if (up->identity->own)
        return true;
    if (topology_node_by_id(group, up->node)->suspect)
        return false;
    return up->purpose != PURPOSE_MASTER || group->writable;
}

void pool_adopt(struct pool *pool, const struct topology *topology)
{
    struct list *it = pool->upstreams.next;
    pool->topology = topology;
    pool->epoch++;
    while (it != &pool->upstreams) {
        /* Cutting one never ends another: the sessions it wakes only queue. */
        struct upstream *up = container_of(it, struct upstream, in_pool);
        const struct topology_group *group = &topology->groups[up->group];
        it = it->next;
        if (!still_good(group, up)) {
            upstream_close(up, up->purpose == PURPOSE_MASTER ? "its node is no longer the master"
                                                             : "its node is no longer readable");
        } else if (!may_be_written(group, up)) {
            upstream_withdraw(up);
        }
    }
    pool_forget_nodes(pool);
}
