/*
 * router: its life, and what follows from each newest topology. The header says what it is for, router_state.h which of
 * its files does what.
 */
#include "nodes/router_state.h"

#include <stdlib.h>

static void on_pool_change(void *data, size_t group)
{
    router_wake(data, group);
}

static void on_pool_gone(void *data, size_t group, uint64_t node)
{
    const struct router *router = data;
    router->events->on_gone(router->data, group, node);
}

static void on_login_turn(void *data, struct login *login)
{
    const struct router *router = data;
    router->events->wake(container_of(login, struct place, login)->held);
}

static void set_hold_limits(struct router *router)
{
    for (size_t i = 0; i < router->options->group_count; i++)
        hold_set_limits(&router->holds[i], router->options->groups[i].hold_memory,
                        router->options->groups[i].hold_timeout_ms);
}

/* There is room for those that a reload may bring. */
static void make_groups(struct router *router)
{
    size_t room = traffic_group_room(router->options);
    router->holds = calloc(room, sizeof(*router->holds));
    router->waits = calloc(room, sizeof(*router->waits));
    router->gates = calloc(room, sizeof(*router->gates));
    if (!router->holds || !router->waits || !router->gates)
        abort();
    for (size_t i = 0; i < room; i++) {
        gate_init(&router->gates[i], router->shared, i, router->number);
        hold_init(&router->holds[i], &router->shared->held[i], 0, 0);
    }
    set_hold_limits(router);
}

void router_reload(struct router *router, const struct traffic_options *options)
{
    router->options = options;
    pool_reload(router->pool, options);
    set_hold_limits(router);
}

struct router *router_new(struct turn *turn, const struct traffic_options *options,
                          struct shared *shared, size_t number, const struct router_events *events,
                          void *data)
{
    struct router *router = calloc(1, sizeof(*router));
    if (!router)
        abort();
    router->turn = turn;
    router->options = options;
    router->turns = number; /* not all of them begin with the same replica */
    router->shared = shared;
    router->number = number;
    router->events = events;
    router->data = data;
    make_groups(router);
    identities_init(&router->identities);
    router->own = identity_own(&router->identities);
    router->rights = shared->rights;
    router->logins = logins_new(traffic_group_room(options), on_login_turn, router);
    list_init(&router->awaiting_admission);
    router->pool = pool_new(turn, options, router->rights, on_pool_change, router);
    pool_count_in(router->pool, shared->slots[number].counters);
    pool_on_gone(router->pool, on_pool_gone);
    router->admission = admission_new(turn, router->pool, &router->identities, router->rights,
                                      on_pool_change, router);
    uv_timer_init(turn->loop, &router->retry);
    router->retry.data = router;
    return router;
}

void router_close(struct router *router)
{
    pool_close(router->pool);
    uv_close((uv_handle_t *)&router->retry, NULL);
}

void router_free(struct router *router)
{
    admission_free(router->admission);
    logins_free(router->logins);
    identity_release(router->own);
    pool_free(router->pool);
    if (router->topology)
        topology_release(router->topology);
    free(router->holds);
    free(router->waits);
    free(router->gates);
    free(router);
}

size_t router_upstreams(const struct router *router)
{
    return pool_upstreams(router->pool);
}

bool router_empty(const struct router *router)
{
    return pool_empty(router->pool);
}

struct identities *router_identities(struct router *router)
{
    return &router->identities;
}

struct hold *router_hold(struct router *router, size_t group)
{
    return &router->holds[group];
}

const struct traffic_group_options *router_group(const struct router *router, size_t group)
{
    return &router->options->groups[group];
}

struct ids {
    void (*each)(void *data, uint64_t id);
    void *data;
};

static void tell_id(void *data, struct upstream *up)
{
    const struct ids *ids = data;
    ids->each(ids->data, up->client_id);
}

void router_each_client_id(const struct router *router, size_t group, uint64_t node,
                           void (*each)(void *data, uint64_t id), void *data)
{
    struct ids ids = {each, data};
    pool_each(router->pool, group, node, tell_id, &ids);
}

/* ---- each newest topology ---- */

static uint64_t master_id(const struct topology_group *group)
{
    return group->master < 0 ? 0 : group->nodes[group->master].id;
}

void router_adopt(struct router *router, struct topology *topology)
{
    struct topology *old = router->topology;
    router->topology = topology;
    pool_adopt(router->pool, topology);
    for (size_t i = 0; i < router->options->group_count; i++) {
        const struct topology_group *now = &topology->groups[i];
        const struct topology_group *before = old && i < old->group_count ? &old->groups[i] : NULL;
        if (before && before->writable && !now->writable)
            router->events->on_hold(router->data, i);
        if (before && now->writable && (!before->writable || master_id(before) != master_id(now)))
            gate_bar(&router->gates[i], topology->seq);
        router_wake(router, i);
    }
    gate_adopted(router->shared, router->number, topology->seq);
    if (old)
        topology_release(old);
}

bool router_has_groups(const struct router *router, size_t count)
{
    return router->topology && router->topology->group_count >= count;
}

static void find_write(void *data, struct upstream *up)
{
    bool *found = data;
    *found = *found || upstream_has_write(up);
}

bool router_is_quiet(const struct router *router)
{
    bool writes = false;
    for (size_t i = 0; i < router->options->group_count && router->topology; i++) {
        const struct topology_group *group = &router->topology->groups[i];
        if (group->state == GROUP_SWITCHING && group->master >= 0 && !group->writable)
            pool_each(router->pool, i, group->nodes[group->master].id, find_write, &writes);
    }
    return !writes;
}

void router_tick(struct router *router, int64_t now_ms)
{
    router_test_refusing(router);
    pool_tick(router->pool, now_ms);
    router_give_up_gates(router, now_ms);
    logins_tick(router->logins, now_ms);
}
