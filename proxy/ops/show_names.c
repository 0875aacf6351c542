/* show_names: see the header. */
#include "ops/show_names.h"

const char *show_route(enum route route)
{
    static const char *const names[] = {
        [ROUTE_MASTER] = "master", [ROUTE_REPLICA] = "replica", [ROUTE_SPLIT] = "split"};
    return names[route];
}

const char *show_group_state(const struct topology_group *group)
{
    return group->paused ? "paused" : group_state_name(group->state);
}

const char *show_node_state(const struct topology_node *node)
{
    if (node->suspect)
        return "silent";
    if (!node->up)
        return "unknown";
    return node->leaving ? "shutting down" : "up";
}

const char *show_node_role(const struct topology_group *group, size_t index)
{
    return (int)index == group->master ? "master" : "replica";
}

size_t show_readable_replicas(const struct topology_group *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->node_count; i++)
        count += (int)i != group->master && group->nodes[i].readable;
    return count;
}
