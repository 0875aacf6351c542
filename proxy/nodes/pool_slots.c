/*
 * pool_slots: one slot for each (node, purpose, identity), found by a hash. It is there as long as one of its upstreams
 * is, and holds the identity so long.
 */
#include "nodes/pool_state.h"

#include <stdlib.h>
#include <string.h>

static struct slot_key key_of(const struct target *target, struct identity *identity)
{
    struct slot_key key;
    memset(&key, 0, sizeof(key)); /* the padding is compared, too */
    key.node = target->node;
    key.group = target->group;
    key.identity = identity;
    key.purpose = target->purpose;
    return key;
}

struct slot *pool_find_slot(struct pool *pool, const struct target *target,
                            struct identity *identity)
{
    struct slot_key key = key_of(target, identity);
    unsigned hash = hash_of_key(&key);
    struct slot *slot;
    HASH_FIND_BYHASHVALUE(hh, pool->slots, &key, sizeof(key), hash, slot);
    return slot;
}

struct slot *pool_get_slot(struct pool *pool, const struct target *target,
                           struct identity *identity)
{
    struct slot *slot = pool_find_slot(pool, target, identity);
    unsigned hash;
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
    hash = hash_of_key(&slot->key);
    HASH_ADD_BYHASHVALUE(hh, pool->slots, key, sizeof(slot->key), hash, slot);
    return slot;
}

void pool_drop_slot_if_empty(struct slot *slot)
{
    struct pool *pool = slot->pool;
    if (slot->upstreams > 0)
        return;
    HASH_DEL(pool->slots, slot);
    slot->key.identity->pooled--;
    identity_release(slot->key.identity);
    free(slot);
}

void pool_take_idle(struct slot *slot, struct upstream *up)
{
    list_remove(&up->in_idle);
    slot->idle_count--;
    up->deadline_ms = 0;
}

bool pool_stands(struct pool *pool, const struct target *target, struct identity *identity,
                 bool leased)
{
    const struct slot *slot = pool_find_slot(pool, target, identity);
    if (!slot)
        return false;
    return leased ? !list_empty(&slot->idle)
                  : slot->shared && slot->shared->state == UPSTREAM_READY && !slot->shared->retired;
}

bool pool_has(struct pool *pool, const struct target *target, struct identity *identity,
              bool leased)
{
    const struct slot *slot = pool_find_slot(pool, target, identity);
    if (!slot)
        return false;
    return leased ? !list_empty(&slot->idle) : slot->shared && !slot->shared->retired;
}

bool pool_stood(struct pool *pool, const struct target *target, struct identity *identity)
{
    const struct slot *slot = pool_find_slot(pool, target, identity);
    return slot && slot->proof.known;
}

bool pool_joins(struct pool *pool, const struct target *target, struct identity *identity,
                int64_t since_ms, uint64_t generation)
{
    const struct slot *slot = pool_find_slot(pool, target, identity);
    const struct upstream *up = slot ? slot->shared : NULL;
    return up && up->state < UPSTREAM_READY && up->opened_ms >= since_ms &&
           up->generation == generation;
}
