/*
 * pool_proofs: what nodes said of whom they let in, and when. Of an identity that is authenticated each slot has its
 * own; of all that are not there is one for each node, which makes no difference between them.
 */
#include "nodes/pool_state.h"

static void note(struct proof *proof, const struct proof *next)
{
    if (!proof->known || next->ms >= proof->ms)
        *proof = *next;
}

static struct proof proof_of(const struct upstream *up, bool admitted)
{
    return (struct proof){true, admitted, up->opened_ms, up->generation};
}

void pool_prove_slot(struct slot *slot, const struct upstream *up)
{
    struct proof proof = proof_of(up, true);
    note(&slot->proof, &proof);
    if (up->identity->authenticated)
        pool_get_node(slot->pool, up->group, up->node)->logged_in = true;
}

void pool_prove_greeting(struct slot *slot, const struct upstream *up, bool admitted)
{
    struct proof proof = proof_of(up, admitted);
    if (!admitted)
        proof.ms =
            turn_now(slot->pool->turn); /* it counts for all who waited for this connection */
    note(&pool_get_node(slot->pool, up->group, up->node)->greeting, &proof);
}

struct proof pool_proof(struct pool *pool, const struct target *target, struct identity *identity)
{
    static const struct proof none;
    if (!identity->authenticated) {
        const struct pool_node *node = pool_find_node(pool, target->group, target->node);
        return node ? node->greeting : none;
    }
    const struct slot *slot = pool_find_slot(pool, target, identity);
    return slot ? slot->proof : none;
}

void pool_note_proof(struct pool *pool, size_t group, uint64_t node, enum purpose purpose,
                     struct identity *identity, const struct proof *proof)
{
    const struct target target = {.group = group, .node = node, .purpose = purpose};
    if (!identity->authenticated) {
        note(&pool_get_node(pool, group, node)->greeting, proof);
        return;
    }
    struct slot *slot = pool_find_slot(pool, &target, identity);
    if (slot)
        note(&slot->proof, proof);
}

bool pool_admits_anybody(const struct pool *pool, size_t group)
{
    for (const struct list *it = pool->nodes.next; it != &pool->nodes; it = it->next) {
        const struct pool_node *node = container_of(it, const struct pool_node, in_pool);
        if (node->group == group && node->greeting.known && node->greeting.admitted)
            return true;
    }
    return false;
}

bool pool_wants_logins(const struct pool *pool, size_t group)
{
    for (const struct list *it = pool->nodes.next; it != &pool->nodes; it = it->next) {
        const struct pool_node *node = container_of(it, const struct pool_node, in_pool);
        if (node->group == group &&
            (node->logged_in || (node->greeting.known && !node->greeting.admitted)))
            return !pool_admits_anybody(pool, group);
    }
    return false;
}
