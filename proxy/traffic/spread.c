/* spread: see the header. No counter has two writers: what was sent is counted here, what has ended
 * by its worker. */
#include "traffic/spread.h"

#include <stdlib.h>

void spread_init(struct spread *spread, const struct office *office, size_t self)
{
    *spread = (struct spread){.office = office, .self = self, .last = office->desk_count - 1};
    spread->sent = calloc(office->desk_count, sizeof(*spread->sent));
    if (!spread->sent)
        abort();
}

void spread_free(struct spread *spread)
{
    free(spread->sent);
}

static size_t sessions_of(const struct spread *spread, size_t worker, size_t own)
{
    if (worker == spread->self)
        return own;
    return spread->sent[worker] -
           atomic_load_explicit(&spread->office->desks[worker].ended, memory_order_relaxed);
}

size_t spread_next(struct spread *spread, size_t own, size_t max)
{
    size_t count = spread->office->desk_count, best = SPREAD_FULL, fewest = 0, all = 0;
    for (size_t i = 1; i <= count; i++) {
        size_t worker = (spread->last + i) % count, sessions = sessions_of(spread, worker, own);
        all += sessions;
        if (best == SPREAD_FULL || sessions < fewest) {
            best = worker;
            fewest = sessions;
        }
    }
    if (all >= max)
        return SPREAD_FULL;
    if (best != spread->self)
        spread->sent[best]++;
    spread->last = best;
    return best;
}
