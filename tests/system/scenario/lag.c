/*
 * lag: replicas that fall behind, or stop answering, in every way that leaves them alive: nobody
 * reads old data from them, nobody gets an error, nobody waits for long (harness/fresh.h).
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/fresh.h"
#include "harness/link.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAG_MS = 1000,     /* replica_lag */
    FOUND_MS = 2500,   /* ... and until it is found out: a probe of each node, and a mark */
    STALL_MS = 7000,   /* how long the link stalls */
    FRESH_MS = 300,    /* how old what a good replica answers may look, on a busy machine */
    SILENT_MS = 150,   /* ... does wait, or nobody had read from it since it fell silent */
    SUSPECT_MS = 1000, /* how long a read may wait for one that is silent: 500 ms, and busy */
    SLEEP_MS = 2500,
    KEYS = 4000 /* each takes 500 us to load */
};

static struct freshness check(struct stage *s, struct fresh *fresh, const char *when, int64_t from,
                              int oldest_ms, int longest_ms)
{
    struct freshness seen;
    fresh_look(fresh, from, now_us(), &seen);
    fprintf(stderr, "%s: %ld reads, the oldest %.0f ms, the longest %.0f ms\n", when, seen.reads,
            (double)seen.oldest / 1000, (double)seen.longest / 1000);
    if (!seen.reads || seen.errors)
        stage_wrong(s, "%s: %ld of %ld reads failed: %s", when, seen.errors, seen.reads,
                    seen.error);
    if (seen.oldest > oldest_ms * 1000)
        stage_wrong(s, "%s: %.1f ms old data was read, at most %d are allowed", when,
                    (double)seen.oldest / 1000, oldest_ms);
    if (seen.longest > longest_ms * 1000)
        stage_wrong(s, "%s: a read took %.1f ms, at most %d are allowed", when,
                    (double)seen.longest / 1000, longest_ms);
    return seen;
}

static void stall(struct stage *s, int replica, int master, bool stalled)
{
    if (link_stall(s->trio.node_pid[replica], s->trio.host[master], s->trio.port[master], stalled) <
        0)
        stage_wrong(s, "the replication link cannot be stalled or released");
}

static long offset_of(struct stage *s, int node, const char *field)
{
    redisContext *c = trio_glance(&s->trio, node, TRIO_PORT);
    long offset = atol(info_field(c, "replication", field));
    redisFree(c);
    return offset;
}

/* What was stalled is sent again within seconds; the proxy sees that at its next probe. */
static void await_catching_up(struct stage *s, int replica, int master)
{
    long offset = offset_of(s, master, "master_repl_offset");
    if (!wait_until(20000, offset_of(s, replica, "slave_repl_offset") >= offset))
        stage_wrong(s, "the replica does not catch up");
    stage_whole(s);
    stage_go_on(s, FOUND_MS);
}

/* The link looks connected, and nothing comes. */
static void fall_behind(struct stage *s, struct fresh *fresh, int replica, int master)
{
    int64_t began = now_us();
    stall(s, replica, master, true);
    stage_go_on(s, LAG_MS + FOUND_MS);
    if (check(s, fresh, "its link stalls", began, LAG_MS + FOUND_MS, SUSPECT_MS).oldest <
        LAG_MS * 1000)
        stage_wrong(s, "nobody had read from the replica that lags");
    int64_t found = now_us();
    stage_go_on(s, STALL_MS - LAG_MS - FOUND_MS);
    check(s, fresh, "it lags", found, FRESH_MS, SUSPECT_MS);
    stall(s, replica, master, false);
    await_catching_up(s, replica, master);
}

static void put_bulk(redisContext *c, const char *format)
{
    for (int i = 0; i < KEYS; i++)
        say(c, format, i, i);
    for (int i = 0; i < KEYS; i++)
        hear(c);
}

/* It misses more than the backlog holds, and loads everything anew, alive all the time. */
static void resynchronise(struct stage *s, struct fresh *fresh, int replica, int master)
{
    redisContext *c = trio_node(&s->trio, master);
    put_bulk(c, "SET bulk:%d %d");
    stage_whole(s);
    int64_t began = now_us();
    ask(c, "CONFIG SET repl-backlog-size 16384");
    stall(s, replica, master, true);
    put_bulk(c, "SET bulk:%d %0100d");
    redisFree(c);
    c = trio_node(&s->trio, replica);
    ask(c, "CLIENT KILL TYPE master"); /* what is on its way there is lost with the connection */
    if (!wait_until(20000, strncmp(ask(c, "GET tick"), "-LOADING", 8) == 0))
        stage_wrong(s, "the replica does not load");
    redisFree(c);
    stage_whole(s);
    stage_go_on(s, FOUND_MS);
    check(s, fresh, "it loads anew", began, LAG_MS + FOUND_MS, SUSPECT_MS);
}

/* It says nothing, in two ways: its clients are paused, or it is busy. */
static void fall_silent(struct stage *s, struct fresh *fresh, int replica, const char *how)
{
    int64_t began = now_us();
    redisContext *c = trio_node(&s->trio, replica);
    say(c, how, SLEEP_MS);
    say_now(c);
    stage_go_on(s, SLEEP_MS);
    redisFree(c);
    stage_whole(s);
    stage_go_on(s, FOUND_MS);
    if (check(s, fresh, how, began, LAG_MS + FOUND_MS, SUSPECT_MS).longest < SILENT_MS * 1000)
        stage_wrong(s, "nobody had read from the replica that fell silent");
}

static void run_replica_lags(struct stage *s)
{
    int master = stage_master(s), first = master == 0 ? 1 : 0, second = 3 - master - first;
    struct fresh *fresh = fresh_start(&s->trio, master, s->target.proxy.host, PROXY_REPLICA);
    fall_behind(s, fresh, first, master);
    resynchronise(s, fresh, second, master);
    fall_silent(s, fresh, first, "CLIENT PAUSE %d ALL");
    fall_silent(s, fresh, second, "DEBUG SLEEP %de-3");
    fresh_stop(fresh);
}

const struct scenario scenario_replica_lags = {
    .name = "replica-lags",
    .title = "a replica lags, resynchronises, falls silent",
    .run = run_replica_lags,
    .refused = link_refused,
    .trio = {.min_replicas = 1,
             .down_after_ms = 10000,
             .node_lines = "key-load-delay 500\nloading-process-events-interval-bytes 1024\n"},
    .proxy = {.master_lines = "replica_lag = 1s\n"},
    /* All readers may be on the replica that falls silent: that is known after 500 ms. */
    .limits = {.gap_ms = 300, .over_read_ms = SUSPECT_MS},
};
