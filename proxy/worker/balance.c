/* balance: see the header. No counter has two writers: what was sent is counted here, what has ended
 * by its worker. */
#include "worker/balance.h"

#include <stdlib.h>

void balance_init(struct balance *balance, const struct shared *shared, size_t self)
{
    *balance = (struct balance){.shared = shared, .self = self, .last = shared->worker_count - 1};
    balance->sent = calloc(shared->worker_count, sizeof(*balance->sent));
    if (!balance->sent)
        abort();
}

void balance_free(struct balance *balance)
{
    free(balance->sent);
}

static size_t sessions_of(const struct balance *balance, size_t worker, size_t own)
{
    if (worker == balance->self)
        return own;
    return balance->sent[worker] -
           atomic_load_explicit(&balance->shared->slots[worker].ended, memory_order_relaxed);
}

size_t balance_next(struct balance *balance, size_t own, size_t max)
{
    size_t count = balance->shared->worker_count, best = BALANCE_FULL, fewest = 0, all = 0;
    for (size_t i = 1; i <= count; i++) {
        size_t worker = (balance->last + i) % count, sessions = sessions_of(balance, worker, own);
        all += sessions;
        if (best == BALANCE_FULL || sessions < fewest) {
            best = worker;
            fewest = sessions;
        }
    }
    if (all >= max)
        return BALANCE_FULL;
    if (best != balance->self)
        balance->sent[best]++;
    balance->last = best;
    return best;
}
