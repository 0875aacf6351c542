/* metrics_groups: of each group and each node, from the newest snapshot and the control plane's facts. */
#include "ops/metrics_parts.h"

typedef uint64_t group_value(const struct topology_group *group);
typedef bool node_value(const struct topology_group *group, size_t index);

/* ---- groups ---- */

/* One gauge a state, as Prometheus has enumerations: exactly one of them is 1. */
static void put_states(struct metrics_out *out, const struct topology *topology)
{
    metrics_begin(out, METRIC_GROUP_STATE);
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *g = &topology->groups[i];
        if (g->gone)
            continue;
        for (enum group_state s = GROUP_NONE; s <= GROUP_PROVISIONAL; s++)
            metrics_put(out, LABELS({"group", g->name}, {"state", group_state_name(s)}),
                        g->state == s);
    }
}

static uint64_t writable(const struct topology_group *group)
{
    return group->writable;
}

static uint64_t quorum(const struct topology_group *group)
{
    return group->quorum;
}

static uint64_t epoch(const struct topology_group *group)
{
    return group->epoch;
}

static void put_group(struct metrics_out *out, const struct topology *topology, enum metric family,
                      group_value *value)
{
    metrics_begin(out, family);
    for (size_t i = 0; i < topology->group_count; i++)
        if (!topology->groups[i].gone)
            metrics_put(out, LABELS({"group", topology->groups[i].name}),
                        value(&topology->groups[i]));
}

/* ---- nodes ---- */

static bool is_master(const struct topology_group *group, size_t index)
{
    return (int)index == group->master;
}

static bool is_up(const struct topology_group *group, size_t index)
{
    return group->nodes[index].up;
}

static bool is_suspect(const struct topology_group *group, size_t index)
{
    return group->nodes[index].suspect;
}

static bool is_readable(const struct topology_group *group, size_t index)
{
    return group->nodes[index].readable;
}

static void put_nodes(struct metrics_out *out, const struct topology *topology, enum metric family,
                      node_value *value)
{
    metrics_begin(out, family);
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *g = &topology->groups[i];
        for (size_t k = 0; k < g->node_count; k++)
            metrics_put(out, LABELS({"group", g->name}, {"node", g->nodes[k].name}), value(g, k));
    }
}

static void put_refusals(struct metrics_out *out, const struct metrics_view *view)
{
    struct refusal refusal;
    metrics_begin(out, METRIC_NODE_REFUSES);
    for (size_t i = 0; i < view->topology->group_count; i++) {
        const struct topology_group *g = &view->topology->groups[i];
        for (size_t k = 0; k < g->node_count; k++)
            metrics_put(out, LABELS({"group", g->name}, {"node", g->nodes[k].name}),
                        refusals_find(view->refusals, i, g->nodes[k].id, &refusal) ||
                            credential_refusal(g->own) || g->nodes[k].disagrees);
    }
}

/* ---- lag ---- */

static void put_lag(struct metrics_out *out, const struct metrics_view *view, enum metric family)
{
    metrics_begin(out, family);
    for (size_t i = 0; i < view->fact_count && i < view->topology->group_count; i++) {
        const struct topology_group *g = &view->topology->groups[i];
        for (size_t k = 0; k < view->facts[i].node_count; k++) {
            const struct node_facts *facts = &view->facts[i].nodes[k];
            const struct topology_node *node = topology_node_by_id(g, facts->node);
            if (!node || facts->lag_bytes < 0)
                continue;
            metrics_put_number(out, LABELS({"group", g->name}, {"node", node->name}),
                               family == METRIC_NODE_LAG_BYTES ? (double)facts->lag_bytes
                                                               : (double)facts->lag_ms / 1000);
        }
    }
}

void metrics_groups(struct metrics_out *out, const struct metrics_view *view)
{
    put_states(out, view->topology);
    put_group(out, view->topology, METRIC_GROUP_WRITABLE, writable);
    put_group(out, view->topology, METRIC_GROUP_QUORUM, quorum);
    put_group(out, view->topology, METRIC_GROUP_EPOCH, epoch);
    put_nodes(out, view->topology, METRIC_NODE_MASTER, is_master);
    put_nodes(out, view->topology, METRIC_NODE_UP, is_up);
    put_nodes(out, view->topology, METRIC_NODE_SUSPECT, is_suspect);
    put_nodes(out, view->topology, METRIC_NODE_READABLE, is_readable);
    put_refusals(out, view);
    if (view->facts) {
        put_lag(out, view, METRIC_NODE_LAG_BYTES);
        put_lag(out, view, METRIC_NODE_LAG_SECONDS);
    }
}
