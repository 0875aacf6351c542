/*
 * show: what a worker shows other threads, in its slot (threads/shared.h): most of it once a tick, what changes fast once a
 * turn, which others see a turn later. The worker's thread only.
 */
#ifndef REDISPROXY_WORKER_SHOW_H
#define REDISPROXY_WORKER_SHOW_H

#include "nodes/hold.h"
#include "nodes/router.h"
#include "worker/worker_state.h"

#define WORKER_TICK_MS 100

/* At the end of a turn. */
static inline void worker_show_turn(const struct worker *w)
{
    struct worker_slot *slot = w->slot;
    struct slot_hold *shown = slot->holds;
    for (const struct hold *hold = w->holds, *end = w->holds_end; hold < end; hold++, shown++) {
        atomic_store_explicit(&shown->sessions, hold->count, memory_order_relaxed);
        atomic_store_explicit(&shown->bytes, hold->bytes, memory_order_relaxed);
    }
    atomic_store_explicit(&slot->sessions, w->host.count, memory_order_relaxed);
    atomic_store_explicit(&slot->ended, w->given - w->host.count, memory_order_relaxed);
    atomic_store_explicit(&slot->upstreams, router_upstreams(w->host.router), memory_order_relaxed);
}

/* Once a tick: what is looked at less often. */
void worker_show_tick(const struct worker *w);

/* At the begin of a tick: how late it is. So long a client waits at worst. The worst of the last five seconds or more is
 * shown, ten at most. */
void worker_show_lag(struct worker *w, int64_t now_ms);

#endif
