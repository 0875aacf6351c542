/* hold: see the header. */
#include "nodes/hold.h"

#include <assert.h>

void hold_init(struct hold *hold, atomic_size_t *all_bytes, size_t limit, int64_t timeout_ms)
{
    *hold = (struct hold){.all_bytes = all_bytes, .limit = limit, .timeout_ms = timeout_ms};
    list_init(&hold->sessions);
}

void held_init(struct held *held)
{
    *held = (struct held){0};
    list_init(&held->in_hold);
}

void hold_enter(struct hold *hold, struct held *held, size_t bytes, int64_t now_ms)
{
    assert(!held->hold);
    if (hold->count == 0 && hold->since_ms == 0)
        hold->since_ms = now_ms;
    held->hold = hold;
    held->bytes = 0;
    list_append(&hold->sessions, &held->in_hold);
    hold->count++;
    if (hold->count > hold->peak_count)
        hold->peak_count = hold->count;
    hold_grow(held, bytes);
}

void hold_grow(struct held *held, size_t bytes)
{
    held->bytes += bytes;
    held->hold->bytes += bytes;
    atomic_fetch_add_explicit(held->hold->all_bytes, bytes, memory_order_relaxed);
    if (held->hold->bytes > held->hold->peak_bytes)
        held->hold->peak_bytes = held->hold->bytes;
}

void hold_shrink(struct held *held, size_t bytes)
{
    assert(held->bytes >= bytes);
    held->bytes -= bytes;
    held->hold->bytes -= bytes;
    atomic_fetch_sub_explicit(held->hold->all_bytes, bytes, memory_order_relaxed);
}

void hold_leave(struct held *held)
{
    if (!held->hold)
        return;
    hold_shrink(held, held->bytes);
    held->hold->count--;
    list_remove(&held->in_hold);
    held->hold = NULL;
}

bool hold_has_room(const struct hold *hold, size_t bytes)
{
    return atomic_load_explicit(hold->all_bytes, memory_order_relaxed) + bytes <= hold->limit;
}
