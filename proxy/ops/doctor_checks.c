/*
 * doctor_checks: Sentinels, nodes, and the times of both beside the proxy's own.
 */
#include "ops/doctor_checks.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* A Sentinel needs about so long to be elected and to promote, after it has seen the failure. */
#define FAILOVER_TAKES_MS 3000
/* Clocks further apart make logs hard to lay side by side. */
#define CLOCKS_APART_MS 2000

static void check_clock(const struct endpoint *endpoint, int64_t ahead_ms,
                        struct findings *findings)
{
    if (ahead_ms == INT64_MIN || llabs(ahead_ms) < CLOCKS_APART_MS)
        return;
    struct finding *finding = finding_add(findings, SEVERITY_WARNING);
    finding_wrong(finding, "the clock of %s is %.1f s %s this machine's", doctor_name(endpoint),
                  fabs((double)ahead_ms) / 1000, ahead_ms > 0 ? "ahead of" : "behind");
    finding_mend(finding, "run an NTP client there and here: keys expire by the clock");
}

static void check_clocks(const struct doctor_group *group, struct findings *findings)
{
    for (size_t i = 0; i < group->sentinel_count; i++)
        check_clock(&group->sentinels[i].endpoint, group->sentinels[i].clock_ahead_ms, findings);
    for (size_t i = 0; i < group->node_count; i++)
        check_clock(&group->nodes[i].endpoint, group->nodes[i].clock_ahead_ms, findings);
}

static void check_times(const struct doctor_group *group, struct findings *findings)
{
    const struct doctor_sentinel *sentinel = doctor_first_asked(group);
    int64_t hold = group->traffic->hold_timeout_ms;
    if (!sentinel || sentinel->down_after_ms == UNKNOWN)
        return;
    if (hold < sentinel->down_after_ms + FAILOVER_TAKES_MS) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding,
                      "hold_timeout is %" PRId64 " ms, and a crash takes down-after-milliseconds "
                      "(%" PRId64 ") and about %d ms more: clients would get errors",
                      hold, sentinel->down_after_ms, FAILOVER_TAKES_MS);
        finding_mend(finding,
                     "`hold_timeout = %" PRId64 "ms` or more in [master %s], or a shorter "
                     "down-after-milliseconds",
                     sentinel->down_after_ms + FAILOVER_TAKES_MS, group->options->name);
    } else if (sentinel->failover_timeout_ms != UNKNOWN && hold < sentinel->failover_timeout_ms) {
        struct finding *finding = finding_add(findings, SEVERITY_NOTE);
        finding_wrong(finding,
                      "a failover that fails is tried again after failover-timeout (%" PRId64
                      " ms) or twice that, and requests are held for hold_timeout (%" PRId64
                      " ms) at most",
                      sentinel->failover_timeout_ms, hold);
        finding_mend(finding, "shorten failover-timeout, if clients shall not notice that either");
    }
}

void doctor_check(const struct doctor_group *group, struct findings *findings)
{
    doctor_check_sentinels(group, findings);
    doctor_check_nodes(group, findings);
    check_clocks(group, findings);
    check_times(group, findings);
}
