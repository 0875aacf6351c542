/*
 * rolling: upgrades and restarts of a StatefulSet's pods, in the redis-ha chart's way: pods 2, 1, 0;
 * preStop asks the pod's own Sentinel for a failover when its Redis is master, while that
 * Sentinel gets SIGTERM at the same time; Redis waits for its role to change, then gets SIGTERM; two
 * seconds later both are back.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <string.h>

enum {
    AWAY_MS = 2000,
    PRESTOP_MS = 30000,
    FAST_PRESTOP_MS = 8000,
    ARRIVED_US = 150 * 1000,  /* what a leader sent before it died has arrived by then */
    RETURN_US = 10000 * 1000, /* one that had recorded the promotion may come back and insist */
    /* A node that is shut down saves its data first and answers nobody while the disk takes it. Readers that
     * are all on it, the only replica while another pod is away, wait until it is known to be silent. */
    SAVE_MS = 600,
};

static char glance_role(struct stage *s, int node)
{
    redisContext *c = trio_glance(&s->trio, node, TRIO_PORT);
    char role = info_field(c, "replication", "role")[0];
    redisFree(c);
    return role;
}

/* Its role's first letter; a node that does not answer at once on a busy machine is asked again. */
static char role_of(struct stage *s, int node)
{
    char role = '\0';
    wait_until(5000, (role = glance_role(s, node)) != '\0');
    return role;
}

/* The failover died with its leader, if it had begun: the old master may be written to again as soon
 * as that is known. */
static void note_abandoned(struct stage *s, int64_t asked, int64_t died)
{
    if (!observer_event(s->observer, "+elected-leader", asked))
        return;
    bool recorded = observer_event(s->observer, "+promoted-slave", asked) != 0;
    stage_moment(s, asked, died + (recorded ? RETURN_US : ARRIVED_US));
}

/* Whether the pod's role changed; when the failover was asked for. */
static bool pre_stop(struct stage *s, int pod, int leader_lives_ms, int64_t *asked)
{
    *asked = now_us();
    if (!trio_failover_by(&s->trio, pod))
        stage_wrong(s, "the pod's Sentinel does not take the request");
    stage_go_on(s, leader_lives_ms);
    trio_end_sentinel(&s->trio, pod);
    int64_t died = now_us();
    bool changed = wait_until(s->fast ? FAST_PRESTOP_MS : PRESTOP_MS, role_of(s, pod) == 's');
    if (!changed)
        note_abandoned(s, *asked, died);
    return changed;
}

/* The floor of a pod that went as master: that of its return, or of the failover it caused. */
static void note_return(struct stage *s, int pod, int64_t gone)
{
    struct switchover seen;
    int64_t writable = observer_writable(s->observer, pod, gone);
    if (writable)
        stage_moment(s, gone, writable);
    else if (observer_switchover(s->observer, gone, &seen) == 0)
        stage_moment(s, gone, seen.floor);
}

static void restart_pod(struct stage *s, int pod, int leader_lives_ms, bool moves)
{
    bool was_master = role_of(s, pod) == 'm', handed_over = true;
    int64_t asked = 0;
    if (was_master)
        handed_over = pre_stop(s, pod, leader_lives_ms, &asked);
    else
        trio_end_sentinel(&s->trio, pod);
    if (was_master && handed_over)
        stage_switch(s, asked);
    int64_t gone = now_us();
    trio_end_node(&s->trio, pod);
    stage_go_on(s, AWAY_MS);
    if (moves)
        trio_move(&s->trio, pod);
    stage_return(s, pod);
    if (trio_return_sentinel(&s->trio, pod) < 0)
        stage_wrong(s, "Sentinel %d does not come back", pod + 1);
    stage_whole(s);
    if (was_master && !handed_over)
        note_return(s, pod, gone);
}

static void roll(struct stage *s, bool moves)
{
    for (int pod = 2; pod >= 0; pod--)
        restart_pod(s, pod, 0, moves);
}

static void run_rolling(struct stage *s)
{
    roll(s, false);
}

static void run_rolling_moving(struct stage *s)
{
    roll(s, true);
}

/* The leader gets SIGTERM this many ms after the request. */
static void run_leader_dies(struct stage *s)
{
    static const int fast[] = {50, 400, -1}, haproxy[] = {50, 400, 1000, -1};
    static const int all[] = {0,    50,   100,  150,  200,  250,  300,  350,  400,  450,  500,
                              550,  600,  650,  700,  750,  800,  850,  900,  950,  1000, 1050,
                              1100, 1150, 1200, 1250, 1300, 1350, 1400, 1450, 1500, -1};
    const int *chosen = s->fast ? fast : s->target.kind == TARGET_HAPROXY ? haproxy : all;
    for (const int *lives = chosen; *lives >= 0; lives++)
        restart_pod(s, stage_master(s), *lives, false);
}

const struct scenario scenario_rolling = {
    .name = "rolling",
    .title = "rolling upgrade, preStop failover",
    .run = run_rolling,
    .trio = {.min_replicas = 1, .persistent = true, .down_after_ms = 4000},
    .limits = {.over_read_ms = SAVE_MS},
};

const struct scenario scenario_rolling_address = {
    .name = "rolling-address",
    .title = "the same, each pod with a new address",
    .run = run_rolling_moving,
    .trio = {.min_replicas = 1, .persistent = true, .down_after_ms = 4000},
    .limits = {.over_read_ms = SAVE_MS},
};

const struct scenario scenario_rolling_names = {
    .name = "rolling-names",
    .title = "the same, new addresses behind host names",
    .run = run_rolling_moving,
    .trio = {.min_replicas = 1, .persistent = true, .down_after_ms = 4000, .names = true},
    .limits = {.over_read_ms = SAVE_MS},
};

const struct scenario scenario_leader_dies = {
    .name = "leader-dies",
    .title = "the leader gets SIGTERM at every instant",
    .run = run_leader_dies,
    .trio = {.min_replicas = 1, .persistent = true, .down_after_ms = 5000},
    .limits = {.over_read_ms = SAVE_MS},
};

/* Without preStop: SIGTERM to the master, back before Sentinel minds. */
static void run_restart(struct stage *s)
{
    int master = stage_master(s);
    int64_t gone = now_us();
    trio_end_node(&s->trio, master);
    stage_go_on(s, AWAY_MS);
    if (trio_start_node(&s->trio, master) < 0)
        stage_wrong(s, "the master does not come back");
    stage_whole(s);
    int64_t writable = observer_writable(s->observer, master, gone);
    if (writable)
        stage_moment(s, gone, writable);
    if (stage_master(s) != master)
        stage_wrong(s, "the master changed");
}

const struct scenario scenario_restart = {
    .name = "restart",
    .title = "rolling restart without preStop",
    .run = run_restart,
    .trio = {.min_replicas = 1, .persistent = true, .down_after_ms = 10000},
    .limits = {.over_floor_ms = 200},
};
