/* router: see the header. */
#include "nodes/router.h"

#include "base/clock.h"
#include "base/log.h"
#include "nodes/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a node does so soon after a change in its group belongs to that. */
#define CHANGED_MS 1000

/* A node that keeps writes waiting, as far as is known. */
struct wait {
    uint64_t node;
    int64_t until_ms;
};

struct router {
    struct turn *turn;
    const struct traffic_options *options;
    struct topology *topology;
    struct pool *pool;
    struct admission *admission;
    struct rights *rights; /* the shared's: one for each group */
    struct list knocking;  /* places that wait for a node's word */
    struct identities identities;
    struct identity *own; /* the proxy's own: for its questions */
    struct shared *shared;
    size_t number;
    struct hold *holds; /* one for each group */
    struct wait *waits; /* the same */
    struct gate *gates; /* the same */
    size_t turns;       /* of choosing a replica */
    uv_timer_t retry;
    const struct router_events *events;
    void *data;
};

/* ---- who may go on ---- */

static void release(struct router *router, size_t group)
{
    /* The woken session leaves the hold when it is dispatched, and comes back when it must. */
    list_each (it, &router->holds[group].sessions)
        router->events->wake(container_of(it, struct held, in_hold));
    list_each (it, &router->knocking)
        router->events->wake(container_of(it, struct place, in_knock)->held);
}

static void on_pool_change(void *data, size_t group)
{
    release(data, group);
}

static void on_pool_gone(void *data, size_t group, uint64_t node)
{
    const struct router *router = data;
    router->events->on_gone(router->data, group, node);
}

static void arm_retry(struct router *router);

static void on_retry(uv_timer_t *timer)
{
    struct router *router = timer->data;
    pool_retry(router->pool, turn_now(router->turn));
    arm_retry(router); /* others may wait for another node */
}

/* Somebody waits: make sure that the node is tried again. */
static void arm_retry(struct router *router)
{
    int64_t next = pool_next_try(router->pool), now = turn_now(router->turn);
    if (next == INT64_MAX || uv_is_active((uv_handle_t *)&router->retry))
        return;
    uv_timer_start(&router->retry, on_retry, next > now ? (uint64_t)(next - now) : 1, 0);
}

/* ---- life ---- */

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
    router->holds = calloc(options->group_count, sizeof(*router->holds));
    router->waits = calloc(options->group_count, sizeof(*router->waits));
    router->gates = calloc(options->group_count, sizeof(*router->gates));
    if (!router->holds || !router->waits || !router->gates)
        abort();
    for (size_t i = 0; i < options->group_count; i++)
        gate_init(&router->gates[i], shared, i, number);
    for (size_t i = 0; i < options->group_count; i++)
        hold_init(&router->holds[i], &shared->held_bytes[i], options->groups[i].hold_memory,
                  options->groups[i].hold_timeout_ms);
    identities_init(&router->identities);
    router->own = identity_own(&router->identities);
    router->rights = shared->rights;
    list_init(&router->knocking);
    router->pool = pool_new(turn, options, router->rights, on_pool_change, router);
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
    identity_release(router->own);
    pool_free(router->pool);
    if (router->topology)
        topology_release(router->topology);
    free(router->holds);
    free(router->waits);
    free(router->gates);
    free(router);
}

struct identities *router_identities(struct router *router)
{
    return &router->identities;
}

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
        if (old && old->groups[i].writable && !now->writable)
            router->events->on_hold(router->data, i);
        if (old && now->writable &&
            (!old->groups[i].writable || master_id(&old->groups[i]) != master_id(now)))
            gate_bar(&router->gates[i], topology->seq);
        release(router, i);
    }
    gate_adopted(router->shared, router->number, topology->seq);
    if (old)
        topology_release(old);
}

const char *router_refusal(const struct router *router, size_t group, char *out, size_t size)
{
    const struct topology_group *view = router_view(router, group);
    const char *probes;
    struct refusal refusal;
    if (!view)
        return NULL;
    if (view->master >= 0) {
        const struct topology_node *master = &view->nodes[view->master];
        if (!view->writable ||
            !refusals_find(board_refusals(router->turn->board), group, master->id, &refusal) ||
            clock_ms() < refusal.until_ms)
            return NULL;
        snprintf(out, size, "%s refuses the proxy: %s", master->name, refusal.text);
        return out;
    }
    probes = credential_refusal(view->own);
    if (!probes || view->own->owner->file)
        return NULL;
    snprintf(out, size, "%s", probes);
    return out;
}

/* Those who refuse the proxy are tried again, also when nobody wants anything of them. */
static void test_refusing(struct router *router)
{
    struct refusal refusal;
    for (size_t i = 0; router->topology && i < router->options->group_count; i++) {
        const struct topology_group *view = &router->topology->groups[i];
        for (size_t k = 0; k < view->node_count; k++) {
            const struct topology_node *node = &view->nodes[k];
            bool master = (int)k == view->master;
            if (!refusals_find(board_refusals(router->turn->board), i, node->id, &refusal))
                continue;
            pool_test(
                router->pool,
                &(struct target){i, node->id, master ? PURPOSE_MASTER : PURPOSE_REPLICA, node},
                router->own);
        }
    }
}

/* ---- what publishes ---- */

static void give_up(struct router *router, size_t group, int64_t now_ms)
{
    struct gate *gate = &router->gates[group];
    int64_t waited_ms;
    if (!gate_gives_up(gate, now_ms, &waited_ms))
        return;
    log_event(LOG_WARN, "messages go out before all subscriptions are made again",
              "group=%s worker=%zu subscribers=%zu waited_ms=%" PRId64,
              router->options->groups[group].name, router->number,
              atomic_load(&router->shared->unrenewed[group]), waited_ms);
    release(router, group);
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

void router_tick(struct router *router, int64_t now_ms,
                 void (*on_stuck)(void *data, void *head_owner_data), void *data)
{
    test_refusing(router);
    pool_tick(router->pool, now_ms, on_stuck, data);
    for (size_t i = 0; i < router->options->group_count; i++)
        give_up(router, i, now_ms);
}

bool router_may_publish(struct router *router, size_t group)
{
    const struct topology_group *view = router_view(router, group);
    if (!view || !view->writable)
        return true; /* it is held anyway */
    return gate_is_open(&router->gates[group], turn_now(router->turn));
}

void router_let_publish(struct router *router)
{
    for (size_t i = 0; i < router->options->group_count; i++)
        if (router->gates[i].since_ms && gate_opens(&router->gates[i]))
            release(router, i);
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

/* ---- choosing ---- */

/* Whom a connection is looked for, and of which sort. */
struct want {
    struct identity *identity;
    bool leased;
};

static bool target_for(struct router *router, size_t group, const struct topology_node *node,
                       enum purpose purpose, const struct want *want, struct target *target)
{
    *target = (struct target){group, node->id, purpose, node};
    if (node->suspect || pool_rejects(router->pool, group, node->id))
        return false;
    return pool_usable(router->pool, group, node->id) ||
           pool_stands(router->pool, target, want->identity, want->leased);
}

static bool choose_master(struct router *router, size_t group, const struct want *want,
                          struct target *target)
{
    const struct topology_group *view = &router->topology->groups[group];
    if (view->master < 0 || !view->writable)
        return false;
    return target_for(router, group, &view->nodes[view->master], PURPOSE_MASTER, want, target);
}

static bool may_be_read(struct router *router, size_t group, const struct topology_node *node)
{
    return node->readable && !node->suspect && pool_usable(router->pool, group, node->id);
}

/* The replica with the fewest sessions, among equals the next in turn: new sessions balance evenly,
 * short ones too. The turn is one of replicas, not of nodes: the one behind the master is no more
 * often next than others. */
static const struct topology_node *least_used(struct router *router, size_t group)
{
    const struct topology_group *view = &router->topology->groups[group];
    const struct topology_node *best = NULL;
    unsigned best_users = 0;
    size_t readable = 0, best_rank = 0, rank, at = 0;
    for (size_t i = 0; i < view->node_count; i++)
        readable += may_be_read(router, group, &view->nodes[i]);
    if (readable == 0)
        return NULL;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct topology_node *node = &view->nodes[i];
        unsigned users = pool_users(router->pool, group, node->id);
        if (!may_be_read(router, group, node))
            continue;
        rank = (at++ + readable - router->turns % readable) % readable; /* 0: it is its turn */
        if (!best || users < best_users || (users == best_users && rank < best_rank)) {
            best = node;
            best_users = users;
            best_rank = rank;
        }
    }
    router->turns++;
    return best;
}

void router_join_replica(struct router *router, struct place *place, uint64_t replica)
{
    if (place->replica || !replica)
        return;
    place->replica = replica;
    pool_add_user(router->pool, place->group, replica, 1);
}

void router_leave_replica(struct router *router, struct place *place)
{
    if (place->replica)
        pool_add_user(router->pool, place->group, place->replica, -1);
    place->replica = 0;
    place->epoch[WISH_REPLICA] = 0;
}

/* No replica can be read: the master, whose connections are shared with writes; while those are held, on
 * connections of its own. */
static bool choose_reader(struct router *router, size_t group, const struct want *want,
                          struct target *target)
{
    const struct topology_group *view = &router->topology->groups[group];
    if (view->writable || view->reader < 0)
        return choose_master(router, group, want, target);
    return target_for(router, group, &view->nodes[view->reader], PURPOSE_REPLICA, want, target);
}

static bool choose_replica(struct router *router, struct place *place, const struct want *want,
                           struct target *target)
{
    const struct topology_group *view = &router->topology->groups[place->group];
    const struct topology_node *node =
        place->replica ? topology_node_by_id(view, place->replica) : NULL;
    if (node && node->readable &&
        target_for(router, place->group, node, PURPOSE_REPLICA, want, target))
        return true;
    router_leave_replica(router, place);
    node = least_used(router, place->group);
    if (!node)
        return choose_reader(router, place->group, want, target);
    router_join_replica(router, place, node->id);
    return target_for(router, place->group, node, PURPOSE_REPLICA, want, target);
}

static bool choose(struct router *router, struct place *place, enum wish wish,
                   const struct want *want, struct target *target)
{
    bool found;
    place->entry = ENTRY_NONE;
    if (!router->topology)
        return false;
    found = wish == WISH_MASTER ? choose_master(router, place->group, want, target)
                                : choose_replica(router, place, want, target);
    if (!found)
        arm_retry(router);
    return found;
}

/* The first use of a node by a session, by this identity, has to be allowed by the node. */
static bool may_enter(struct router *router, struct place *place, const struct target *target,
                      const struct want *want)
{
    bool entered = place->entered[0] == target->node || place->entered[1] == target->node;
    place->entry = admission_try(router->admission, target, want->identity, want->leased, entered,
                                 &place->refusal);
    if (place->entry == ENTRY_FREE && !entered && !want->identity->own) {
        place->entered[1] = place->entered[0];
        place->entered[0] = target->node;
    }
    if (place->entry == ENTRY_WAITS && !list_linked(&place->in_knock))
        list_append(&router->knocking, &place->in_knock);
    if (place->entry == ENTRY_NONE)
        arm_retry(router);
    return place->entry == ENTRY_FREE;
}

void router_place(struct place *place, const struct traffic_listener_options *listener,
                  struct held *held)
{
    *place = (struct place){.group = listener->group, .route = listener->route, .held = held};
    list_init(&place->in_knock);
}

void router_entered(struct place *place, const struct upstream *by)
{
    place->entered[0] = by ? by->node : 0;
    place->entered[1] = 0;
    place->epoch[WISH_MASTER] = place->epoch[WISH_REPLICA] = 0;
}

void router_rights_changed(struct router *router, size_t group)
{
    rights_changed(&router->rights[group]);
}

void router_rights_refused(struct router *router, size_t group)
{
    rights_refused(&router->rights[group], turn_now(router->turn));
}

static struct upstream *find_shared(struct router *router, struct place *place, enum wish wish,
                                    struct identity *identity)
{
    struct target target;
    struct upstream *up;
    const struct want want = {identity, false};
    if (!choose(router, place, wish, &want, &target) || !may_enter(router, place, &target, &want))
        return NULL;
    up = pool_shared(router->pool, &target, identity);
    if (!up) {
        place->entry = ENTRY_NONE;
        arm_retry(router);
        return NULL;
    }
    /* The master in a replica's place is asked for anew each time: a replica comes back by the clock. */
    place->last[wish] = up;
    place->epoch[wish] =
        wish == WISH_MASTER || target.node == place->replica ? pool_epoch(router->pool) : 0;
    return up;
}

struct upstream *router_shared(struct router *router, struct place *place, enum wish wish,
                               struct identity *identity)
{
    if (place->epoch[wish] == pool_epoch(router->pool)) {
        struct upstream *up = place->last[wish]; /* the epoch says that it is there */
        if (up->identity == identity && !up->retired)
            return up;
    }
    return find_shared(router, place, wish, identity);
}

/* Whether a session with this place may read from the node: its master, where no replica can be read, is
 * no worse for one that reads from replicas. */
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
    const struct topology_group *view = router_view(router, place->group);
    const struct want want = {identity, false};
    place->entry = ENTRY_NONE;
    for (size_t i = 0; view && i < view->node_count; i++) {
        const struct topology_node *node = &view->nodes[i];
        enum purpose purpose = (int)i == view->master ? PURPOSE_MASTER : PURPOSE_REPLICA;
        struct target target;
        if (node->process != process || !may_read_at(view, place, node) ||
            !target_for(router, place->group, node, purpose, &want, &target))
            continue;
        if (!may_enter(router, place, &target, &want))
            return NULL;
        place->entry = ENTRY_NONE;
        return pool_shared(router->pool, &target, identity);
    }
    return NULL;
}

struct upstream *router_door(struct router *router, struct place *place, enum wish wish,
                             struct identity *identity, bool proves)
{
    const struct want want = {identity, false};
    struct target target;
    struct upstream *up;
    if (!choose(router, place, wish, &want, &target) ||
        (!proves && !may_enter(router, place, &target, &want)))
        return NULL;
    place->entry = ENTRY_NONE;
    up = pool_door(router->pool, &target, identity);
    if (!up)
        arm_retry(router);
    return up;
}

struct upstream *router_lease(struct router *router, struct place *place, enum wish wish,
                              struct identity *identity, upstream_lost *on_lost, void *lease_data)
{
    struct target target;
    struct upstream *up;
    const struct want want = {identity, true};
    if (!choose(router, place, wish, &want, &target) || !may_enter(router, place, &target, &want))
        return NULL;
    place->entry = ENTRY_NONE;
    up = pool_lease(router->pool, &target, identity, on_lost, lease_data);
    if (!up)
        arm_retry(router);
    return up;
}

void router_return(struct router *router, struct upstream *lease, bool clean)
{
    pool_return(router->pool, lease, clean);
}

bool router_park(struct upstream *lease)
{
    return pool_park(lease);
}

bool router_may_write(const struct router *router, const struct upstream *up)
{
    const struct topology_group *view = router_view(router, up->group);
    const struct topology_node *node = view ? topology_node_by_id(view, up->node) : NULL;
    if (!node || node->suspect || up->state == UPSTREAM_CLOSED || up->retired)
        return false;
    return up->purpose == PURPOSE_REPLICA || view->writable;
}

bool router_may_send(struct router *router, const struct upstream *lease)
{
    if (!router_may_write(router, lease))
        return false;
    if (!pool_rejects(router->pool, lease->group, lease->node))
        return true;
    arm_retry(router);
    return false;
}

bool router_is_settled(const struct router *router, size_t group)
{
    const struct topology_group *view = router_view(router, group);
    return view && view->writable && !view->settling;
}

bool router_in_office(const struct router *router, size_t group, const struct ended *ended)
{
    const struct topology_group *view = router_view(router, group);
    const struct topology_node *node = view ? topology_node_by_id(view, ended->node) : NULL;
    if (!node || !node->up || node->suspect || node->leaving || node->tenure != ended->tenure ||
        view->state != GROUP_STEADY || view->since_ms > ended->at_ms - CHANGED_MS)
        return false;
    return ended->purpose == PURPOSE_REPLICA
               ? node->readable
               : view->writable && view->master >= 0 && view->nodes[view->master].id == node->id;
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

/* ---- CLIENT PAUSE ---- */

void router_writes_wait(struct router *router, size_t group, uint64_t node, int64_t until_ms)
{
    router->waits[group] = (struct wait){node, until_ms};
}

bool router_do_writes_wait(const struct router *router, size_t group)
{
    const struct topology_group *view = router_view(router, group);
    const struct wait *wait = &router->waits[group];
    return wait->until_ms > turn_now(router->turn) && view && view->master >= 0 &&
           view->nodes[view->master].id == wait->node;
}

static void part(void *data, struct upstream *up)
{
    (void)data;
    if (up->leased || up->retired || upstream_idle(up))
        return;
    upstream_retire(up, "its node keeps writes waiting (CLIENT PAUSE)");
    upstream_evict_reads(up, NULL);
}

void router_part(struct router *router, size_t group, uint64_t node)
{
    pool_each(router->pool, group, node, part, NULL);
}

/* ---- what else sessions need ---- */

void router_rejected(struct router *router, size_t group, struct upstream *up, bool not_master)
{
    pool_penalize(router->pool, group, up->node);
    if (not_master && !up->leased)
        upstream_retire(up, "the node says that it is no master");
    arm_retry(router);
}

unsigned router_send_everywhere(struct router *router, size_t group, bool readers,
                                struct identity *identity, const struct upstream *except,
                                const struct request *request, const struct request_owner *owner,
                                void *owner_data)
{
    const struct topology_group *view = router_view(router, group);
    const struct want want = {identity, false};
    unsigned sent = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct topology_node *node = &view->nodes[i];
        bool master = (int)i == view->master;
        struct target target;
        struct upstream *up;
        struct request *copy;
        if (node->id == except->node || (master ? readers || !view->writable : !node->readable) ||
            !target_for(router, group, node, master ? PURPOSE_MASTER : PURPOSE_REPLICA, &want,
                        &target))
            continue;
        up = pool_shared(router->pool, &target, identity);
        if (!up)
            continue;
        copy = request_own(&router->turn->requests, (struct slice){request->data, request->len},
                           owner, owner_data);
        copy->command = request->command;
        copy->write = true;
        upstream_submit(up, copy);
        sent++;
    }
    return sent;
}

void router_unblock(struct router *router, const struct upstream *lease)
{
    const struct topology_group *view = router_view(router, lease->group);
    const struct topology_node *node = view ? topology_node_by_id(view, lease->node) : NULL;
    struct target target;
    struct upstream *up;
    char id[24];
    struct slice argv[4] = {{"Client", 6}, {"UNBLOCK", 7}, {id, 0}, {"ERROR", 5}};

    if (!node || !lease->client_id ||
        !target_for(router, lease->group, node, lease->purpose, &(struct want){router->own, false},
                    &target))
        return;
    up = pool_shared(router->pool, &target, router->own);
    if (!up)
        return;
    argv[2].len = (size_t)snprintf(id, sizeof(id), "%" PRIu64, lease->client_id);
    upstream_submit(up, request_own_words(&router->turn->requests, 4, argv, NULL, NULL));
}

bool router_ask(struct router *router, struct place *place, enum wish wish, const char *bytes,
                size_t len, const struct request_owner *owner, void *owner_data)
{
    struct upstream *up = router_shared(router, place, wish, router->own);
    if (!up)
        return false;
    upstream_submit(
        up, request_own(&router->turn->requests, (struct slice){bytes, len}, owner, owner_data));
    return true;
}

uint64_t router_seq(const struct router *router)
{
    return router->topology ? router->topology->seq : 0;
}

const struct topology_group *router_view(const struct router *router, size_t group)
{
    return router->topology ? &router->topology->groups[group] : NULL;
}

struct hold *router_hold(struct router *router, size_t group)
{
    return &router->holds[group];
}

const struct traffic_group_options *router_group(const struct router *router, size_t group)
{
    return &router->options->groups[group];
}

size_t router_upstreams(const struct router *router)
{
    return pool_upstreams(router->pool);
}

bool router_empty(const struct router *router)
{
    return pool_empty(router->pool);
}
