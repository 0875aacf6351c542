/* show: see the header. */
#include "worker/show.h"

#include "nodes/gate.h"

#define LAG_MS 5000

static void show_gates(const struct worker *w)
{
    size_t unrenewed = 0, early = 0;
    for (size_t i = 0; i < w->options->group_count; i++) {
        const struct gate *gate = router_gate(w->host.router, i);
        unrenewed += gate->unrenewed;
        early += gate->early;
    }
    atomic_store_explicit(&w->slot->unrenewed, unrenewed, memory_order_relaxed);
    atomic_store_explicit(&w->slot->early, early, memory_order_relaxed);
}

void worker_show_tick(const struct worker *w)
{
    struct worker_slot *slot = w->slot;
    const struct session_host *host = &w->host;
    show_gates(w);
    for (size_t i = 0; i < w->options->group_count; i++)
        counter_set(&host->counters->groups[i].held_bytes, w->holds[i].bytes);
    atomic_store_explicit(&slot->request_bytes, request_pool_cost(&w->turn.requests),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->ahead_bytes, host->ahead_bytes, memory_order_relaxed);
    atomic_store_explicit(&slot->output_bytes, host->output_bytes, memory_order_relaxed);
    atomic_store_explicit(&slot->over_output, host->over_output, memory_order_relaxed);
    atomic_store_explicit(&slot->disconnected, host->disconnected, memory_order_relaxed);
}

void worker_show_lag(struct worker *w, int64_t now_ms)
{
    int64_t late_ms = now_ms - w->ticked_ms - WORKER_TICK_MS;
    w->ticked_ms = now_ms;
    if (now_ms - w->lag_since_ms >= LAG_MS) {
        w->lag_before_ms = w->lag_ms;
        w->lag_ms = 0;
        w->lag_since_ms = now_ms;
    }
    if (late_ms > w->lag_ms)
        w->lag_ms = late_ms;
    counter_set(&w->host.counters->lag_ms,
                (uint64_t)(w->lag_ms > w->lag_before_ms ? w->lag_ms : w->lag_before_ms));
}
