/*
 * router_lend: an upstream for a session, to share, for AUTH, or on a lease.
 *
 *     router_choose()      which node?
 *     may_enter()          would it let this session in now?  (admission.h: only at the first use)
 *     pool_shared() ...    the upstream
 *
 * What was given for sharing is given again without all that as long as the pool's epoch stands: this is the data path.
 */
#include "nodes/router_state.h"

static bool has_entered(const struct place *place, const struct target *target)
{
    return place->entered[0] == target->node || place->entered[1] == target->node;
}

/* Whether the session may use the node with this identity; at the first use the node itself has to say so. */
static bool may_enter(struct router *router, struct place *place, const struct target *target,
                      const struct want *want)
{
    bool entered = has_entered(place, target);
    place->entry = admission_try(router->admission, target, want->identity, want->leased, entered,
                                 &place->refusal);
    if (place->entry == ENTRY_FREE && !entered && !want->identity->own) {
        place->entered[1] = place->entered[0];
        place->entered[0] = target->node;
    }
    if (place->entry == ENTRY_WAITS && !list_linked(&place->in_admission))
        list_append(&router->awaiting_admission, &place->in_admission);
    if (place->entry == ENTRY_NONE)
        router_arm_retry(router);
    return place->entry == ENTRY_FREE;
}

enum entrance router_login_needed(struct router *router, struct place *place,
                                  struct identity *identity)
{
    const struct want want = {identity, false};
    enum target_role role = place->route == ROUTE_REPLICA ? TARGET_REPLICA : TARGET_MASTER;
    enum entrance entry = ENTRY_NONE;
    struct target target;
    if (router_choose(router, place, role, &want, &target))
        entry = admission_login(router->admission, &target, identity, has_entered(place, &target));
    else if (pool_admits_anybody(router->pool, place->group))
        entry = ENTRY_FREE; /* the next node will do as the others, or say NOAUTH when it has all */
    if (entry == ENTRY_FREE || entry == ENTRY_OTHER)
        return entry;
    if (!list_linked(&place->in_admission))
        list_append(&router->awaiting_admission, &place->in_admission);
    if (entry == ENTRY_NONE)
        router_arm_retry(router);
    return entry;
}

bool router_is_outside(const struct router *router, const struct place *place,
                       const struct identity *identity)
{
    return !identity->authenticated && !identity->own &&
           (identity->outside || pool_wants_logins(router->pool, place->group));
}

bool router_login_turn(struct router *router, struct place *place, enum target_role role,
                       struct identity *identity)
{
    const struct want want = {identity, false};
    struct target target;
    if (!router_choose(router, place, role, &want, &target) ||
        pool_stood(router->pool, &target, identity) ||
        logins_try(router->logins, &place->login, turn_now(router->turn)))
        return true;
    place->entry = ENTRY_WAITS;
    return false;
}

void router_login_ended(struct router *router, struct place *place, bool admitted)
{
    logins_ended(router->logins, &place->login, admitted, turn_now(router->turn));
}

void router_place(struct place *place, const struct traffic_listener_options *listener,
                  struct held *held)
{
    *place = (struct place){.group = listener->group, .route = listener->route, .held = held};
    list_init(&place->in_admission);
    login_init(&place->login, place->group);
}

void router_entered(struct place *place, const struct upstream *by)
{
    place->entered[0] = by ? by->node : 0;
    place->entered[1] = 0;
    place->epoch[TARGET_MASTER] = place->epoch[TARGET_REPLICA] = 0;
}

void router_rights_changed(struct router *router, size_t group)
{
    rights_changed(&router->rights[group]);
}

void router_rights_refused(struct router *router, size_t group)
{
    rights_refused(&router->rights[group], turn_now(router->turn));
}

static struct upstream *find_shared(struct router *router, struct place *place,
                                    enum target_role role, struct identity *identity)
{
    struct target target;
    struct upstream *up;
    const struct want want = {identity, false};
    if (!router_choose(router, place, role, &want, &target) ||
        !may_enter(router, place, &target, &want))
        return NULL;
    up = pool_shared(router->pool, &target, identity);
    if (!up) {
        place->entry = ENTRY_NONE;
        router_arm_retry(router);
        return NULL;
    }
    /* A master that stands in for a replica is chosen anew each time: that a replica can be used again is known by the
     * clock only, without a change of the epoch. */
    place->last[role] = up;
    place->epoch[role] =
        role == TARGET_MASTER || target.node == place->replica ? pool_epoch(router->pool) : 0;
    return up;
}

struct upstream *router_shared(struct router *router, struct place *place, enum target_role role,
                               struct identity *identity)
{
    if (place->epoch[role] == pool_epoch(router->pool)) {
        struct upstream *up = place->last[role]; /* the epoch says that it is there */
        if (up->identity == identity && !up->retired)
            return up;
    }
    return find_shared(router, place, role, identity);
}

/* Whether a session with this place may read from the node: one that reads from replicas may also read from the master. */
static bool may_read_at(const struct topology_group *view, const struct place *place,
                        const struct topology_node *node)
{
    if (view->master >= 0 && node == &view->nodes[view->master])
        return view->writable;
    return place->route != ROUTE_MASTER && node->readable;
}

struct upstream *router_shared_of(struct router *router, struct place *place, uint32_t process,
                                  struct identity *identity)
{
    const struct topology_group *view = view_of(router, place->group);
    const struct want want = {identity, false};
    place->entry = ENTRY_NONE;
    for (size_t i = 0; view && i < view->node_count; i++) {
        const struct topology_node *node = &view->nodes[i];
        enum purpose purpose = (int)i == view->master ? PURPOSE_MASTER : PURPOSE_REPLICA;
        struct target target;
        if (node->process != process || !may_read_at(view, place, node) ||
            !router_target_for(router, place->group, node, purpose, &want, &target))
            continue;
        if (!may_enter(router, place, &target, &want))
            return NULL;
        place->entry = ENTRY_NONE;
        return pool_shared(router->pool, &target, identity);
    }
    return NULL;
}

struct upstream *router_auth_upstream(struct router *router, struct place *place,
                                      enum target_role role, struct identity *identity, bool proves)
{
    const struct want want = {identity, false};
    struct target target;
    struct upstream *up;
    if (!router_choose(router, place, role, &want, &target) ||
        (!proves && !may_enter(router, place, &target, &want)))
        return NULL;
    place->entry = ENTRY_NONE;
    up = pool_auth_upstream(router->pool, &target, identity);
    if (!up)
        router_arm_retry(router);
    return up;
}

struct upstream *router_lease(struct router *router, struct place *place, enum target_role role,
                              struct identity *identity, upstream_lost *on_lost, void *lease_data)
{
    struct target target;
    struct upstream *up;
    const struct want want = {identity, true};
    if (!router_choose(router, place, role, &want, &target) ||
        !may_enter(router, place, &target, &want))
        return NULL;
    place->entry = ENTRY_NONE;
    up = pool_lease(router->pool, &target, identity, on_lost, lease_data);
    if (!up)
        router_arm_retry(router);
    return up;
}

bool router_may_send(struct router *router, const struct upstream *lease)
{
    if (!router_may_write(router, lease))
        return false;
    if (!pool_rejects(router->pool, lease->group, lease->node))
        return true;
    router_arm_retry(router);
    return false;
}

void router_return(struct router *router, struct upstream *lease, bool clean)
{
    pool_return(router->pool, lease, clean);
}

bool router_park(struct upstream *lease)
{
    return pool_park(lease);
}
