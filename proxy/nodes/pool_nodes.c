/*
 * pool_nodes: which nodes can be used now. A node that is down is tried every few milliseconds and not by every request;
 * one that rejected a request (LOADING, ...) is left alone for as long. Nodes are found by a walk over the few there are.
 *
 * A connection that breaks soon after it was READY, again and again, is opened less and less often, too: the node sends
 * what is no reply, or closes. Whoever comes first after a break is not kept waiting: it may be a switch.
 *
 * Every change for the better, and for the worse, makes the pool's epoch grow: what was handed out before is asked for
 * anew then.
 */
#include "nodes/pool_state.h"

#include <stdlib.h>

/* After the first failure a node is tried again at once, then after 10, 20, ... 100 ms: a switch is
 * waiting for it, and on loopback or in a cluster a refusal costs next to nothing. */
#define RETRY_FIRST_MS 10
#define RETRY_MAX_MS 100
/* A failure this long after the one before counts as the first. */
#define FORGIVE_MS 2000
/* A connection that stood for so long was a good one. After one that did not, and after the next, another is opened at
 * once, and then after 10, 20, 40, ... ms, of which up to half is left out by chance. */
#define STOOD_MS 1000
#define RELAPSE_FIRST_MS 10
#define RELAPSE_MAX_MS 1000

struct pool_node *pool_find_node(const struct pool *pool, size_t group, uint64_t id)
{
    for (struct list *it = pool->nodes.next; it != &pool->nodes; it = it->next) {
        struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->id == id && node->group == group)
            return node;
    }
    return NULL;
}

struct pool_node *pool_get_node(struct pool *pool, size_t group, uint64_t id)
{
    struct pool_node *node = pool_find_node(pool, group, id);
    if (node)
        return node;
    node = calloc(1, sizeof(*node));
    if (!node)
        abort();
    node->group = group;
    node->id = id;
    node->counters = pool->counters ? counters_take_node(pool->counters, group, id) : NULL;
    if (!node->counters)
        node->counters = &pool->uncounted;
    list_append(&pool->nodes, &node->in_pool);
    return node;
}

bool pool_rejects(const struct pool *pool, size_t group, uint64_t id)
{
    const struct pool_node *node = pool_find_node(pool, group, id);
    return node && node->rejects && node->retry_at_ms > turn_now(pool->turn);
}

void pool_note_failure(struct pool *pool, struct pool_node *node, bool rejects)
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

void pool_count_failure(struct pool *pool, size_t group, uint64_t id, enum connect_failure why)
{
    counter_add(&pool_get_node(pool, group, id)->counters->failures[why], 1);
}

/* ---- connections that break soon ---- */

static size_t relapse_of(const struct identity *identity)
{
    return (size_t)((uintptr_t)identity * 0x9E3779B97F4A7C15u >> 32) % RELAPSES;
}

static int64_t relapse_delay(struct pool *pool, unsigned count)
{
    int64_t delay = (int64_t)RELAPSE_FIRST_MS << (count < 10 ? count : 10);
    if (delay > RELAPSE_MAX_MS)
        delay = RELAPSE_MAX_MS;
    pool->seed = pool->seed * 6364136223846793005u + 1442695040888963407u;
    return delay - (int64_t)((pool->seed >> 33) % (uint64_t)(delay / 2 + 1));
}

/* Those that broke together with another one have not broken again. */
void pool_note_break(struct pool *pool, struct pool_node *node, const struct upstream *up)
{
    int64_t now = turn_now(pool->turn);
    struct relapse *relapse = &node->relapses[relapse_of(up->identity)];
    if (relapse->broken_ms && up->opened_ms < relapse->broken_ms)
        return;
    if (now - up->opened_ms >= STOOD_MS || now - relapse->broken_ms > FORGIVE_MS)
        relapse->count = 0;
    relapse->broken_ms = now;
    if (relapse->count++ > 1)
        relapse->until_ms = now + relapse_delay(pool, relapse->count - 3);
}

bool pool_usable(const struct pool *pool, size_t group, uint64_t id,
                 const struct identity *identity)
{
    const struct pool_node *node = pool_find_node(pool, group, id);
    int64_t now = turn_now(pool->turn);
    return !node ||
           (node->retry_at_ms <= now && node->relapses[relapse_of(identity)].until_ms <= now);
}

/* ---- */

void pool_penalize(struct pool *pool, size_t group, uint64_t id)
{
    pool_note_failure(pool, pool_get_node(pool, group, id), true);
}

unsigned pool_users(const struct pool *pool, size_t group, uint64_t id)
{
    const struct pool_node *node = pool_find_node(pool, group, id);
    return node ? node->users : 0;
}

void pool_add_user(struct pool *pool, size_t group, uint64_t id, int delta)
{
    pool_get_node(pool, group, id)->users += (unsigned)delta;
}

int64_t pool_next_try(const struct pool *pool)
{
    int64_t next = pool->starved_until_ms ? pool->starved_until_ms : INT64_MAX;
    for (struct list *it = pool->nodes.next; it != &pool->nodes; it = it->next) {
        const struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->retry_at_ms && node->retry_at_ms < next)
            next = node->retry_at_ms;
        for (int i = 0; i < RELAPSES; i++)
            if (node->relapses[i].until_ms && node->relapses[i].until_ms < next)
                next = node->relapses[i].until_ms;
    }
    return next;
}

/* Takes back what is over. Returns whether there was something. */
static bool is_due(struct pool_node *node, int64_t now_ms)
{
    bool due = node->retry_at_ms && node->retry_at_ms <= now_ms;
    if (due)
        node->retry_at_ms = 0;
    for (int i = 0; i < RELAPSES; i++) {
        struct relapse *relapse = &node->relapses[i];
        if (!relapse->until_ms || relapse->until_ms > now_ms)
            continue;
        relapse->until_ms = 0;
        due = true;
    }
    return due;
}

/* A lease that there was no descriptor for may be had now, whatever its group. */
static void retry_starved(struct pool *pool, int64_t now_ms)
{
    if (!pool->starved_until_ms || pool->starved_until_ms > now_ms)
        return;
    pool->starved_until_ms = 0;
    for (size_t i = 0; i < pool->options->group_count; i++)
        pool->on_change(pool->data, i);
}

void pool_retry(struct pool *pool, int64_t now_ms)
{
    retry_starved(pool, now_ms);
    list_each (it, &pool->nodes) {
        struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (is_due(node, now_ms)) {
            pool->epoch++;
            pool->on_change(pool->data, node->group);
        }
    }
}

void pool_forget_nodes(struct pool *pool)
{
    list_each (it, &pool->nodes) {
        struct pool_node *node = container_of(it, struct pool_node, in_pool);
        if (node->users == 0 && node->upstreams == 0 &&
            !topology_node_by_id(&pool->topology->groups[node->group], node->id)) {
            list_remove(&node->in_pool);
            if (node->counters != &pool->uncounted)
                counters_release_node(node->counters);
            free(node);
        }
    }
}
