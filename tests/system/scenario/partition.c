/*
 * partition: hosts that are cut off: packets vanish, no RST comes back.
 */
#include "scenario/all.h"

#include "harness/raw.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SENTINEL_DEAD_MS = 3000,
    QUORUM_MS = 5000, /* quorum_timeout */
    SHOWN_MS = 5000,  /* /metrics shows it within */
    BUSY_MS = 200     /* on a busy machine, in tests */
};

static void run_black_hole(struct stage *s)
{
    int master = stage_master(s);
    int64_t cut = now_us();
    net_move(&s->trio.net, master, NET_NOWHERE);
    stage_loss(s);
    stage_switch(s, cut);
    stage_flow(s, 1000);
    net_move(&s->trio.net, master, NET_TOGETHER);
}

const struct scenario scenario_black_hole = {
    .name = "black-hole",
    .title = "the master's host is black-holed",
    .run = run_black_hole,
    .trio = {.min_replicas = 1, .partitions = true},
    .limits = {.unknown = 1},
};

/* ---- the minority ---- */

/* The value of a gauge of the group; -1: there is none. */
static int gauge(const struct stage *s, const char *name)
{
    static _Thread_local char body[1 << 18];
    char line[96];
    body[0] = '\0';
    snprintf(line, sizeof(line), "\nredisproxy_%s{group=\"%s\"} ", name, TRIO_GROUP);
    int status = http_get(s->target.proxy.host, PROXY_HTTP, "/metrics", body, sizeof(body));
    const char *at = strstr(body, line);
    return status == 200 && at ? atoi(at + strlen(line)) : -1;
}

static bool shows(const struct stage *s, int quorum, int writable)
{
    return s->target.kind != TARGET_REDISPROXY ||
           (gauge(s, "group_quorum") == quorum && gauge(s, "group_writable") == writable);
}

static void check_shown(struct stage *s, const char *when, int quorum, int writable)
{
    if (!wait_until(SHOWN_MS, shows(s, quorum, writable)))
        stage_wrong(s, "%s /metrics shows quorum %d, writable %d", when, gauge(s, "group_quorum"),
                    gauge(s, "group_writable"));
}

/* The proxy, the old master and its Sentinel on one side, everything else on the other. What is
 * acknowledged on that side is lost: up to quorum_timeout, or for as long as it is served. */
static void run_minority(struct stage *s, bool held)
{
    int master = stage_master(s);
    check_shown(s, "before", 1, 1);
    int64_t cut = now_us();
    net_move(&s->trio.net, master, NET_OTHER_SIDE);
    net_move(&s->trio.net, TRIO_MAX, NET_OTHER_SIDE);
    struct switchover seen;
    if (observer_switchover(s->observer, cut, &seen) < 0)
        stage_wrong(s, "the majority does not fail over");
    stage_go_on(s, QUORUM_MS + SENTINEL_DEAD_MS + 3000);
    check_shown(s, "in the minority", 0, !held);
    int64_t healed = now_us(), stops = cut + QUORUM_MS * 1000;
    net_move(&s->trio.net, master, NET_TOGETHER);
    net_move(&s->trio.net, TRIO_MAX, NET_TOGETHER);
    stage_span(s, cut, stops, healed);
    stage_loss_until(s, cut, held ? stops : healed + 2000000);
    stage_moment(s, cut, healed);
    check_shown(s, "afterwards", 1, 1);
    stage_whole(s);
}

/* One line when the majority is gone, one when it is back. */
static void check_told(struct stage *s, const char *what)
{
    int gone = stage_log_lines(s, what);
    int back = stage_log_lines(s, "level=info msg=\"a majority of the Sentinels agrees again\"");
    if (s->target.kind == TARGET_REDISPROXY && (gone != 1 || back != 1))
        stage_wrong(s, "told %d times that the majority is gone, %d times that it is back", gone,
                    back);
}

static void run_minority_hold(struct stage *s)
{
    run_minority(s, true);
    check_told(s, "level=warn msg=\"no majority of the Sentinels agrees, holding writes\"");
}

/* Writes go on, and stop within quorum_timeout. */
static void account_hold(struct stage *s, const struct load_report *report)
{
    const struct span *w = &s->span[0];
    long late = load_acknowledged(s->load, w->at + (s->fast ? BUSY_MS : 0) * 1000, w->to);
    stage_note(s, "lost in the minority: %ld", report->lost_by_redis);
    if (s->target.kind == TARGET_REDISPROXY && (late || !report->lost_by_redis))
        stage_wrong(s, "%ld writes acknowledged after quorum_timeout, %ld before that", late,
                    report->lost_by_redis);
}

/* Both nodes that readers are on may vanish: that is known when they have been silent for 500 ms. */
enum { SILENT_MS = 600 };

const struct scenario scenario_minority_hold = {
    .name = "minority-hold",
    .title = "proxy and master in the minority, lose_quorum = hold",
    .run = run_minority_hold,
    .account = account_hold,
    .trio = {.partitions = true},
    .proxy = {.master_lines = "lose_quorum = hold\nquorum_timeout = 5s\n"},
    .limits = {.over_floor_ms = 1500, .over_read_ms = SILENT_MS, .unknown = 1, .refused = true},
};

static void run_minority_serve(struct stage *s)
{
    run_minority(s, false);
    check_told(s,
               "level=warn msg=\"no majority of the Sentinels agrees, staying with the master\"");
}

const struct scenario scenario_minority_serve = {
    .name = "minority-serve",
    .title = "proxy and master in the minority, served on",
    .run = run_minority_serve,
    .trio = {.partitions = true},
    .limits = {.over_floor_ms = -1, .over_read_ms = SILENT_MS, .unknown = 2, .gap_ms = 1000},
};
