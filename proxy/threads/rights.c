/* rights: see the header. */
#include "threads/rights.h"

void rights_changed(struct rights *rights)
{
    atomic_fetch_add_explicit(&rights->generation, 1, memory_order_acq_rel);
}

/* Grows, unless it has just grown for a refusal. Of several threads one does it. */
static bool grow(struct rights *rights, int64_t now_ms)
{
    int64_t grown = atomic_load_explicit(&rights->grown_ms, memory_order_acquire);
    if (grown && now_ms - grown < RIGHTS_PAUSE_MS)
        return false;
    if (atomic_compare_exchange_strong_explicit(&rights->grown_ms, &grown, now_ms ? now_ms : 1,
                                                memory_order_acq_rel, memory_order_acquire))
        rights_changed(rights);
    return true;
}

void rights_refused(struct rights *rights, int64_t now_ms)
{
    if (!grow(rights, now_ms))
        atomic_store_explicit(&rights->due, true, memory_order_release);
}

uint64_t rights_generation(struct rights *rights, int64_t now_ms)
{
    if (atomic_load_explicit(&rights->due, memory_order_acquire) && grow(rights, now_ms))
        atomic_store_explicit(&rights->due, false, memory_order_release);
    return atomic_load_explicit(&rights->generation, memory_order_acquire);
}
