/*
 * pool: its life, and handing out. The header says what it is for, pool_state.h which of its files does what.
 */
#include "nodes/pool_state.h"

#include "base/log.h"
#include "nodes/moved.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Where nobody wants anything, a node that refuses the proxy is tried this often. */
#define TEST_MS 500
#define IDLE_LEASES_MAX 32
/* Where there is no descriptor for a lease, there may be one soon; it is said this often. */
#define STARVED_MS 100
#define SAY_MS 10000
/* Redis ends a connection that has not logged in when more than 1 KB of its replies do not fit into its buffer of 16 KB
 * (CVE-2025-21605). The longest error that one of those hears is some 400 bytes. */
#define OUTSIDE_WINDOW 32

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
    pool->seed = uv_hrtime();
    list_init(&pool->upstreams);
    list_init(&pool->nodes);
    return pool;
}

void pool_reload(struct pool *pool, const struct traffic_options *options)
{
    pool->options = options;
}

void pool_on_gone(struct pool *pool, void (*on_gone)(void *data, size_t group, uint64_t node))
{
    pool->on_gone = on_gone;
}

void pool_count_in(struct pool *pool, struct counters *counters)
{
    pool->counters = counters;
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

uint64_t pool_epoch(const struct pool *pool)
{
    return pool->epoch;
}

size_t pool_upstreams(const struct pool *pool)
{
    return pool->count;
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

/* ---- handing out ---- */

static void enroll(struct slot *slot, const struct target *target, struct upstream *up)
{
    struct pool *pool = slot->pool;
    struct pool_node *node = pool_get_node(pool, target->group, target->node);
    if (pool->counters) {
        up->traffic = &pool->counters->groups[target->group].traffic;
        up->node_traffic = &node->counters->traffic;
    }
    up->window = slot->key.identity->outside ? OUTSIDE_WINDOW : 0;
    up->opened_ms = turn_now(pool->turn);
    up->generation = rights_generation(&pool->rights[target->group], up->opened_ms);
    slot->upstreams++;
    node->upstreams++;
    slot->key.identity->pooled++;
    pool->count++;
    list_append(&pool->upstreams, &up->in_pool);
}

static struct upstream *open_upstream(struct slot *slot, const struct target *target)
{
    struct pool *pool = slot->pool;
    const struct traffic_group_options *group = &pool->options->groups[target->group];
    struct upstream *up = NULL;
    const char *error = NULL;

    if (!pool->closing && pool_usable(pool, target->group, target->node, slot->key.identity)) {
        up = upstream_open(pool->turn, target, slot->key.identity, group, &pool_upstream_owner,
                           slot, &error);
        if (!up) {
            pool_note_failure(pool, pool_get_node(pool, target->group, target->node), false);
            pool_count_failure(pool, target->group, target->node, CONNECT_CONNECT);
            log_event(pool_get_node(pool, target->group, target->node)->failures == 2 ? LOG_WARN
                                                                                      : LOG_DEBUG,
                      "a node cannot be connected to", "group=%s node=%s reason=\"%s\"",
                      group->name, target->view->name, error);
        }
    }
    if (!up) {
        pool_drop_slot_if_empty(slot);
        return NULL;
    }
    enroll(slot, target, up);
    counter_add(&pool_get_node(pool, target->group, target->node)->counters->connects, 1);
    return up;
}

static void ask_singly(struct upstream *up)
{
    up->singly = true;
    up->window = 1;
}

struct upstream *pool_shared(struct pool *pool, const struct target *target,
                             struct identity *identity)
{
    struct slot *slot = pool_get_slot(pool, target, identity);
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
    struct pool_node *node = pool_get_node(pool, target->group, target->node);
    struct upstream *up;
    if (turn_now(pool->turn) - node->failed_ms < TEST_MS)
        return;
    up = open_upstream(pool_get_slot(pool, target, identity), target);
    if (up)
        ask_singly(up); /* it ends when it is ready */
    node->failed_ms = turn_now(pool->turn);
}

struct upstream *pool_auth_upstream(struct pool *pool, const struct target *target,
                                    struct identity *identity)
{
    struct upstream *up = pool_shared(pool, target, identity);
    struct slot *slot;
    if (!up || upstream_idle(up))
        return up;
    slot = pool_get_slot(pool, target, identity);
    unsigned at = slot->auth_turns++ % AUTH_UPSTREAMS;
    for (unsigned i = 0; i < AUTH_UPSTREAMS; i++)
        if (slot->auth_upstreams[i] && !slot->auth_upstreams[i]->retired &&
            upstream_idle(slot->auth_upstreams[i]))
            at = i;
    up = slot->auth_upstreams[at];
    if (up && !up->retired)
        return up;
    up = open_upstream(slot, target);
    if (up) {
        ask_singly(up);
        slot->auth_upstreams[at] = up;
    }
    return up;
}

/* What is left of the descriptors is kept for connections that many share. */
static bool has_descriptor_for_lease(struct pool *pool)
{
    int64_t now = turn_now(pool->turn);
    int limit = pool->options->lease_files, fd;
    if (!limit)
        return true;
    fd = fcntl(uv_backend_fd(pool->turn->loop), F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && fd < limit)
        return true;
    if (!pool->starved_until_ms && now - pool->starved_said_ms >= SAY_MS) {
        pool->starved_said_ms = now;
        log_event(LOG_WARN, "too few open files: what needs a connection of its own waits",
                  "upstreams=%zu", pool->count);
    }
    pool->starved_until_ms = now + STARVED_MS;
    return false;
}

struct upstream *pool_lease(struct pool *pool, const struct target *target,
                            struct identity *identity, upstream_lost *on_lost, void *lease_data)
{
    struct slot *slot = pool_get_slot(pool, target, identity);
    struct upstream *up;
    if (!list_empty(&slot->idle)) {
        up = container_of(slot->idle.prev, struct upstream, in_idle);
        pool_take_idle(slot, up);
    } else {
        if (!has_descriptor_for_lease(pool)) {
            pool_drop_slot_if_empty(slot);
            return NULL;
        }
        up = open_upstream(slot, target);
        if (!up)
            return NULL;
        up->leased = true;
    }
    up->on_lost = on_lost;
    up->lease_data = lease_data;
    return up;
}

struct upstream *pool_adopt_lease(struct pool *pool, const struct target *target,
                                  struct identity *identity, const struct moved_upstream *moved,
                                  upstream_lost *on_lost, void *lease_data)
{
    struct slot *slot = pool_get_slot(pool, target, identity);
    struct upstream *up =
        upstream_adopt(pool->turn, target, identity, moved->fd, &pool_upstream_owner, slot);
    if (!up) {
        pool_drop_slot_if_empty(slot);
        return NULL;
    }
    up->leased = true;
    up->client_id = moved->client_id;
    up->on_lost = on_lost;
    up->lease_data = lease_data;
    enroll(slot, target, up);
    upstream_adopted(up);
    return up;
}

void pool_return(struct pool *pool, struct upstream *up, bool clean)
{
    struct slot *slot = up->owner_data;
    if (up->state == UPSTREAM_CLOSED)
        return;
    up->on_lost = NULL;
    up->lease_data = NULL;
    if (!clean || up->stale || up->tap || !upstream_idle(up) || up->state != UPSTREAM_READY ||
        up->paused || slot->idle_count >= IDLE_LEASES_MAX || pool->closing) {
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
