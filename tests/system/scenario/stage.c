/*
 * stage: what scenarios do and note while they run (scenario.h).
 */
#include "scenario/scenario.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOW_DEADLINE_MS = 60000, KNOWN_DEADLINE_MS = 15000, MASTER_MS = 10000 };

void stage_wrong(struct stage *s, const char *format, ...)
{
    va_list args;
    if (s->wrong[0])
        return;
    va_start(args, format);
    vsnprintf(s->wrong, sizeof(s->wrong), format, args);
    va_end(args);
}

void stage_note(struct stage *s, const char *format, ...)
{
    size_t len = strlen(s->note);
    va_list args;
    va_start(args, format);
    vsnprintf(s->note + len, sizeof(s->note) - len, format, args);
    va_end(args);
}

void stage_span(struct stage *s, int64_t from, int64_t at, int64_t to)
{
    if (s->spans < SPANS_MAX)
        s->span[s->spans++] = (struct span){from, at, to};
}

void stage_moment(struct stage *s, int64_t from, int64_t floor)
{
    if (s->moments == MOMENTS_MAX)
        return;
    if (s->moments && !s->moment[s->moments - 1].to)
        s->moment[s->moments - 1].to = from;
    s->moment[s->moments++] = (struct moment){.from = from, .floor = floor};
}

int stage_switch(struct stage *s, int64_t asked)
{
    struct switchover seen;
    if (observer_switchover(s->observer, asked, &seen) < 0) {
        stage_wrong(s, "the switchover does not end");
        return 0;
    }
    stage_moment(s, asked, seen.floor);
    return seen.master;
}

void stage_switch_over(struct stage *s)
{
    int before = stage_master(s);
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    stage_switch(s, asked);
    stage_whole(s);
    if (stage_master(s) == before)
        stage_wrong(s, "the old master is the new one");
}

void stage_whole(struct stage *s)
{
    if (trio_wait_whole(&s->trio) < 0)
        stage_wrong(s, "the trio does not become whole again");
}

void stage_go_on(const struct stage *s, int ms)
{
    int64_t until = now_ms() + ms;
    while (now_ms() < until && s->load)
        pause_ms(10);
}

void stage_flow(struct stage *s, int ms)
{
    int64_t since = now_us();
    if (!wait_until(FLOW_DEADLINE_MS, load_last_write(s->load) > since))
        stage_wrong(s, "no write is acknowledged for a minute");
    stage_go_on(s, ms);
}

long stage_full_resyncs(const struct stage *s)
{
    long count = 0;
    for (int i = 0; i < s->trio.options.nodes; i++) {
        redisContext *c = trio_node(&s->trio, i);
        count += atol(info_field(c, "stats", "sync_full"));
        redisFree(c);
    }
    return count;
}

int stage_log_lines(const struct stage *s, const char *text)
{
    int count = 0;
    char *log = file_text(s->target.proxy.log);
    for (const char *at = log; (at = strstr(at, text)); at += strcspn(at, "\n"))
        count++;
    free(log);
    return count;
}

int stage_master(struct stage *s)
{
    int master;
    if (!wait_until(MASTER_MS, (master = trio_master(&s->trio)) >= 0))
        stage_wrong(s, "there is not exactly one master");
    return master < 0 ? 0 : master;
}

void stage_loss(struct stage *s)
{
    stage_loss_until(s, now_us(), 0);
}

void stage_loss_until(struct stage *s, int64_t at, int64_t until)
{
    if (s->losses < MOMENTS_MAX)
        s->loss[s->losses++] = (struct loss){at, until};
}

void stage_excuse(struct stage *s)
{
    for (int i = 0; i < s->losses; i++) {
        const struct loss *l = &s->loss[i];
        int64_t over = i + 1 < s->losses ? s->loss[i + 1].at : now_us();
        struct promotion promoted;
        if (observer_promotion(s->observer, l->at, over, &promoted) && promoted.looked > l->at)
            load_excuse(s->load,
                        &(struct load_excuse){.sent_by = l->until ? l->until : l->at,
                                              .answered_by = l->until ? l->until : promoted.at,
                                              .promotion = &promoted});
    }
}

void stage_signal_node(struct stage *s, int node, int signal)
{
    if (s->trio.node_pid[node] > 0)
        kill(s->trio.node_pid[node], signal);
}

void stage_signal_sentinel(struct stage *s, int sentinel, int signal)
{
    if (s->trio.sentinel_pid[sentinel] > 0)
        kill(s->trio.sentinel_pid[sentinel], signal);
}

void stage_return(struct stage *s, int node)
{
    if (trio_return_node(&s->trio, node) < 0)
        stage_wrong(s, "node %d does not come back", node + 1);
}

void stage_return_sentinel(struct stage *s, int sentinel)
{
    if (trio_start_sentinel(&s->trio, sentinel) < 0)
        stage_wrong(s, "Sentinel %d does not come back", sentinel + 1);
}

/* ---- what Sentinels are told ---- */

/* Sentinels learn a priority from the next INFO, up to 10 s later. */
static bool sentinels_know_priority(struct stage *s, int node, int priority)
{
    int known = 0;
    char place[TRIO_HOST + 16];
    snprintf(place, sizeof(place), "%s:%d,", s->trio.name[node], s->trio.port[node]);
    for (int i = 0; i < s->trio.options.sentinels; i++) {
        redisContext *c = trio_sentinel(&s->trio, i);
        const char *at = strstr(ask(c, "SENTINEL REPLICAS " TRIO_GROUP), place);
        at = at ? strstr(at, "slave-priority, ") : NULL;
        known += at && atoi(at + strlen("slave-priority, ")) == priority;
        redisFree(c);
    }
    return known == s->trio.options.sentinels;
}

void stage_prefer(struct stage *s, int preferred)
{
    int master = stage_master(s);
    for (int i = 0; i < s->trio.options.nodes; i++) {
        int priority = i == preferred ? 1 : 100;
        redisContext *c = trio_node(&s->trio, i);
        ask(c, "CONFIG SET replica-priority %d", priority);
        redisFree(c);
        if (i != master && !wait_until(KNOWN_DEADLINE_MS, sentinels_know_priority(s, i, priority)))
            stage_wrong(s, "Sentinels do not learn a priority");
    }
}

void stage_monitor(struct stage *s, int sentinel, int master)
{
    const struct trio_options *o = &s->trio.options;
    redisContext *c = trio_sentinel(&s->trio, sentinel);
    ask(c, "SENTINEL REMOVE " TRIO_GROUP);
    if (strcmp(ask(c, "SENTINEL MONITOR " TRIO_GROUP " %s %d 2", s->trio.name[master],
                   s->trio.port[master]),
               "+OK") != 0)
        stage_wrong(s, "Sentinel %d does not monitor again", sentinel + 1);
    ask(c, "SENTINEL SET " TRIO_GROUP " down-after-milliseconds %d failover-timeout %d",
        o->down_after_ms ? o->down_after_ms : 10000,
        o->failover_timeout_ms ? o->failover_timeout_ms : 180000);
    if (o->password)
        ask(c, "SENTINEL SET " TRIO_GROUP " auth-pass %s", o->password);
    redisFree(c);
}
