/*
 * router_publish: one gate (gate.h) for each group, which those pass who publish a message.
 */
#include "nodes/router_state.h"

#include "base/log.h"

#include <inttypes.h>

bool router_may_publish(struct router *router, size_t group)
{
    const struct topology_group *view = view_of(router, group);
    if (!view || !view->writable)
        return true; /* it is held anyway */
    return gate_is_open(&router->gates[group], turn_now(router->turn));
}

void router_let_publish(struct router *router)
{
    for (size_t i = 0; i < router->options->group_count; i++)
        if (router->gates[i].since_ms && gate_opens(&router->gates[i]))
            router_wake(router, i);
}

void router_subscriber_lost(struct router *router, size_t group)
{
    gate_lost(&router->gates[group]);
}

void router_subscriber_renewed(struct router *router, size_t group)
{
    gate_renewed(&router->gates[group]);
}

const struct gate *router_gate(const struct router *router, size_t group)
{
    return &router->gates[group];
}

static void give_up_gate(struct router *router, size_t group, int64_t now_ms)
{
    struct gate *gate = &router->gates[group];
    int64_t waited_ms;
    if (!gate_gives_up(gate, now_ms, &waited_ms))
        return;
    log_event(LOG_WARN, "messages go out before all subscriptions are made again",
              "group=%s worker=%zu subscribers=%zu waited_ms=%" PRId64,
              router->options->groups[group].name, router->number,
              atomic_load(&router->shared->unrenewed[group]), waited_ms);
    router_wake(router, group);
}

void router_give_up_gates(struct router *router, int64_t now_ms)
{
    for (size_t i = 0; i < router->options->group_count; i++)
        give_up_gate(router, i, now_ms);
}
