/*
 * pool: see the header. Slots are found by uthash, nodes by a walk over the
 * few there are.
 */
#include "traffic/pool.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A slot is looked for with every request: uthash's own hash is for longer keys. */
#define HASH_FUNCTION(key, len, hash) ((hash) = hash_of_key(key))
#include <uthash.h>

/* After the first failure a node is tried again at once, then after 10, 20, ... 100 ms: a switch is
 * waiting for it, and on loopback or in a cluster a refusal costs next to nothing. */
#define RETRY_FIRST_MS 10
#define RETRY_MAX_MS 100
/* A failure this long after the one before counts as the first. */
#define FORGIVE_MS 2000
/* Where nobody wants anything, a node that refuses the proxy is tried this often. */
#define TEST_MS 500
/* A node that has no room for another client may have some soon: so long requests wait for that. */
#define ROOM_MS 1000
#define IDLE_LEASES_MAX 32
/* So long an idle lease is kept, and a shared upstream of an identity that no session has. */
#define IDLE_MS 30000
/* Writes queued behind a reply that its session does not read wait this long (decision 8). */
#define STUCK_MS 1000
/* Upstreams that are asked one thing at a time (pool_door), of one slot. */
#define DOORS 4

struct slot_key {
    uint64_t node;
    size_t group;
    struct identity *identity;
    size_t purpose;
};

static inline unsigned hash_of_key(const struct slot_key *key)
{
    uint64_t mixed =
        (uintptr_t)key->identity ^ key->node << 8 ^ (uint64_t)key->group << 4 ^ key->purpose;
    return (unsigned)(mixed * 0x9E3779B97F4A7C15u >> 32); /* Fibonacci hashing */
}

struct slot {
    struct slot_key key;
    struct pool *pool;
    struct upstream *shared;
    struct upstream *doors[DOORS];
    unsigned door_turns;
    struct list idle; /* leases, the most recently used last */
    size_t idle_count;
    size_t upstreams; /* all that belong here */
    struct proof proof;
    UT_hash_handle hh;
};

struct pool_node {
    struct list in_pool;
    size_t group;
    uint64_t id;
    unsigned failures;
    unsigned users;
    unsigned upstreams;
    struct proof greeting; /* of who is not authenticated */
    bool rejects;        /* the last failure was no connection's: one that stands proves nothing */
    int64_t retry_at_ms; /* 0: usable */
    int64_t failed_ms;   /* the last failure */
};

struct pool {
    struct turn *turn;
    const struct traffic_options *options;
    const struct topology *topology;
    struct rights *rights;
    void (*on_change)(void *data, size_t group);
    void (*on_gone)(void *data, size_t group, uint64_t node);
    void *data;
    struct slot *slots;
    struct list upstreams;
    struct list nodes;
    size_t count;
    uint64_t epoch;
    bool closing;
};

struct pool *pool_new(struct turn *turn, const struct traffic_options *options,
                      struct rights *rights, void (*on_change)(void *data, size_t group),
                      void *data)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        abort();
    pool->turn = turn;
    pool->options = options;
    pool->rights = rights;
    pool->on_change = on_change;
    pool->data = data;
    pool->epoch = 1;
    list_init(&pool->upstreams);
    list_init(&pool->nodes);
    return pool;
}

void pool_on_gone(struct pool *pool, void (*on_gone)(void *data, size_t group, uint64_t node))
{
    pool->on_gone = on_gone;
}

uint64_t pool_epoch(const struct pool *pool)
{
    return pool->epoch;
}

/* ---- nodes ---- */

static struct pool_node *find_node(const struct pool *pool, size_t group, uint64_t id)
{
    for (struct list *it = pool->nodes.next; it != &pool->nodes; it = it->next) {
        struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->id == id && node->group == group)
            return node;
    }
    return NULL;
}

static struct pool_node *get_node(struct pool *pool, size_t group, uint64_t id)
{
    struct pool_node *node = find_node(pool, group, id);
    if (node)
        return node;
    node = calloc(1, sizeof(*node));
    if (!node)
        abort();
    node->group = group;
    node->id = id;
    list_append(&pool->nodes, &node->in_pool);
    return node;
}

bool pool_usable(const struct pool *pool, size_t group, uint64_t id)
{
    const struct pool_node *node = find_node(pool, group, id);
    return !node || node->retry_at_ms <= turn_now(pool->turn);
}

bool pool_rejects(const struct pool *pool, size_t group, uint64_t id)
{
    const struct pool_node *node = find_node(pool, group, id);
    return node && node->rejects && node->retry_at_ms > turn_now(pool->turn);
}

static void note_failure(struct pool *pool, struct pool_node *node, bool rejects)
{
    int64_t now = turn_now(pool->turn), delay;
    if (now - node->failed_ms > FORGIVE_MS)
        node->failures = 0;
    delay = (int64_t)RETRY_FIRST_MS * node->failures;
    pool->epoch++;
    node->retry_at_ms = now + (delay > RETRY_MAX_MS ? RETRY_MAX_MS : delay);
    node->failed_ms = now;
    node->failures++;
    node->rejects = rejects;
}

void pool_penalize(struct pool *pool, size_t group, uint64_t id)
{
    note_failure(pool, get_node(pool, group, id), true);
}

unsigned pool_users(const struct pool *pool, size_t group, uint64_t id)
{
    const struct pool_node *node = find_node(pool, group, id);
    return node ? node->users : 0;
}

void pool_add_user(struct pool *pool, size_t group, uint64_t id, int delta)
{
    get_node(pool, group, id)->users += (unsigned)delta;
}

int64_t pool_next_try(const struct pool *pool)
{
    int64_t next = INT64_MAX;
    for (struct list *it = pool->nodes.next; it != &pool->nodes; it = it->next) {
        const struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->retry_at_ms && node->retry_at_ms < next)
            next = node->retry_at_ms;
    }
    return next;
}

void pool_retry(struct pool *pool, int64_t now_ms)
{
    list_each (it, &pool->nodes) {
        struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->retry_at_ms && node->retry_at_ms <= now_ms) {
            pool->epoch++;
            node->retry_at_ms = 0;
            pool->on_change(pool->data, node->group);
        }
    }
}

/* ---- slots ---- */

static struct slot_key key_of(const struct target *target, struct identity *identity)
{
    struct slot_key key;
    memset(&key, 0, sizeof(key)); /* the padding is hashed too */
    key.node = target->node;
    key.group = target->group;
    key.identity = identity;
    key.purpose = target->purpose;
    return key;
}

static struct slot *find_slot(struct pool *pool, const struct target *target,
                              struct identity *identity)
{
    struct slot_key key = key_of(target, identity);
    struct slot *slot;
    HASH_FIND(hh, pool->slots, &key, sizeof(key), slot);
    return slot;
}

static struct slot *get_slot(struct pool *pool, const struct target *target,
                             struct identity *identity)
{
    struct slot *slot = find_slot(pool, target, identity);
    if (slot)
        return slot;
    slot = calloc(1, sizeof(*slot));
    if (!slot)
        abort();
    slot->key = key_of(target, identity);
    slot->pool = pool;
    identity_retain(identity);
    identity->pooled++;
    list_init(&slot->idle);
    HASH_ADD(hh, pool->slots, key, sizeof(slot->key), slot);
    return slot;
}

static void drop_slot_if_empty(struct slot *slot)
{
    struct pool *pool = slot->pool;
    if (slot->upstreams > 0)
        return;
    HASH_DEL(pool->slots, slot);
    slot->key.identity->pooled--;
    identity_release(slot->key.identity);
    free(slot);
}

static void take_idle(struct slot *slot, struct upstream *up)
{
    list_remove(&up->in_idle);
    slot->idle_count--;
    up->deadline_ms = 0;
}

/* ---- what upstreams tell ---- */

static const struct topology_group *view_of(const struct pool *pool, const struct upstream *up)
{
    return pool->topology ? &pool->topology->groups[up->group] : NULL;
}

/* A replication id that is all zeros stands for "none". */
static bool same_replid(const char *a, const char *b)
{
    return a[0] && b[0] && strspn(a, "0") != strlen(a) && strcmp(a, b) == 0;
}

static bool belongs(const struct topology_group *group, const struct node_claim *node)
{
    if (!group->replid[0][0])
        return true; /* not known yet: nothing to compare with */
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (same_replid(group->replid[i], node->replid[j]))
                return true;
    return false;
}

/* A master that serves reads although no write may go there: its upstreams for reads are of their own. */
static bool is_reader(const struct topology_group *group, uint64_t node)
{
    return group->reader >= 0 && group->nodes[group->reader].id == node;
}

static const char *on_verify(struct upstream *up, const struct node_claim *node)
{
    const struct slot *slot = up->owner_data;
    const struct topology_group *group = view_of(slot->pool, up);
    if (up->purpose == PURPOSE_MASTER && !node->master)
        return "it is not a master";
    if (up->purpose == PURPOSE_REPLICA && !node->replica && !(group && is_reader(group, up->node)))
        return "it is not a replica";
    if (group && !node->busy && !belongs(group, node))
        return "its replication id belongs to another group";
    return NULL;
}

/* ---- proofs ---- */

static void note(struct proof *proof, const struct proof *next)
{
    if (!proof->known || next->ms >= proof->ms)
        *proof = *next;
}

static struct proof proof_of(const struct upstream *up, bool let_in)
{
    return (struct proof){true, let_in, up->opened_ms, up->generation};
}

static void on_greeted(struct upstream *up, bool let_in)
{
    struct slot *slot = up->owner_data;
    struct proof proof = proof_of(up, let_in);
    if (!let_in)
        proof.ms =
            turn_now(slot->pool->turn); /* so that those who came with it turn round at once */
    note(&get_node(slot->pool, up->group, up->node)->greeting, &proof);
}

struct proof pool_proof(struct pool *pool, const struct target *target, struct identity *identity)
{
    static const struct proof none;
    if (!identity->authenticated) {
        const struct pool_node *node = find_node(pool, target->group, target->node);
        return node ? node->greeting : none;
    }
    const struct slot *slot = find_slot(pool, target, identity);
    return slot ? slot->proof : none;
}

void pool_note_proof(struct pool *pool, size_t group, uint64_t node, enum purpose purpose,
                     struct identity *identity, const struct proof *proof)
{
    const struct target target = {.group = group, .node = node, .purpose = purpose};
    if (!identity->authenticated) {
        note(&get_node(pool, group, node)->greeting, proof);
        return;
    }
    struct slot *slot = find_slot(pool, &target, identity);
    if (slot)
        note(&slot->proof, proof);
}

bool pool_has(struct pool *pool, const struct target *target, struct identity *identity,
              bool leased)
{
    const struct slot *slot = find_slot(pool, target, identity);
    if (!slot)
        return false;
    return leased ? !list_empty(&slot->idle) : slot->shared && !slot->shared->retired;
}

bool pool_joins(struct pool *pool, const struct target *target, struct identity *identity,
                int64_t since_ms, uint64_t generation)
{
    const struct slot *slot = find_slot(pool, target, identity);
    const struct upstream *up = slot ? slot->shared : NULL;
    return up && up->state < UPSTREAM_READY && up->opened_ms >= since_ms &&
           up->generation == generation;
}

/* ---- refusals ---- */

/* How long a request waits for the end of a refusal: for a new password in its file as long as for a
 * master, for room a moment; the rest needs a person. */
static int64_t patience(const struct pool *pool, const struct upstream *up)
{
    if (up->waits)
        return pool->options->groups[up->group].hold_timeout_ms;
    return strstr(up->why, "max number of clients") ? ROOM_MS : 0;
}

static void note_refusal(const struct pool *pool, const struct upstream *up)
{
    char quoted[200];
    if (up->refused && refusals_note(board_refusals(pool->turn->board), up->group, up->node,
                                     up->why, clock_ms(), patience(pool, up)))
        log_event(
            LOG_WARN,
            "a node refuses the proxy: connections that stand are used, there are no new ones",
            "group=%s node=%s reason=%s", pool->options->groups[up->group].name, up->name,
            log_quote(quoted, sizeof(quoted), up->why));
}

static void note_success(const struct pool *pool, const struct upstream *up)
{
    if (refusals_clear(board_refusals(pool->turn->board), up->group, up->node))
        log_event(LOG_INFO, "a node lets the proxy in again", "group=%s node=%s",
                  pool->options->groups[up->group].name, up->name);
}

static void on_ready(struct upstream *up)
{
    struct slot *slot = up->owner_data;
    struct proof proof = proof_of(up, true);
    note(&slot->proof, &proof);
    note_success(slot->pool, up);
    struct pool_node *node = get_node(slot->pool, up->group, up->node);
    if (node->failures > 1 && !node->rejects)
        log_event(LOG_INFO, "a node can be used again", "group=%s node=%s",
                  slot->pool->options->groups[up->group].name, up->name);
    if (!node->rejects) {
        node->failures = 0;
        node->retry_at_ms = 0;
    }
    if (list_linked(&up->in_idle))
        up->deadline_ms = turn_now(slot->pool->turn) + IDLE_MS;
    slot->pool->epoch++;
    slot->pool->on_change(slot->pool->data, up->group);
}

/* A connection may end before the loop has come to adopting the snapshot that says why. */
static bool lets_no_write_through(const struct upstream *up)
{
    const struct slot *slot = up->owner_data;
    struct topology *newest = board_acquire(slot->pool->turn->board);
    const struct topology_node *node =
        newest ? topology_node_by_id(&newest->groups[up->group], up->node) : NULL;
    bool leaving = node && node->leaving;
    if (newest)
        topology_release(newest);
    return leaving;
}

static void on_cut(struct upstream *up, const char *why, bool error)
{
    struct slot *slot = up->owner_data;
    struct pool *pool = slot->pool;
    bool stood = up->state == UPSTREAM_READY;
    unsigned left;
    char quoted[200];

    if (slot->shared == up)
        slot->shared = NULL;
    for (int i = 0; i < DOORS; i++)
        if (slot->doors[i] == up)
            slot->doors[i] = NULL;
    if (list_linked(&up->in_idle))
        take_idle(slot, up);
    if (error && !pool->closing) {
        struct pool_node *node = get_node(pool, up->group, up->node);
        bool news = stood ? !up->leased : node->failures == 1;
        if (!stood || node->failures == 0)
            note_failure(pool, node, false);
        note_refusal(pool, up);
        log_event(news && !up->refused ? LOG_WARN : LOG_DEBUG, "an upstream ended",
                  "group=%s node=%s purpose=%s leased=%d reason=%s",
                  pool->options->groups[up->group].name, up->name,
                  up->purpose == PURPOSE_MASTER ? "master" : "replica", up->leased,
                  log_quote(quoted, sizeof(quoted), why));
    }
    left = --get_node(pool, up->group, up->node)->upstreams;
    if (pool->on_gone && ((error && stood) || left == 0))
        pool->on_gone(pool->data, up->group, up->node);
    pool->epoch++;
    pool->count--;
    slot->upstreams--;
    up->identity->pooled--;
    up->owner_data = NULL;
    drop_slot_if_empty(slot);
}

static const struct upstream_owner owner = {on_verify, on_ready, on_greeted, lets_no_write_through,
                                            on_cut};

/* ---- handing out ---- */

static struct upstream *open_upstream(struct slot *slot, const struct target *target)
{
    struct pool *pool = slot->pool;
    const struct traffic_group_options *group = &pool->options->groups[target->group];
    struct upstream *up = NULL;
    const char *error = NULL;

    if (!pool->closing && pool_usable(pool, target->group, target->node)) {
        up = upstream_open(pool->turn, target, slot->key.identity,
                           pool->topology->groups[target->group].own, group->connect_timeout_ms,
                           &owner, slot, &error);
        if (!up) {
            note_failure(pool, get_node(pool, target->group, target->node), false);
            log_event(get_node(pool, target->group, target->node)->failures == 2 ? LOG_WARN
                                                                                 : LOG_DEBUG,
                      "a node cannot be connected to", "group=%s node=%s reason=\"%s\"",
                      group->name, target->view->name, error);
        }
    }
    if (!up) {
        drop_slot_if_empty(slot);
        return NULL;
    }
    up->opened_ms = turn_now(pool->turn);
    up->generation = rights_generation(&pool->rights[target->group], up->opened_ms);
    slot->upstreams++;
    get_node(pool, target->group, target->node)->upstreams++;
    slot->key.identity->pooled++;
    pool->count++;
    list_append(&pool->upstreams, &up->in_pool);
    return up;
}

bool pool_stands(struct pool *pool, const struct target *target, struct identity *identity,
                 bool leased)
{
    const struct slot *slot = find_slot(pool, target, identity);
    if (!slot)
        return false;
    return leased ? !list_empty(&slot->idle)
                  : slot->shared && slot->shared->state == UPSTREAM_READY && !slot->shared->retired;
}

struct upstream *pool_shared(struct pool *pool, const struct target *target,
                             struct identity *identity)
{
    struct slot *slot = get_slot(pool, target, identity);
    struct upstream *up = slot->shared;
    if (up && !up->retired)
        return up;
    up = open_upstream(slot, target);
    if (up)
        slot->shared = up;
    return up;
}

void pool_test(struct pool *pool, const struct target *target, struct identity *identity)
{
    struct pool_node *node = get_node(pool, target->group, target->node);
    struct upstream *up;
    if (turn_now(pool->turn) - node->failed_ms < TEST_MS)
        return;
    up = open_upstream(get_slot(pool, target, identity), target);
    if (up)
        up->singly = true; /* it ends when it is ready */
    node->failed_ms = turn_now(pool->turn);
}

struct upstream *pool_door(struct pool *pool, const struct target *target,
                           struct identity *identity)
{
    struct upstream *up = pool_shared(pool, target, identity);
    struct slot *slot;
    if (!up || upstream_idle(up))
        return up;
    slot = get_slot(pool, target, identity);
    unsigned at = slot->door_turns++ % DOORS;
    for (unsigned i = 0; i < DOORS; i++)
        if (slot->doors[i] && !slot->doors[i]->retired && upstream_idle(slot->doors[i]))
            at = i;
    up = slot->doors[at];
    if (up && !up->retired)
        return up;
    up = open_upstream(slot, target);
    if (up) {
        up->singly = true;
        slot->doors[at] = up;
    }
    return up;
}

struct upstream *pool_lease(struct pool *pool, const struct target *target,
                            struct identity *identity, upstream_lost *on_lost, void *lease_data)
{
    struct slot *slot = get_slot(pool, target, identity);
    struct upstream *up;
    if (!list_empty(&slot->idle)) {
        up = container_of(slot->idle.prev, struct upstream, in_idle);
        take_idle(slot, up);
    } else {
        up = open_upstream(slot, target);
        if (!up)
            return NULL;
        up->leased = true;
    }
    up->on_lost = on_lost;
    up->lease_data = lease_data;
    return up;
}

void pool_return(struct pool *pool, struct upstream *up, bool clean)
{
    struct slot *slot = up->owner_data;
    if (up->state == UPSTREAM_CLOSED)
        return;
    up->on_lost = NULL;
    up->lease_data = NULL;
    if (!clean || up->tap || !upstream_idle(up) || up->state != UPSTREAM_READY || up->paused ||
        slot->idle_count >= IDLE_LEASES_MAX || pool->closing) {
        upstream_close(up, "the lease ended");
        return;
    }
    up->deadline_ms = turn_now(pool->turn) + IDLE_MS;
    list_append(&slot->idle, &up->in_idle);
    slot->idle_count++;
}

bool pool_park(struct upstream *up)
{
    struct slot *slot = up->owner_data;
    if (up->state == UPSTREAM_READY)
        return false;
    up->on_lost = NULL;
    up->lease_data = NULL;
    list_append(&slot->idle, &up->in_idle);
    slot->idle_count++;
    return true;
}

/* ---- the control plane's word ---- */

/* Whether the node may still be used as what the upstream is for. */
static bool still_good(const struct topology_group *group, const struct upstream *up)
{
    const struct topology_node *node = topology_node_by_id(group, up->node);
    if (!node)
        return false;
    if (up->purpose == PURPOSE_MASTER)
        return group->master >= 0 && group->nodes[group->master].id == up->node;
    return node->readable || is_reader(group, up->node);
}

/* A switch has begun, or the node is silent: nothing more goes there. The proxy's own questions do: one
 * of them takes blocked commands back. */
static bool may_be_written(const struct topology_group *group, const struct upstream *up)
{
    if (up->identity->own)
        return true;
    if (topology_node_by_id(group, up->node)->suspect)
        return false;
    return up->purpose != PURPOSE_MASTER || group->writable;
}

static void forget_nodes(struct pool *pool)
{
    list_each (it, &pool->nodes) {
        struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->users == 0 && node->upstreams == 0 &&
            !topology_node_by_id(&pool->topology->groups[node->group], node->id)) {
            list_remove(&node->in_pool);
            free(node);
        }
    }
}

void pool_adopt(struct pool *pool, const struct topology *topology)
{
    struct list *it = pool->upstreams.next;
    pool->topology = topology;
    pool->epoch++;
    while (it != &pool->upstreams) {
        /* Cutting one never ends another: the sessions it wakes only queue. */
        struct upstream *up = container_of(it, struct upstream, in_pool);
        const struct topology_group *group = &topology->groups[up->group];
        it = it->next;
        if (!still_good(group, up)) {
            upstream_close(up, up->purpose == PURPOSE_MASTER ? "its node is no longer the master"
                                                             : "its node is no longer readable");
        } else if (!may_be_written(group, up)) {
            upstream_withdraw(up);
        }
    }
    forget_nodes(pool);
}

/* ---- time ---- */

static bool writes_wait_behind(const struct upstream *up)
{
    const struct request *head = container_of(up->queue.next, struct request, in_upstream);
    if (!head->owner)
        return false; /* it is being swallowed */
    for (struct list *it = up->queue.next->next; it != &up->queue; it = it->next) {
        const struct request *request = container_of(it, struct request, in_upstream);
        if (request->owner && request->owner_data != head->owner_data)
            return true;
    }
    return false;
}

/* Its credential is wiped with it, so that one is not kept for ever that no client uses any more. */
static void watch_idle(struct upstream *up, int64_t now_ms)
{
    if (up->leased || up->state != UPSTREAM_READY)
        return;
    if (!upstream_idle(up) || up->identity->refs > up->identity->pooled)
        up->deadline_ms = 0;
    else if (!up->deadline_ms)
        up->deadline_ms = now_ms + IDLE_MS;
}

void pool_tick(struct pool *pool, int64_t now_ms,
               void (*on_stuck)(void *data, void *head_owner_data), void *data)
{
    struct list *it = pool->upstreams.next;
    while (it != &pool->upstreams) {
        struct upstream *up = container_of(it, struct upstream, in_pool);
        it = it->next;
        watch_idle(up, now_ms);
        if (up->deadline_ms && up->deadline_ms <= now_ms) {
            if (up->state == UPSTREAM_READY)
                upstream_close(up, "idle for long");
            else
                upstream_cut(up, "connecting took too long");
        } else if (up->singly && up->state == UPSTREAM_READY && upstream_idle(up)) {
            upstream_close(up, "nobody comes in");
        } else if (up->retired && up->paused && now_ms - up->retired_ms >= STUCK_MS &&
                   !list_empty(&up->queue) && writes_wait_behind(up)) {
            on_stuck(data, container_of(up->queue.next, struct request, in_upstream)->owner_data);
            return; /* others may have ended with it: the next ones at the next tick */
        }
    }
}

void pool_each(const struct pool *pool, size_t group, uint64_t node,
               void (*each)(void *data, struct upstream *upstream), void *data)
{
    list_each (it, &pool->upstreams) {
        struct upstream *up = container_of(it, struct upstream, in_pool);
        if (up->group == group && up->node == node)
            each(data, up);
    }
}

size_t pool_upstreams(const struct pool *pool)
{
    return pool->count;
}

void pool_close(struct pool *pool)
{
    pool->closing = true;
    while (!list_empty(&pool->upstreams)) {
        struct upstream *up = container_of(pool->upstreams.next, struct upstream, in_pool);
        upstream_close(up, "the worker stops");
    }
}

bool pool_empty(const struct pool *pool)
{
    return list_empty(&pool->upstreams);
}

void pool_free(struct pool *pool)
{
    struct list *node;
    assert(!pool->slots);
    while ((node = list_take(&pool->nodes)))
        free(container_of(node, struct pool_node, in_pool));
    free(pool);
}
