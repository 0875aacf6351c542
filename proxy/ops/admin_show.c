/* admin_show: status and nodes: what everybody may read at any time, without asking a thread. */
#include "ops/admin_verbs.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin_call.h"
#include "ops/show_names.h"

#include <string.h>
#include <unistd.h>

static void add_bool(cJSON *object, const char *name, bool value)
{
    cJSON_AddBoolToObject(object, name, value);
}

static cJSON *add_row(cJSON *list)
{
    cJSON *row = cJSON_CreateObject();
    cJSON_AddItemToArray(list, row);
    return row;
}

/* ---- status ---- */

static void add_workers(cJSON *result, const struct admin_sources *sources)
{
    struct worker_gauges all = {0};
    for (size_t i = 0; i < workers_size(sources->workers); i++) {
        struct worker_gauges one;
        workers_gauges(sources->workers, i, &one);
        all.sessions += one.sessions;
        all.upstreams += one.upstreams;
        all.held += one.held;
        all.held_bytes += one.held_bytes;
        all.request_bytes += one.request_bytes;
        all.output_bytes += one.output_bytes;
    }
    admin_add_number(result, "workers", (int64_t)workers_size(sources->workers));
    admin_add_number(result, "sessions", (int64_t)all.sessions);
    admin_add_number(result, "max_clients", (int64_t)sources->config->traffic.max_clients);
    admin_add_number(result, "upstreams", (int64_t)all.upstreams);
    admin_add_number(result, "held_sessions", (int64_t)all.held);
    admin_add_number(result, "held_bytes", (int64_t)all.held_bytes);
    admin_add_number(result, "request_bytes", (int64_t)all.request_bytes);
    admin_add_number(result, "output_bytes", (int64_t)all.output_bytes);
}

static void add_group(cJSON *list, const struct topology_group *group, int64_t now)
{
    cJSON *row = add_row(list);
    admin_add_text(row, "group", group->name);
    admin_add_text(row, "state", show_group_state(group));
    admin_add_text(row, "master", group->master < 0 ? "" : group->nodes[group->master].name);
    add_bool(row, "writable", group->writable);
    admin_add_number(row, "replicas", (int64_t)show_readable_replicas(group));
    add_bool(row, "quorum", group->quorum);
    admin_add_number(row, "epoch", (int64_t)group->epoch);
    admin_add_number(row, "since_ms", now - group->since_ms);
    admin_add_text(row, "reason", group->reason);
}

static void add_listener(cJSON *list, const struct traffic_options *options, size_t i)
{
    const struct traffic_listener_options *listener = &options->listeners[i];
    char text[ENDPOINT_TEXT_MAX];
    cJSON *row = add_row(list);
    admin_add_text(row, "listener", address_format(text, sizeof(text), &listener->address));
    admin_add_text(row, "group", options->groups[listener->group].name);
    admin_add_text(row, "route", show_route(listener->route));
    add_bool(row, "tls", listener->tls != NULL);
}

void admin_status(struct admin_call *call)
{
    struct admin_core *core = call->core;
    const struct traffic_options *options = &core->sources.config->traffic;
    struct topology *topology = board_acquire(core->sources.board);
    int64_t now = clock_ms();
    cJSON *result = cJSON_CreateObject(), *groups = cJSON_CreateArray(),
          *listeners = cJSON_CreateArray();
    admin_add_text(result, "version", REDISPROXY_VERSION);
    admin_add_number(result, "pid", getpid());
    admin_add_number(result, "uptime_ms", now - core->started_ms);
    add_bool(result, "draining", atomic_load(&core->draining));
    admin_add_text(result, "log_level", log_level_name(log_level()));
    add_workers(result, &core->sources);
    for (size_t i = 0; topology && i < topology->group_count; i++)
        if (!topology->groups[i].gone)
            add_group(groups, &topology->groups[i], now);
    for (size_t i = 0; i < options->listener_count; i++)
        add_listener(listeners, options, i);
    cJSON_AddItemToObject(result, "groups", groups);
    cJSON_AddItemToObject(result, "listeners", listeners);
    if (topology)
        topology_release(topology);
    admin_done(call, result);
}

/* ---- nodes ---- */

static void add_node(cJSON *list, struct admin_core *core, const struct topology *topology,
                     size_t number, size_t index)
{
    const struct topology_group *group = &topology->groups[number];
    const struct topology_node *node = &group->nodes[index];
    struct refusal refusal;
    bool refused = refusals_find(board_refusals(core->sources.board), number, node->id, &refusal);
    bool master = (int)index == group->master;
    cJSON *row = add_row(list);
    admin_add_text(row, "group", group->name);
    admin_add_text(row, "node", node->name);
    admin_add_text(row, "role", show_node_role(group, index));
    admin_add_text(row, "state", show_node_state(node));
    add_bool(row, "writable", master && group->writable && !refused);
    add_bool(row, "readable", (master ? group->writable : node->readable) && !refused);
    admin_add_text(row, "refuses", refused ? refusal.text : "");
}

void admin_nodes(struct admin_call *call)
{
    const char *name = admin_word(call, 0);
    int wanted = name ? admin_group(call, name) : 0;
    if (wanted < 0)
        return;
    struct topology *topology = board_acquire(call->core->sources.board);
    cJSON *result = cJSON_CreateObject(), *nodes = cJSON_CreateArray();
    for (size_t i = 0; topology && i < topology->group_count; i++)
        for (size_t k = 0; k < topology->groups[i].node_count; k++)
            if (!name || (int)i == wanted)
                add_node(nodes, call->core, topology, i, k);
    cJSON_AddItemToObject(result, "nodes", nodes);
    if (topology)
        topology_release(topology);
    admin_done(call, result);
}
