/*
 * play: sets a scenario's stage, lets it run, draws up the account and holds it against the
 * scenario's limits (scenario.h).
 */
#include "scenario/scenario.h"

#include "harness/client.h"
#include "harness/names.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WARM_MS = 300,       /* under load before anything happens, and after it */
    FLOOR_MS = 50,       /* what the floor may be exceeded by */
    READ_MS = 100,       /* the same for reads, over what a direct reader of all nodes sees */
    BUSY_SLACK_MS = 200, /* ... and by how much more on a busy machine, in tests */
    FAST_DOWN_MS = 1000, /* the short timings, where a scenario has none of its own */
    FAST_FAILOVER_MS = 3000,
    SLOT_US = 100 * 1000 /* of the timeline */
};

static double ms(int64_t us)
{
    return (double)us / 1000;
}

const struct scenario *scenario_find(const char *name)
{
    for (int i = 0; scenarios[i]; i++)
        if (strcmp(scenarios[i]->name, name) == 0)
            return scenarios[i];
    return NULL;
}

/* ---- setting up and tearing down ---- */

static const char *refused(const struct scenario *scenario, enum target_kind kind)
{
    if (!target_installed(kind))
        return "haproxy is not installed";
    if (scenario->trio.partitions && net_refused())
        return net_refused();
    if (scenario->refused && scenario->refused())
        return scenario->refused();
    return scenario->trio.names ? names_refused() : NULL;
}

int stage_open(struct stage *s, enum target_kind kind)
{
    struct trio_options o = s->scenario->trio;
    o.fast = s->fast;
    if (s->fast && !o.down_after_ms)
        o.down_after_ms = FAST_DOWN_MS;
    if (s->fast && !o.failover_timeout_ms)
        o.failover_timeout_ms = FAST_FAILOVER_MS;
    if (trio_start(&s->trio, &o) < 0 ||
        target_start(&s->target, kind, &s->trio, &s->scenario->proxy) < 0)
        return -1;
    s->observer = observer_start(&s->trio);
    s->load = load_start(&(struct load_options){.host = s->target.proxy.host,
                                                .user = o.client_user,
                                                .password = o.client_password,
                                                .name = s->scenario->name,
                                                .write_port = PROXY_MASTER,
                                                .writers = WRITERS,
                                                .read_port = PROXY_REPLICA,
                                                .readers = READERS,
                                                .stray_port = PROXY_REPLICA,
                                                .strays = STRAYS,
                                                .guests = s->guests,
                                                .seed = s->seed});
    observer_follow(s->observer, s->scenario->name, WRITERS + s->guests);
    stage_flow(s, WARM_MS);
    s->began = now_us();
    return 0;
}

void stage_close(struct stage *s)
{
    if (s->load)
        load_free(s->load);
    if (s->observer)
        observer_stop(s->observer);
    process_kill(&s->target.proxy.pid);
    trio_stop(&s->trio);
}

/* ---- the verdict ---- */

static void measure(struct stage *s, struct outcome *out)
{
    int64_t end, over = now_us(), last = load_last_write(s->load);
    out->gap = load_gap(s->load, s->began, over, &end);
    if (last && over - last > out->gap)
        out->gap = over - last; /* it did not come back */
    out->distance = INT64_MIN;
    for (int i = 0; i < s->moments && s->scenario->limits.over_floor_ms >= 0; i++) {
        const struct moment *m = &s->moment[i];
        int64_t gap = load_gap(s->load, m->from, m->to ? m->to : over, &end);
        if (gap < 0)
            stage_wrong(s, "no write was acknowledged after moment %d", i + 1);
        if (gap == out->gap)
            out->floor_gap = m->floor - (end - gap);
        int64_t distance = end - m->floor < gap ? end - m->floor : gap;
        if (gap >= 0 && distance > out->distance)
            out->distance = distance;
    }
}

struct read_measure {
    struct stage *stage;
    struct outcome *out;
};

static void measure_read_gap(void *user, const struct read_gap *gap)
{
    const struct read_measure *m = user;
    int64_t length = gap->to - gap->from;
    int64_t over = length - observer_unreadable(m->stage->observer, gap->from, gap->to);
    if (gap->from < m->stage->began)
        return;
    if (length > m->out->read_gap)
        m->out->read_gap = length;
    if (over > m->out->read_over) {
        m->out->read_over = over;
        m->out->read_from = gap->from;
    }
}

static void judge_reads(struct stage *s, const struct outcome *o, int slack)
{
    const struct limits *l = &s->scenario->limits;
    int most = (l->over_read_ms ? l->over_read_ms : READ_MS) + slack;
    if (l->over_read_ms >= 0 && s->target.kind == TARGET_REDISPROXY &&
        o->read_over > (int64_t)most * 1000)
        stage_wrong(s, "no read for %.1f ms while a node answers reads, at most %d are allowed",
                    ms(o->read_over), most);
}

static void judge_writes(struct stage *s, const struct outcome *o)
{
    const struct limits *l = &s->scenario->limits;
    const struct load_report *r = &o->report;
    if (r->errors && !l->errors)
        stage_wrong(s, "%ld write errors: %s", r->errors, r->first_error);
    if (r->refused && !l->refused)
        stage_wrong(s, "%ld writes refused: %s", r->refused, r->first_error);
    if (r->disconnects > (long)l->disconnects * WRITERS)
        stage_wrong(s, "%ld writers disconnected, at most %d may be: %s", r->disconnects,
                    l->disconnects * WRITERS, r->first_error);
    if (r->unknown > (long)l->unknown * WRITERS)
        stage_wrong(s, "%ld outcomes unknown, at most %d may be: %s", r->unknown,
                    l->unknown * WRITERS, r->first_error);
    if (r->lost)
        stage_wrong(s, "%ld acknowledged writes lost", r->lost);
    if (r->doubled + r->out_of_order + r->refused_done)
        stage_wrong(s, "%ld writes doubled, %ld out of order, %ld refused but done", r->doubled,
                    r->out_of_order, r->refused_done);
}

static void judge(struct stage *s, const struct outcome *o)
{
    const struct limits *l = &s->scenario->limits;
    const struct load_report *r = &o->report;
    int slack = s->fast ? BUSY_SLACK_MS : 0;
    int floor = (l->over_floor_ms ? l->over_floor_ms : FLOOR_MS) + slack;
    judge_writes(s, o);
    judge_reads(s, o, slack);
    if (r->read_errors + r->read_disconnects && !l->read_errors)
        stage_wrong(s, "%ld read errors, %ld readers disconnected: %s", r->read_errors,
                    r->read_disconnects, r->first_error);
    if (r->strays_accepted + r->stray_errors + r->stray_disconnects)
        stage_wrong(s, "%ld strays accepted, %ld other errors, %ld strays disconnected: %s",
                    r->strays_accepted, r->stray_errors, r->stray_disconnects, r->first_error);
    if (s->moments && o->distance > (int64_t)floor * 1000)
        stage_wrong(s, "the first write came %.1f ms after the floor, at most %d are allowed",
                    ms(o->distance), floor);
    if (l->gap_ms && o->gap > (int64_t)(l->gap_ms + slack) * 1000)
        stage_wrong(s, "no write for %.1f ms, at most %d are allowed", ms(o->gap),
                    l->gap_ms + slack);
}

static void show_moments(const struct stage *s)
{
    for (int i = 0; i < s->moments; i++) {
        const struct moment *m = &s->moment[i];
        int64_t end, gap = load_gap(s->load, m->from, m->to ? m->to : now_us(), &end);
        fprintf(stderr,
                "moment %d: from %.1f ms, floor %.1f ms; gap %.1f ms, its end %+.1f ms from the "
                "floor\n",
                i + 1, ms(m->from - s->began), ms(m->floor - s->began), ms(gap),
                ms(end - m->floor));
    }
}

/* ---- the time line ---- */

struct line {
    FILE *out;
    const char *scenario, *target;
    int64_t began;
};

static void put_event(void *user, int64_t at, int sentinel, const char *event)
{
    static const char *const wanted[] = {"+odown ", "+elected-leader ", "+promoted-slave ",
                                         "+switch-master ", "-failover-abort"};
    const struct line *l = user;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strncmp(event, wanted[i], strlen(wanted[i])) == 0)
            fprintf(l->out, "event\t%s\t%s\t%.1f\t%d\t%.*s\n", l->scenario, l->target,
                    ms(at - l->began), sentinel + 1, (int)strcspn(event, " "), event);
}

static void put_timeline(struct stage *s, FILE *out, const struct load_report *r)
{
    struct line line = {out, s->scenario->name, target_name(s->target.kind), s->began};
    int64_t over = now_us(), last;
    for (int64_t at = s->began; at < over; at += SLOT_US)
        fprintf(out, "writes\t%s\t%s\t%.1f\t%ld\t%ld\n", line.scenario, line.target,
                ms(at - s->began), load_acknowledged(s->load, at, at + SLOT_US),
                load_lost(s->load, at, at + SLOT_US, &last));
    observer_each(s->observer, s->began, put_event, &line);
    fprintf(out, "result\t%s\t%s\t%ld\t%ld\t%ld\n", line.scenario, line.target,
            r->errors + r->unknown + r->refused + r->disconnects, r->lost + r->lost_by_redis,
            r->strays_accepted);
}

/* ---- */

static void run(struct stage *s, FILE *timeline, struct outcome *out)
{
    s->scenario->run(s);
    if (!s->scenario->limits.not_whole)
        stage_whole(s);
    stage_flow(s, WARM_MS);
    load_read_gaps(s->load, measure_read_gap, &(struct read_measure){s, out});
    load_finish(s->load);
    measure(s, out);
    stage_excuse(s);
    if (load_report(s->load, &s->trio, &out->report) < 0)
        stage_wrong(s, "the final master cannot be read");
    if (s->scenario->account)
        s->scenario->account(s, &out->report);
    if (timeline)
        put_timeline(s, timeline, &out->report);
    judge(s, out);
    if (s->wrong[0] && s->target.kind == TARGET_REDISPROXY) {
        fprintf(stderr, "what happened in %s: %s\n", s->scenario->name, s->wrong);
        if (out->read_from)
            fprintf(stderr, "no read from %.1f ms on, %.1f ms longer than for a direct reader\n",
                    ms(out->read_from - s->began), ms(out->read_over));
        show_moments(s);
        observer_show(s->observer, s->began, 0);
        file_show(s->target.proxy.log);
        trio_show(&s->trio);
    }
    if (target_stop(&s->target) < 0)
        stage_wrong(s, "the proxy did not end well");
    memcpy(out->wrong, s->wrong, sizeof(out->wrong));
    memcpy(out->note, s->note, sizeof(out->note));
}

int scenario_play(const struct scenario *scenario, enum target_kind kind, bool fast, FILE *timeline,
                  struct outcome *out)
{
    struct stage *s = calloc(1, sizeof(*s));
    *out = (struct outcome){.skipped = refused(scenario, kind)};
    s->scenario = scenario;
    s->fast = fast;
    int result = out->skipped ? 0 : stage_open(s, kind);
    if (!out->skipped && result == 0)
        run(s, timeline, out);
    if (!out->skipped)
        stage_close(s);
    free(s);
    return result;
}

void outcome_print(FILE *out, const struct scenario *scenario, enum target_kind kind,
                   const struct outcome *o)
{
    const struct load_report *r = &o->report;
    fprintf(out, "%s, %s: ", scenario->name, target_name(kind));
    if (o->skipped) {
        fprintf(out, "skipped: %s\n", o->skipped);
        return;
    }
    fprintf(out, "gap %.1f ms", ms(o->gap));
    if (o->distance > INT64_MIN)
        fprintf(out, " (its floor %.1f ms; worst distance from a floor %+.1f ms)", ms(o->floor_gap),
                ms(o->distance));
    fprintf(out, "; longest wait %.1f ms; read gap %.1f ms (%.1f ms over a direct reader's)\n",
            ms(r->longest_wait), ms(o->read_gap), ms(o->read_over));
    load_report_print(out, r);
    if (o->note[0])
        fprintf(out, "%s\n", o->note);
    if (o->wrong[0])
        fprintf(out, "WRONG: %s\n", o->wrong);
}
