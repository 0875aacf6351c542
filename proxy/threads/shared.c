/* shared: see the header. */
#include "threads/shared.h"

#include <stdlib.h>
#include <string.h>

struct shared *shared_new(size_t slots, size_t groups, size_t listeners)
{
    struct shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        abort();
    shared->worker_count = slots;
    shared->group_count = groups;
    shared->slots = aligned_alloc(SLOT_LINE, slots * sizeof(*shared->slots));
    shared->held = calloc(groups + 1, sizeof(*shared->held));
    shared->rights = calloc(groups + 1, sizeof(*shared->rights));
    shared->unrenewed = calloc(groups + 1, sizeof(*shared->unrenewed));
    if (!shared->slots || !shared->held || !shared->rights || !shared->unrenewed)
        abort();
    memset(shared->slots, 0, slots * sizeof(*shared->slots));
    for (size_t i = 0; i < slots; i++) {
        size_t size = (groups * sizeof(struct slot_hold) / SLOT_LINE + 1) * SLOT_LINE;
        shared->slots[i].holds = aligned_alloc(SLOT_LINE, size);
        if (!shared->slots[i].holds)
            abort();
        memset(shared->slots[i].holds, 0, size);
        shared->slots[i].counters = counters_new(listeners, groups);
    }
    return shared;
}

void shared_free(struct shared *shared)
{
    for (size_t i = 0; i < shared->worker_count; i++) {
        free(shared->slots[i].holds);
        counters_free(shared->slots[i].counters);
    }
    free(shared->slots);
    free(shared->held);
    free(shared->unrenewed);
    free(shared->rights);
    free(shared);
}

void shared_ring_waiting(struct shared *shared)
{
    for (size_t i = 0; i < shared->worker_count; i++)
        if (atomic_exchange(&shared->slots[i].waits, false))
            mailbox_ring(&shared->slots[i].box);
}
