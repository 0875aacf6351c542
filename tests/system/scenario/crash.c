/*
 * crash: masters that die, hang, or are busy, alone or one after the other.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>

/* From the leader's election on nothing more goes to the old master: within this time. */
enum { HOLD_US = 50 * 1000 };

static void run_killed(struct stage *s)
{
    int master = stage_master(s);
    int64_t killed = now_us();
    trio_kill_node(&s->trio, master);
    stage_loss(s);
    stage_switch(s, killed);
    stage_flow(s, 500);
    stage_return(s, master);
}

const struct scenario scenario_killed = {
    .name = "crash",
    .title = "master killed",
    .run = run_killed,
    .trio = {.min_replicas = 1},
    .limits = {.unknown = 1},
};

static void run_hang(struct stage *s)
{
    int master = stage_master(s);
    int64_t stopped = now_us();
    stage_signal_node(s, master, SIGSTOP);
    stage_loss(s);
    stage_switch(s, stopped);
    stage_flow(s, 1000);
    stage_signal_node(s, master, SIGCONT);
}

const struct scenario scenario_hang = {
    .name = "hang",
    .title = "master hangs, fails over, wakes up",
    .run = run_hang,
    .trio = {.min_replicas = 1},
    .limits = {.unknown = 1},
};

/* The master is busy for 2 s when the failover begins, and then answers, too late. */
static void run_slow(struct stage *s)
{
    redisContext *c = trio_node(&s->trio, stage_master(s));
    say(c, "DEBUG SLEEP 2");
    say_now(c);
    stage_go_on(s, 100);
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    stage_switch(s, asked);
    redisFree(c);
}

const struct scenario scenario_slow = {
    .name = "slow",
    .title = "a slow command on the master at the failover",
    .run = run_slow,
    .trio = {.min_replicas = 1, .down_after_ms = 10000},
    .limits = {.unknown = 1},
};

/* A failover while the replicas of the one before are still being reconfigured. A master that has just sent
 * a replica its data counts it for min-replicas-to-write at once, and streams to it from its
 * first acknowledgement on, up to 1 s later (repl_start_cmd_stream_on_ack, replication.c): a replica that is
 * promoted in between never had what the master acknowledged meanwhile. */
static void run_second(struct stage *s)
{
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    stage_switch(s, asked);
    asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the second request");
    stage_switch(s, asked);
    int64_t elected = observer_event(s->observer, "+elected-leader", asked);
    if (elected)
        stage_loss_until(s, asked, elected + HOLD_US);
}

const struct scenario scenario_second = {
    .name = "second",
    .title = "a second failover during the first",
    .run = run_second,
    .trio = {.min_replicas = 1},
    .limits = {.unknown = 1},
};

/* failover-timeout also says when a failover may follow another: the chart's would be six minutes.
 */
static void run_new_master_dies(struct stage *s)
{
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    int master = stage_switch(s, asked);
    stage_go_on(s, 1000);
    int64_t killed = now_us();
    trio_kill_node(&s->trio, master);
    stage_loss(s);
    stage_switch(s, killed);
    stage_return(s, master);
}

const struct scenario scenario_new_master_dies = {
    .name = "new-master-dies",
    .title = "the new master dies 1 s after its promotion",
    .run = run_new_master_dies,
    .trio = {.min_replicas = 1, .failover_timeout_ms = 3000},
    .limits = {.unknown = 1, .refused = true},
};
