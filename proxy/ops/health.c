/*
 * health: what /healthz and /readyz answer.
 *
 * A group serves when writes have a master or reads have a node. When it does
 * not, a request that arrives is held, which is as good as serving as long as
 * the hold can still end well; once hold_timeout has passed since the group lost its
 * master, a load balancer should look elsewhere.
 */
#include "ops/health.h"

#include "ops/json_text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { OK = 200, UNAVAILABLE = 503 };

static bool refuses(const struct health_view *view, const struct topology_group *group,
                    const struct topology_node *node, struct refusal *out)
{
    return refusals_find(view->refusals, (size_t)(group - view->topology->groups), node->id, out);
}

/* Whether the master takes no new connection of the proxy's; *out tells why. */
static bool master_refuses(const struct health_view *view, const struct topology_group *group,
                           struct refusal *out)
{
    return group->master >= 0 && refuses(view, group, &group->nodes[group->master], out);
}

static cJSON *node_list(const struct topology_group *group, const struct health_view *view)
{
    struct refusal refusal;
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < group->node_count; i++) {
        const struct topology_node *node = &group->nodes[i];
        if ((int)i == group->master)
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "address", node->name);
        cJSON_AddBoolToObject(item, "readable",
                              node->readable && !refuses(view, group, node, &refusal));
        if (refuses(view, group, node, &refusal))
            cJSON_AddStringToObject(item, "refuses", refusal.text);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static cJSON *group_object(const struct topology_group *group, const struct health_view *view)
{
    cJSON *object = cJSON_CreateObject();
    struct refusal refusal;
    bool refused = master_refuses(view, group, &refusal);

    cJSON_AddStringToObject(object, "group", group->name);
    cJSON_AddStringToObject(object, "state", group_state_name(group->state));
    if (group->master >= 0)
        cJSON_AddStringToObject(object, "master", group->nodes[group->master].name);
    else
        cJSON_AddNullToObject(object, "master");
    cJSON_AddBoolToObject(object, "writable", group->writable && !refused);
    cJSON_AddItemToObject(object, "replicas", node_list(group, view));
    json_add_time(object, "since", view->wall - (view->now - group->since_ms));
    if (refused)
        cJSON_AddStringToObject(object, "reason", refusal.text);
    else if (*group->reason)
        cJSON_AddStringToObject(object, "reason", group->reason);
    return object;
}

/* `reason` says why the status is not 200. */
static unsigned answer(const struct health_view *view, const char *word, const char *reason,
                       char **json)
{
    cJSON *root = cJSON_CreateObject(), *groups = cJSON_CreateArray();

    cJSON_AddStringToObject(root, "status", word);
    if (*reason)
        cJSON_AddStringToObject(root, "reason", reason);
    for (size_t i = 0; i < view->topology->group_count; i++)
        if (!view->topology->groups[i].gone)
            cJSON_AddItemToArray(groups, group_object(&view->topology->groups[i], view));
    cJSON_AddItemToObject(root, "groups", groups);
    *json = json_print(root);
    return *reason ? UNAVAILABLE : OK;
}

bool health_loops_turn(const struct health_loop *loops, size_t count, int64_t now_ms, char *reason,
                       size_t size)
{
    *reason = '\0';
    for (size_t i = 0; i < count && !*reason; i++) {
        int64_t age = now_ms - loops[i].last_turn;
        if (age > HEALTH_TURN_MS)
            snprintf(reason, size, "%s has not turned for %" PRId64 " ms", loops[i].name, age);
    }
    return !*reason;
}

unsigned health_alive(const struct health_view *view, char **json)
{
    char reason[128];

    (void)health_loops_turn(view->loops, view->loop_count, view->now, reason, sizeof(reason));
    return answer(view, *reason ? "stuck" : "ok", reason, json);
}

static bool is_well(const struct topology_group *group, int node)
{
    return node >= 0 && group->nodes[node].up && !group->nodes[node].suspect;
}

static bool serves(const struct topology_group *group)
{
    if ((group->writable && is_well(group, group->master)) || is_well(group, group->reader))
        return true;
    for (size_t i = 0; i < group->node_count; i++)
        if (group->nodes[i].readable)
            return true;
    return false;
}

/* What a person has to mend, and no hold can outwait. Returns false when there is no such thing. */
static bool is_shut_out(const struct health_view *view, const struct topology_group *group,
                        char *reason, size_t size)
{
    struct refusal refusal;
    size_t number = (size_t)(group - view->topology->groups);
    const char *shut_out =
        topology_shut_out(group, view->now, view->groups[number].hold_timeout_ms);
    if (master_refuses(view, group, &refusal) && view->now >= refusal.until_ms)
        snprintf(reason, size, "%s: %s refuses the proxy: %s", group->name,
                 group->nodes[group->master].name, refusal.text);
    else if (shut_out)
        snprintf(reason, size, "%s: %s", group->name, shut_out);
    else
        return false;
    return true;
}

unsigned health_ready(const struct health_view *view, char **json)
{
    char reason[512] = "there is no group";
    const struct topology *topology = view->topology;
    bool holds = false;

    if (view->draining)
        return answer(view, "draining", "the proxy is shutting down", json);
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *group = &topology->groups[i];
        int64_t waited = view->now - group->since_ms;
        if (group->gone || is_shut_out(view, group, reason, sizeof(reason)))
            continue;
        if (serves(group))
            return answer(view, "ready", "", json);
        holds = holds || waited <= view->groups[i].hold_timeout_ms;
        snprintf(reason, sizeof(reason), "nothing to serve for %s since %" PRId64 " ms: %s",
                 group->name, waited, *group->reason ? group->reason : "no master is known");
    }
    return holds ? answer(view, "holding", "", json) : answer(view, "unavailable", reason, json);
}
