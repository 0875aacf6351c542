/* admin_sentinels: what each Sentinel says, as the control plane heard it last. */
#include "ops/admin_verbs.h"

#include "base/clock.h"
#include "ops/admin_letters.h"

#include <stdlib.h>
#include <string.h>

struct inquiry {
    struct admin_errand errand;
    struct admin_call *call;
    int wanted; /* -1: all groups */
    cJSON *list;
    const struct topology_group *group; /* while its Sentinels are told */
};

static const char *step_name(enum failover_step step)
{
    static const char *const names[] = {[FAILOVER_NONE] = "",
                                        [FAILOVER_WAIT_START] = "wait_start",
                                        [FAILOVER_SELECT_REPLICA] = "select_replica",
                                        [FAILOVER_SEND_PROMOTION] = "send_promotion",
                                        [FAILOVER_WAIT_PROMOTION] = "wait_promotion",
                                        [FAILOVER_RECONFIGURE] = "reconfigure",
                                        [FAILOVER_UPDATE_CONFIG] = "update_config"};
    return names[step];
}

static bool agrees(const struct topology_group *group, const struct sentinel_view *view)
{
    return view->reachable && view->known && group->master >= 0 &&
           address_equal(&view->named, &group->nodes[group->master].address);
}

static void add_sentinel(void *data, const struct sentinel_view *view)
{
    struct inquiry *q = data;
    char named[ENDPOINT_TEXT_MAX] = "";
    cJSON *row = cJSON_CreateObject();
    if (view->known && view->named.len)
        address_format(named, sizeof(named), &view->named);
    admin_add_text(row, "group", q->group->name);
    admin_add_text(row, "sentinel", view->name);
    cJSON_AddBoolToObject(row, "configured", view->configured);
    cJSON_AddBoolToObject(row, "reachable", view->reachable);
    admin_add_text(row, "names", named);
    cJSON_AddBoolToObject(row, "agrees", agrees(q->group, view));
    admin_add_number(row, "epoch", (int64_t)view->epoch);
    admin_add_number(row, "knows", view->peers);
    admin_add_text(row, "failover", step_name(view->step));
    if (view->answered_ms)
        admin_add_number(row, "answered_ms", clock_ms() - view->answered_ms);
    else
        cJSON_AddNullToObject(row, "answered_ms");
    admin_add_text(row, "runid", view->runid);
    cJSON_AddItemToArray(q->list, row);
}

/* On the control plane's thread. */
static void look(struct admin_errand *errand, struct control *control)
{
    struct inquiry *q = container_of(errand, struct inquiry, errand);
    struct topology *topology = board_acquire(q->errand.core->sources.board);
    for (size_t i = 0; topology && i < topology->group_count; i++) {
        q->group = &topology->groups[i];
        if (q->wanted < 0 || q->wanted == (int)i)
            control_each_sentinel(control, i, add_sentinel, q);
    }
    if (topology)
        topology_release(topology);
}

static void done(struct admin_errand *errand, bool lost)
{
    struct inquiry *q = container_of(errand, struct inquiry, errand);
    cJSON *result = cJSON_CreateObject();
    (void)lost; /* the list is empty then, and the client has gone */
    cJSON_AddItemToObject(result, "sentinels", q->list);
    admin_done(q->call, result);
    free(q);
}

void admin_sentinels(struct admin_call *call)
{
    const char *name = admin_word(call, 0);
    int wanted = name ? admin_group(call, name) : -1;
    if (name && wanted < 0)
        return;
    struct inquiry *q = calloc(1, sizeof(*q));
    if (!q)
        abort();
    q->call = call;
    q->wanted = wanted;
    q->list = cJSON_CreateArray();
    admin_errand_send(&q->errand, call->core, look, done);
}
