/*
 * planned: switchovers that somebody asked for, and those that come to nothing.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/servers.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void run_planned(struct stage *s)
{
    long full = stage_full_resyncs(s);
    for (int i = 0; i < (s->fast ? 3 : 10); i++) {
        int64_t asked = now_us(), end;
        stage_switch_over(s);
        stage_note(s, "%s%.0f", i ? ", " : "gaps in ms: ",
                   (double)load_gap(s->load, asked, now_us(), &end) / 1000);
    }
    stage_note(s, "; full resyncs: %ld", stage_full_resyncs(s) - full);
}

const struct scenario scenario_planned = {
    .name = "planned",
    .title = "planned switchovers in a row",
    .run = run_planned,
    .trio = {.min_replicas = 1},
};

const struct scenario scenario_planned_unfenced = {
    .name = "planned-unfenced",
    .title = "the same, fence = no",
    .run = run_planned,
    .trio = {.min_replicas = 1},
    .proxy = {.master_lines = "fence = no\n"},
    .ours = true,
};

const struct scenario scenario_planned_demote = {
    .name = "planned-demote",
    .title = "the same, demote = yes",
    .run = run_planned,
    .trio = {.min_replicas = 1},
    .proxy = {.master_lines = "demote = yes\n"},
    .ours = true,
};

const struct scenario scenario_planned_0 = {
    .name = "planned-0",
    .title = "the same, min-replicas-to-write 0",
    .run = run_planned,
};

/* ---- a failover that comes to nothing ---- */

/* Waits for the end of the attempt, which is the floor: the old master is the master still. */
static void await_abort(struct stage *s, int64_t asked, const char *how)
{
    int64_t at = 0;
    if (!wait_until(20000, (at = observer_event(s->observer, how, asked))))
        stage_wrong(s, "no %s", how);
    if (at)
        stage_moment(s, asked, at);
}

/* Both replicas are gone before the leader has chosen one. */
static void run_abort(struct stage *s)
{
    int before = stage_master(s);
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    for (int i = 0; i < 3; i++)
        if (i != before)
            trio_kill_node(&s->trio, i);
    await_abort(s, asked, "-failover-abort-no-good-slave");
    stage_flow(s, 500);
    for (int i = 0; i < 3; i++)
        if (i != before)
            stage_return(s, i);
    stage_whole(s);
    if (stage_master(s) != before)
        stage_wrong(s, "the master changed");
}

const struct scenario scenario_abort = {
    .name = "abort",
    .title = "failover that aborts: no good replica",
    .run = run_abort,
    .limits = {.over_floor_ms = 200},
};

/* The candidate hangs before it is told: the leader gives up after failover-timeout. */
static void run_abort_late(struct stage *s)
{
    int before = stage_master(s), candidate = before == 0 ? 1 : 0;
    stage_prefer(s, candidate);
    int64_t asked = now_us();
    stage_signal_node(s, candidate, SIGSTOP);
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    await_abort(s, asked, "-failover-abort-slave-timeout");
    stage_flow(s, 500);
    stage_signal_node(s, candidate, SIGCONT);
    stage_whole(s);
    stage_moment(s, now_us(), now_us());
    if (stage_master(s) != before)
        stage_wrong(s, "the master changed");
}

const struct scenario scenario_abort_late = {
    .name = "abort-late",
    .title = "failover that aborts: the candidate hangs",
    .run = run_abort_late,
    .trio = {.min_replicas = 1, .down_after_ms = 10000, .failover_timeout_ms = 3000},
    .limits = {.over_floor_ms = 200},
};

/* The leader is killed as soon as it is elected: nobody publishes the end of it. The old master may
 * be written to again when the leader has been silent for 3.5 s. */
enum { SILENCE_US = 3500 * 1000 };

static void run_leader_silent(struct stage *s)
{
    int64_t asked = now_us(), elected = 0;
    int before = stage_master(s);
    if (!trio_failover_by(&s->trio, 0))
        stage_wrong(s, "the Sentinel does not take the request");
    while (!(elected = observer_event(s->observer, "+elected-leader", asked)) &&
           now_us() < asked + 5000000)
        pause_ms(1);
    trio_kill_sentinel(&s->trio, 0);
    stage_flow(s, 2000);
    stage_moment(s, asked, (elected ? elected : asked) + SILENCE_US);
    stage_return_sentinel(s, 0);
    stage_whole(s);
    if (stage_master(s) != before)
        stage_wrong(s, "the master changed");
}

const struct scenario scenario_leader_silent = {
    .name = "leader-silent",
    .title = "the leader is killed when it is elected",
    .run = run_leader_silent,
    .trio = {.min_replicas = 1},
    .limits = {.over_floor_ms = 1},
};

/* ---- a master that hands over by itself ---- */

/* Valkey's own: the leading Sentinel has the master do it, with FAILOVER. */
static void run_hand_over(struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        int before = stage_master(s);
        int64_t asked = now_us();
        redisContext *c = trio_sentinel(&s->trio, i);
        const char *reply = ask(c, "SENTINEL FAILOVER " TRIO_GROUP " COORDINATED");
        if (strcmp(reply, "+OK") != 0)
            stage_wrong(s, "SENTINEL FAILOVER COORDINATED: %s", reply);
        redisFree(c);
        stage_switch(s, asked);
        stage_whole(s);
        if (stage_master(s) == before)
            stage_wrong(s, "the old master is the new one");
    }
}

static const char *no_hand_over(void)
{
    return servers_are_valkey(9) ? NULL : "SENTINEL FAILOVER ... COORDINATED needs Valkey 9";
}

const struct scenario scenario_hand_over = {
    .name = "hand-over",
    .title = "SENTINEL FAILOVER ... COORDINATED",
    .run = run_hand_over,
    .refused = no_hand_over,
    .trio = {.min_replicas = 1},
};

/* Redis' FAILOVER: the master pauses writes, hands over, and answers READONLY. Sentinel learns it
 * from the roles, as from Valkey's SENTINEL FAILOVER ... COORDINATED. */
static void run_coordinated(struct stage *s)
{
    int master = stage_master(s);
    int64_t asked = now_us();
    redisContext *c = trio_node(&s->trio, master);
    if (!trio_failover_by(&s->trio, 0))
        stage_wrong(s, "the Sentinel does not take the request");
    if (!wait_until(2000, observer_event(s->observer, "+selected-slave", asked)))
        stage_wrong(s, "no candidate");
    ask(c, "CLIENT PAUSE 3000 WRITE");
    redisFree(c);
    stage_switch(s, asked);
    stage_whole(s);
}

const struct scenario scenario_coordinated = {
    .name = "coordinated",
    .title = "the master pauses writes and hands over",
    .run = run_coordinated,
    .trio = {.min_replicas = 1},
};
