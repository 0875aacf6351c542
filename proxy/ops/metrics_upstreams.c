/* metrics_upstreams: of connections to nodes. Nodes that are in no snapshot any more have no lines. */
#include "ops/metrics_parts.h"

struct node_sum metrics_node_sum(const struct metrics_view *view, size_t group, uint64_t node)
{
    struct node_sum sum = {0};
    for (size_t i = 0; i < view->worker_count; i++) {
        const struct node_counters *one = counters_node(view->counters[i], group, node);
        if (!one)
            continue;
        sum.connects += counter_read(&one->connects);
        sum.received += counter_read(&one->traffic.received);
        sum.sent += counter_read(&one->traffic.sent);
        for (int why = 0; why < CONNECT_FAILURE_COUNT; why++)
            sum.failures[why] += counter_read(&one->failures[why]);
        for (int kind = 0; kind < UPSTREAM_KIND_COUNT; kind++)
            for (int phase = 0; phase < UPSTREAM_PHASE_COUNT; phase++)
                sum.upstreams[kind][phase] += counter_read(&one->upstreams[kind][phase]);
    }
    return sum;
}

static void put_standing(struct metrics_out *out, const char *group, const char *node,
                         const struct node_sum *sum)
{
    for (int kind = 0; kind < UPSTREAM_KIND_COUNT; kind++)
        for (int phase = 0; phase < UPSTREAM_PHASE_COUNT; phase++)
            metrics_put(out,
                        LABELS({"group", group}, {"node", node},
                               {"kind", upstream_kind_label((enum upstream_kind)kind)},
                               {"state", upstream_phase_label((enum upstream_phase)phase)}),
                        sum->upstreams[kind][phase]);
}

static void put_failures(struct metrics_out *out, const char *group, const char *node,
                         const struct node_sum *sum)
{
    for (int why = 0; why < CONNECT_FAILURE_COUNT; why++)
        metrics_put(out,
                    LABELS({"group", group}, {"node", node},
                           {"reason", connect_failure_label((enum connect_failure)why)}),
                    sum->failures[why]);
}

static void put_nodes(struct metrics_out *out, const struct metrics_view *view, enum metric family)
{
    metrics_begin(out, family);
    for (size_t i = 0; i < view->topology->group_count; i++) {
        const struct topology_group *g = &view->topology->groups[i];
        for (size_t k = 0; k < g->node_count; k++) {
            struct node_sum sum = metrics_node_sum(view, i, g->nodes[k].id);
            if (family == METRIC_NODE_UPSTREAMS)
                put_standing(out, g->name, g->nodes[k].name, &sum);
            else if (family == METRIC_CONNECT_FAILED)
                put_failures(out, g->name, g->nodes[k].name, &sum);
            else
                metrics_put(out, LABELS({"group", g->name}, {"node", g->nodes[k].name}),
                            sum.connects);
        }
    }
}

static void put_bytes(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_begin(out, METRIC_NODE_RECEIVED);
    for (size_t i = 0; i < view->options->group_count; i++)
        if (!view->options->groups[i].gone)
            metrics_put(out, LABELS({"group", view->options->groups[i].name}),
                        METRICS_SUM(view, groups[i].traffic.received));
    metrics_begin(out, METRIC_NODE_SENT);
    for (size_t i = 0; i < view->options->group_count; i++)
        if (!view->options->groups[i].gone)
            metrics_put(out, LABELS({"group", view->options->groups[i].name}),
                        METRICS_SUM(view, groups[i].traffic.sent));
}

void metrics_upstreams(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_worker_gauge(out, view, METRIC_UPSTREAMS, offsetof(struct worker_gauges, upstreams));
    if (!view->counters)
        return;
    put_nodes(out, view, METRIC_NODE_UPSTREAMS);
    put_nodes(out, view, METRIC_CONNECTS);
    put_nodes(out, view, METRIC_CONNECT_FAILED);
    put_bytes(out, view);
}
