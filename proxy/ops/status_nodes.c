/* status_nodes: groups, nodes and Sentinels in /status, from the newest snapshot and the control plane's facts. */
#include "ops/status_parts.h"

#include "ops/json_text.h"
#include "ops/metrics_parts.h"
#include "ops/show_names.h"

/* The facts of a group; NULL: there are none yet. */
static const struct group_facts *facts_of(const struct http_look *look, size_t group)
{
    return group < look->metrics.fact_count ? &look->facts[group] : NULL;
}

static int64_t wall_of(const struct http_look *look, int64_t at_ms)
{
    return look->metrics.wall_ms - (look->metrics.now_ms - at_ms);
}

/* ---- groups ---- */

/* The switch that is under way, as the history tells one that has ended: its phases so far. */
static void add_going(cJSON *row, const struct http_look *look, const struct switch_going *going)
{
    cJSON *json = cJSON_AddObjectToObject(row, "switching"), *phases;
    json_add_time(json, "ts", wall_of(look, going->began_ms));
    json_add_text(json, "phase", switch_phase_name(going->phase));
    json_add_text(json, "from", going->from);
    json_add_text(json, "to", going->to);
    json_add_text(json, "reason", going->reason);
    cJSON_AddNumberToObject(json, "held_ms", (double)(look->metrics.now_ms - going->began_ms));
    phases = cJSON_AddObjectToObject(json, "phases_ms");
    for (int phase = 0; phase < SWITCH_PHASES && phase <= (int)going->phase; phase++)
        cJSON_AddNumberToObject(phases, switch_phase_name((enum switch_phase)phase),
                                (double)going->phase_ms[phase]);
}

static cJSON *group_object(const struct http_look *look, size_t index)
{
    const struct topology_group *group = &look->topology->groups[index];
    const struct group_facts *facts = facts_of(look, index);
    const struct metrics_view *view = &look->metrics;
    cJSON *row = cJSON_CreateObject();
    json_add_text(row, "group", group->name);
    json_add_text(row, "state", show_group_state(group));
    json_add_text(row, "master", group->master < 0 ? "" : group->nodes[group->master].name);
    cJSON_AddBoolToObject(row, "writable", group->writable);
    cJSON_AddNumberToObject(row, "replicas", (double)show_readable_replicas(group));
    cJSON_AddNumberToObject(row, "sentinels", facts ? (double)facts->electorate : 0);
    cJSON_AddNumberToObject(row, "votes", facts ? (double)facts->votes : 0);
    cJSON_AddBoolToObject(row, "quorum", group->quorum);
    cJSON_AddNumberToObject(row, "epoch", (double)group->epoch);
    json_add_time(row, "since", wall_of(look, group->since_ms));
    json_add_text(row, "reason", group->reason);
    cJSON_AddNumberToObject(row, "held_bytes", (double)METRICS_SUM(view, groups[index].held_bytes));
    cJSON_AddNumberToObject(row, "held_total", (double)METRICS_SUM(view, groups[index].held));
    if (facts && facts->going.on)
        add_going(row, look, &facts->going);
    else
        cJSON_AddNullToObject(row, "switching");
    return row;
}

cJSON *status_groups(const struct http_look *look)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < look->topology->group_count; i++)
        if (!look->topology->groups[i].gone)
            cJSON_AddItemToArray(list, group_object(look, i));
    return list;
}

/* ---- nodes ---- */

static void add_lag(cJSON *row, const struct group_facts *facts, uint64_t node)
{
    for (size_t i = 0; facts && i < facts->node_count; i++) {
        if (facts->nodes[i].node != node || facts->nodes[i].lag_bytes < 0)
            continue;
        cJSON_AddNumberToObject(row, "lag_bytes", (double)facts->nodes[i].lag_bytes);
        cJSON_AddNumberToObject(row, "lag_ms", (double)facts->nodes[i].lag_ms);
        return;
    }
    cJSON_AddNullToObject(row, "lag_bytes");
    cJSON_AddNullToObject(row, "lag_ms");
}

static void add_upstreams(cJSON *row, const struct node_sum *sum)
{
    uint64_t failures = 0;
    cJSON *upstreams = cJSON_AddObjectToObject(row, "upstreams");
    for (int kind = 0; kind < UPSTREAM_KIND_COUNT; kind++) {
        uint64_t count = 0;
        for (int phase = 0; phase < UPSTREAM_PHASE_COUNT; phase++)
            count += sum->upstreams[kind][phase];
        cJSON_AddNumberToObject(upstreams, upstream_kind_label((enum upstream_kind)kind),
                                (double)count);
    }
    for (int why = 0; why < CONNECT_FAILURE_COUNT; why++)
        failures += sum->failures[why];
    cJSON_AddNumberToObject(row, "connects_total", (double)sum->connects);
    cJSON_AddNumberToObject(row, "connect_failures_total", (double)failures);
    cJSON_AddNumberToObject(row, "received_bytes_total", (double)sum->received);
    cJSON_AddNumberToObject(row, "sent_bytes_total", (double)sum->sent);
}

static cJSON *node_object(const struct http_look *look, size_t index, size_t at)
{
    const struct topology_group *group = &look->topology->groups[index];
    const struct topology_node *node = &group->nodes[at];
    struct node_sum sum = metrics_node_sum(&look->metrics, index, node->id);
    struct refusal refusal;
    bool refuses = refusals_find(look->metrics.refusals, index, node->id, &refusal);
    bool master = (int)at == group->master;
    cJSON *row = cJSON_CreateObject();
    json_add_text(row, "node", node->name);
    json_add_text(row, "group", group->name);
    json_add_text(row, "role", show_node_role(group, at));
    json_add_text(row, "state", show_node_state(node));
    cJSON_AddBoolToObject(row, "writable", master && group->writable && !refuses);
    cJSON_AddBoolToObject(row, "readable", (master ? group->writable : node->readable) && !refuses);
    json_add_text(row, "refuses", refuses ? refusal.text : "");
    add_lag(row, facts_of(look, index), node->id);
    add_upstreams(row, &sum);
    return row;
}

cJSON *status_nodes(const struct http_look *look)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < look->topology->group_count; i++)
        for (size_t k = 0; k < look->topology->groups[i].node_count; k++)
            cJSON_AddItemToArray(list, node_object(look, i, k));
    return list;
}

/* ---- Sentinels ---- */

static cJSON *sentinel_object(const struct http_look *look, const char *group,
                              const struct sentinel_facts *sentinel)
{
    cJSON *row = cJSON_CreateObject();
    json_add_text(row, "sentinel", sentinel->name);
    json_add_text(row, "group", group);
    cJSON_AddBoolToObject(row, "reachable", sentinel->present);
    cJSON_AddBoolToObject(row, "agrees", sentinel->agrees);
    cJSON_AddBoolToObject(row, "tilt", sentinel->tilt);
    cJSON_AddNumberToObject(row, "epoch", (double)sentinel->epoch);
    if (sentinel->answered_ms >= 0)
        json_add_time(row, "answered", wall_of(look, sentinel->answered_ms));
    else
        cJSON_AddNullToObject(row, "answered");
    return row;
}

cJSON *status_sentinels(const struct http_look *look)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < look->topology->group_count; i++) {
        const struct topology_group *group = &look->topology->groups[i];
        const struct group_facts *facts = facts_of(look, i);
        for (size_t k = 0; facts && !group->gone && k < facts->sentinel_count; k++)
            cJSON_AddItemToArray(list, sentinel_object(look, group->name, &facts->sentinels[k]));
    }
    return list;
}
