/* switch_counts: see the header. */
#include "topology/switch_counts.h"

#include "threads/shared.h"

#include <string.h>

static void add(const struct group_counters *counted, uint64_t out[SWITCH_COUNTS])
{
    out[SWITCH_HELD] += counter_read(&counted->held);
    for (int cause = 0; cause < RETRY_CAUSE_COUNT; cause++)
        out[SWITCH_RETRIED] += counter_read(&counted->retries[cause]);
    out[SWITCH_UNKNOWN] += counter_read(&counted->unknown);
    out[SWITCH_REFUSED] += counter_read(&counted->refused);
}

void switch_counts_read(const struct shared *shared, size_t group, uint64_t out[SWITCH_COUNTS])
{
    memset(out, 0, SWITCH_COUNTS * sizeof(*out));
    for (size_t i = 0; i < shared->worker_count; i++)
        add(&shared->slots[i].counters->groups[group], out);
}
