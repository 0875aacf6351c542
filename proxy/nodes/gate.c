/*
 * gate: see the header. Whoever waits says so (slot.waits) before it looks, and whoever changes what it
 * looks at does so before it looks for who waits: one of the two sees the other. All of it is
 * sequentially consistent, and rare.
 */
#include "nodes/gate.h"

#include <assert.h>

void gate_init(struct gate *gate, struct shared *shared, size_t group, size_t slot)
{
    *gate = (struct gate){.shared = shared, .group = group, .slot = slot, .adopted = true};
}

void gate_bar(struct gate *gate, uint64_t seq)
{
    gate->seq = seq;
    gate->adopted = gate->given_up = false;
    gate->since_ms = 0;
}

void gate_adopted(struct shared *shared, size_t slot, uint64_t seq)
{
    atomic_store(&shared->slots[slot].adopted, seq);
    shared_ring_waiting(shared);
}

void gate_lost(struct gate *gate)
{
    gate->unrenewed++;
    atomic_fetch_add(&gate->shared->unrenewed[gate->group], 1);
}

void gate_renewed(struct gate *gate)
{
    assert(gate->unrenewed > 0);
    gate->unrenewed--;
    if (atomic_fetch_sub(&gate->shared->unrenewed[gate->group], 1) == 1)
        shared_ring_waiting(gate->shared);
}

static bool all_stand(struct gate *gate)
{
    const struct shared *shared = gate->shared;
    for (size_t i = 0; i < shared->worker_count && !gate->adopted; i++)
        if (atomic_load(&shared->slots[i].adopted) < gate->seq)
            return false;
    gate->adopted = true;
    if (atomic_load(&shared->unrenewed[gate->group]) > 0)
        return false;
    gate->given_up = false;
    return true;
}

bool gate_is_open(struct gate *gate, int64_t now_ms)
{
    if (gate->since_ms)
        return false; /* behind those that wait */
    if (all_stand(gate) || gate->given_up)
        return true;
    gate->since_ms = now_ms > 0 ? now_ms : 1;
    return gate_opens(gate); /* perhaps they stand since */
}

bool gate_opens(struct gate *gate)
{
    if (!gate->since_ms)
        return false;
    atomic_store(&gate->shared->slots[gate->slot].waits, true);
    if (!all_stand(gate))
        return false;
    gate->since_ms = 0;
    return true;
}

bool gate_gives_up(struct gate *gate, int64_t now_ms, int64_t *waited_ms)
{
    if (!gate->since_ms || now_ms - gate->since_ms < GATE_MS)
        return false;
    *waited_ms = now_ms - gate->since_ms;
    gate->since_ms = 0;
    gate->given_up = true;
    gate->early++;
    return true;
}
