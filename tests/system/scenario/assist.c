/*
 * assist: the proxy asks for the failover itself (failover_assist) when the master's address refuses
 * connections, instead of waiting for down-after-milliseconds; and the times when it must not: it
 * is not the owner, the master only hangs, or a switch was not long ago.
 *
 * Sentinels would act by themselves only after DOWN_MS, which is far above what the assistance takes:
 * whose failover it was shows in the time of its +try-failover, and in the proxy's log.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    DOWN_MS = 10000,      /* the chart's */
    FAILOVER_MS = 18000,  /* failover-timeout, where it matters: longer than becoming whole takes */
    GIVEN_MS = 2000,      /* a killed master costs at most */
    BUSY_GIVEN_MS = 3000, /* on a busy machine, in tests */
    LATE_MS = 3000,       /* an assistance that was put off comes within */
};

#define ASKS "msg=\"asking for the failover\""
#define ANSWERED "msg=\"a Sentinel answered the request for a failover\""
#define ASSISTED "failover_assist = 500ms\nassist_owner = yes\n"

/* Which Sentinels tried a failover since then, as bits, and how often all of them. */
struct tries {
    unsigned by;
    int count;
    int64_t first;
};

static void note_try(void *user, int64_t at, int sentinel, const char *event)
{
    struct tries *t = user;
    if (strncmp(event, "+try-failover ", strlen("+try-failover ")) != 0)
        return;
    t->by |= 1U << sentinel;
    if (t->count++ == 0)
        t->first = at;
}

static struct tries tries_since(const struct stage *s, int64_t since)
{
    struct tries t = {0};
    observer_each(s->observer, since, note_try, &t);
    return t;
}

static int lowest_runid(const struct stage *s)
{
    char lowest[64] = "";
    int who = 0;
    for (int i = 0; i < s->trio.options.sentinels; i++) {
        redisContext *c = trio_sentinel(&s->trio, i);
        const char *id = ask(c, "SENTINEL MYID");
        if (!lowest[0] || strcmp(id, lowest) < 0) {
            snprintf(lowest, sizeof(lowest), "%s", id);
            who = i;
        }
        redisFree(c);
    }
    return who;
}

/* Exactly one Sentinel was asked, once, and it is the one that every asker would choose. */
static void check_asked_once(struct stage *s, int64_t since)
{
    struct tries t = tries_since(s, since);
    int asked = stage_log_lines(s, ASKS), answered = stage_log_lines(s, ANSWERED);
    if (asked != 1 || answered != 1 || t.count != 1 || t.by != 1U << lowest_runid(s))
        stage_wrong(s,
                    "asked %d times, answered %d times, %d tries, by %x, of the lowest run id %d",
                    asked, answered, t.count, t.by, lowest_runid(s) + 1);
}

/* Nobody was asked, and Sentinel acted no sooner than without a proxy. */
static void check_not_asked(struct stage *s, int64_t since)
{
    struct tries t = tries_since(s, since);
    int asked = stage_log_lines(s, ASKS);
    stage_note(s, "tried after %.1f s", (double)(t.first - since) / 1000000);
    if (asked || !t.count || t.first < since + (DOWN_MS - 100) * 1000L)
        stage_wrong(s, "asked %d times, tried after %.1f s", asked,
                    (double)(t.first - since) / 1000000);
}

/* ---- asking ---- */

static int64_t kill_master(struct stage *s)
{
    int master = stage_master(s);
    int64_t killed = now_us();
    trio_kill_node(&s->trio, master);
    stage_loss(s);
    stage_switch(s, killed);
    stage_flow(s, 500);
    stage_return(s, master);
    return killed;
}

static void run_asked(struct stage *s)
{
    check_asked_once(s, kill_master(s));
}

/* A busy machine takes longer: half of it are Sentinel's own steps, and its INFO. */
static void account_asked(struct stage *s, const struct load_report *report)
{
    int limit = s->fast ? BUSY_GIVEN_MS : GIVEN_MS;
    int64_t end, gap = load_gap(s->load, s->began, now_us(), &end);
    (void)report;
    if (gap > limit * 1000)
        stage_wrong(s, "no write for %.1f ms, at most %d are allowed", (double)gap / 1000, limit);
}

const struct scenario scenario_failover_assist = {
    .name = "failover-assist",
    .title = "master killed, failover_assist",
    .run = run_asked,
    .account = account_asked,
    .trio = {.min_replicas = 1, .down_after_ms = DOWN_MS},
    .proxy = {.master_lines = ASSISTED},
    .limits = {.unknown = 1},
    .ours = true,
};

/* ---- not asking ---- */

static void run_not_owner(struct stage *s)
{
    check_not_asked(s, kill_master(s));
}

const struct scenario scenario_assist_not_owner = {
    .name = "assist-not-owner",
    .title = "the same, not the owner",
    .run = run_not_owner,
    .trio = {.min_replicas = 1, .down_after_ms = DOWN_MS},
    .proxy = {.master_lines = "failover_assist = 500ms\n"},
    .limits = {.unknown = 1},
    .ours = true,
};

static void run_hangs(struct stage *s)
{
    int master = stage_master(s);
    int64_t stopped = now_us();
    stage_signal_node(s, master, SIGSTOP);
    stage_loss(s);
    stage_switch(s, stopped);
    stage_flow(s, 500);
    stage_signal_node(s, master, SIGCONT);
    check_not_asked(s, stopped);
}

const struct scenario scenario_assist_hang = {
    .name = "assist-hang",
    .title = "master hangs, failover_assist",
    .run = run_hangs,
    .trio = {.min_replicas = 1, .down_after_ms = DOWN_MS},
    .proxy = {.master_lines = ASSISTED},
    .limits = {.unknown = 1},
    .ours = true,
};

/* The new master is killed just after a switchover: it is asked for when failover-timeout is over,
 * not before; Sentinels would wait longer still. */
static void run_too_soon(struct stage *s)
{
    stage_switch_over(s);
    int64_t switched = observer_event(s->observer, "+switch-master", s->began);
    int64_t killed = kill_master(s);
    struct tries t = tries_since(s, killed);
    check_asked_once(s, killed);
    stage_note(s, "asked %.1f s after the switchover", (double)(t.first - switched) / 1000000);
    if (t.first < switched + FAILOVER_MS * 1000L ||
        t.first > killed + (FAILOVER_MS + LATE_MS) * 1000L)
        stage_wrong(s, "asked %.1f s after the switchover, %.1f s after the end of the master",
                    (double)(t.first - switched) / 1000000, (double)(t.first - killed) / 1000000);
}

const struct scenario scenario_assist_too_soon = {
    .name = "assist-too-soon",
    .title = "failover_assist just after a switchover",
    .run = run_too_soon,
    .trio = {.min_replicas = 1, .down_after_ms = 60000, .failover_timeout_ms = FAILOVER_MS},
    .proxy = {.master_lines = ASSISTED "hold_timeout = 60s\n"},
    .limits = {.unknown = 1},
    .ours = true,
};
