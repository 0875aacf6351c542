/*
 * sentinels: Sentinels that are stale, away, or at odds, and what operators do to them.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A Sentinel sleeps through a switchover, wakes up, and names the old master for a while. */
static void run_stale(struct stage *s)
{
    trio_tell_sentinels(&s->trio, "SENTINEL DEBUG tilt-period 4000");
    stage_signal_sentinel(s, 2, SIGSTOP);
    int64_t asked = now_us();
    if (!trio_failover_by(&s->trio, 0))
        stage_wrong(s, "the Sentinel does not take the request");
    struct switchover seen;
    wait_until(20000, observer_event(s->observer, "+switch-master", asked));
    stage_flow(s, 500);
    stage_signal_sentinel(s, 2, SIGCONT);
    stage_flow(s, 2000);
    stage_whole(s);
    if (observer_switchover(s->observer, asked, &seen) == 0)
        stage_moment(s, asked, seen.writable);
}

const struct scenario scenario_stale = {
    .name = "stale",
    .title = "a stale Sentinel names the old master",
    .run = run_stale,
    .trio = {.min_replicas = 1},
    .limits = {.over_floor_ms = 1100}, /* the leader's own naming is polled */
};

static void run_sentinels_rolling(struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        trio_end_sentinel(&s->trio, i);
        stage_go_on(s, 1000);
        stage_return_sentinel(s, i);
        stage_whole(s);
    }
}

const struct scenario scenario_sentinels_rolling = {
    .name = "sentinels-rolling",
    .title = "Sentinels restarted one by one",
    .run = run_sentinels_rolling,
    .trio = {.min_replicas = 1},
    .limits = {.gap_ms = 100},
};

/* A Sentinel that has not seen yet that the last old master follows takes its next promotion for that, and
 * undoes it. */
enum { INFO_PERIOD_MS = 11000 };

/* It is heard as soon as it is back: nobody else publishes the steps of the failover that it leads. */
static void run_returned_leads(struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        trio_kill_sentinel(&s->trio, i);
        stage_go_on(s, 4000);
        stage_return_sentinel(s, i);
        int64_t asked = now_us();
        if (!wait_until(5000, (asked = now_us(), trio_failover_by(&s->trio, i))))
            stage_wrong(s, "the Sentinel does not take the request");
        stage_switch(s, asked);
        stage_whole(s);
        if (!s->fast)
            stage_go_on(s, INFO_PERIOD_MS);
    }
}

const struct scenario scenario_returned_leads = {
    .name = "returned-leads",
    .title = "a Sentinel comes back and leads at once",
    .run = run_returned_leads,
    .trio = {.min_replicas = 1},
};

static void run_sentinels_gone(struct stage *s)
{
    for (int i = 0; i < 3; i++)
        trio_end_sentinel(&s->trio, i);
    stage_go_on(s, s->fast ? 6000 : 60000);
    for (int i = 0; i < 3; i++)
        stage_return_sentinel(s, i);
}

const struct scenario scenario_sentinels_gone = {
    .name = "sentinels-gone",
    .title = "all Sentinels gone while the master is well",
    .run = run_sentinels_gone,
    .trio = {.min_replicas = 1},
    .limits = {.gap_ms = 100},
};

/* Forced failovers on three Sentinels at once leave them at odds; a further one settles it. */
static void run_three_failovers(struct stage *s)
{
    redisContext *c[3];
    for (int i = 0; i < 3; i++)
        c[i] = trio_sentinel(&s->trio, i);
    for (int i = 0; i < 3; i++) {
        say(c[i], "SENTINEL FAILOVER " TRIO_GROUP);
        say_now(c[i]);
    }
    for (int i = 0; i < 3; i++) {
        hear(c[i]);
        redisFree(c[i]);
    }
    stage_go_on(s, 8000);
    for (int i = 0; i < 10 && trio_wait_whole(&s->trio) < 0; i++)
        trio_failover_by(&s->trio, i % 3);
}

const struct scenario scenario_three_failovers = {
    .name = "three-failovers",
    .title = "three concurrent failovers on three Sentinels",
    .run = run_three_failovers,
    .trio = {.min_replicas = 1},
    .limits = {.unknown = 2, .refused = true},
};

static void run_reset(struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        redisContext *c = trio_sentinel(&s->trio, i);
        ask(c, "SENTINEL RESET " TRIO_GROUP);
        redisFree(c);
        stage_go_on(s, 1000);
    }
    stage_whole(s);
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    stage_switch(s, asked);
}

const struct scenario scenario_reset = {
    .name = "reset",
    .title = "SENTINEL RESET, then a switchover",
    .run = run_reset,
    .trio = {.min_replicas = 1},
};

/* The epoch starts again lower. */
static void run_monitor_again(struct stage *s)
{
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    stage_switch(s, asked);
    stage_whole(s);
    int master = stage_master(s);
    stage_moment(s, now_us(), now_us());
    for (int i = 0; i < 3; i++)
        stage_monitor(s, i, master);
    stage_whole(s);
    asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    stage_switch(s, asked);
}

const struct scenario scenario_monitor_again = {
    .name = "monitor-again",
    .title = "SENTINEL REMOVE and MONITOR, then a switchover",
    .run = run_monitor_again,
    .trio = {.min_replicas = 1},
};
