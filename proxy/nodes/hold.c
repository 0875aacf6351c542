/* hold: see the header. */
#include "nodes/hold.h"

#include <assert.h>

/* Of those that have yet to log in: one may have so much, all of them this part of it all. */
#define OUTSIDE_EACH ((size_t)64 * 1024)
#define OUTSIDE_PART 4

void hold_init(struct hold *hold, struct held_total *total, size_t limit, int64_t timeout_ms)
{
    *hold = (struct hold){.total = total, .limit = limit, .timeout_ms = timeout_ms};
    list_init(&hold->sessions);
}

void hold_set_limits(struct hold *hold, size_t limit, int64_t timeout_ms)
{
    hold->limit = limit;
    hold->timeout_ms = timeout_ms;
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

/* Counts are taken back by adding their negative. */
static void count(struct held *held, size_t bytes)
{
    struct held_total *total = held->hold->total;
    held->bytes += bytes;
    held->hold->bytes += bytes;
    atomic_fetch_add_explicit(&total->bytes, bytes, memory_order_relaxed);
    if (held->outside)
        atomic_fetch_add_explicit(&total->outside_bytes, bytes, memory_order_relaxed);
}

void hold_grow(struct held *held, size_t bytes)
{
    count(held, bytes);
    if (held->hold->bytes > held->hold->peak_bytes)
        held->hold->peak_bytes = held->hold->bytes;
}

void hold_shrink(struct held *held, size_t bytes)
{
    assert(held->bytes >= bytes);
    count(held, -bytes);
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

static bool outside_has_room(const struct held *held, size_t bytes)
{
    const struct hold *hold = held->hold;
    size_t all = atomic_load_explicit(&hold->total->outside_bytes, memory_order_relaxed);
    return held->bytes + bytes <= OUTSIDE_EACH && all + bytes <= hold->limit / OUTSIDE_PART;
}

bool hold_has_room(const struct held *held, size_t bytes)
{
    const struct hold *hold = held->hold;
    size_t all = atomic_load_explicit(&hold->total->bytes, memory_order_relaxed) + bytes;
    if (all > hold->limit || held->bytes + bytes > hold->limit - all)
        return false;
    return !held->outside || outside_has_room(held, bytes);
}
