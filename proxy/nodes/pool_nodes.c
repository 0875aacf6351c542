/*
 * pool_nodes: which nodes can be used now. A node that is down is tried every few milliseconds and not by every request;
 * one that rejected a request (LOADING, ...) is left alone for as long. Nodes are found by a walk over the few there are.
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
    list_append(&pool->nodes, &node->in_pool);
    return node;
}

bool pool_usable(const struct pool *pool, size_t group, uint64_t id)
{
    const struct pool_node *node = pool_find_node(pool, group, id);
    return !node || node->retry_at_ms <= turn_now(pool->turn);
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

void pool_forget_nodes(struct pool *pool)
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
