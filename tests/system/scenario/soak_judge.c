/*
 * soak_judge: what did not hold in a soak (soak.h), event by event. Every trouble of the load belongs
 * to the event in whose time it came, and an event allows few of them:
 *
 *     outcome unknown    one a client for each master that was killed or hung, in no other case
 *     lost by Redis      where Sentinels gave a master up: the evidence was checked (load_excuse)
 *     anything else      never
 *
 * And after a promotion the first write comes soon after the floor (observer.h); the time is a busy
 * machine's: the scenarios measure it.
 */
#include "scenario/soak.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES_MAX = 12, BEFORE_US = 500 * 1000, OVER_FLOOR_MS = 500 };

/* Until when the old master could acknowledge a write that Redis then lost by promoting somebody who
 * did not have it: until it was killed or hung; or, when Sentinels gave it up although it was back
 * (a restart that took too long), until they elected a leader, which is when writes are to be held.
 * In a switchover that somebody asked for nothing may be lost: 0. */
static int64_t last_risky(struct soak *soak, const struct soak_event *e, const struct promotion *p)
{
    struct observer *o = soak->stage.observer;
    int64_t elected = observer_last_event(o, "+elected-leader", e->began, p->at);
    int64_t last = elected && observer_last_event(o, "+odown", e->began, elected) ? elected : 0;
    for (int i = 0; i < e->blows; i++) {
        const struct soak_blow *b = &e->blow[i];
        if (soak_is_lossy(soak, e, b) && b->node != p->node && b->struck_at < p->at &&
            b->struck_at > last)
            last = b->struck_at;
    }
    return last;
}

void soak_excuse(struct soak *soak)
{
    struct stage *s = &soak->stage;
    for (int i = 0; i < soak->count; i++) {
        const struct soak_event *e = &soak->event[i];
        struct promotion p = {.at = e->ended + 1};
        while (observer_promotion(s->observer, e->began, p.at - 1, &p)) {
            int64_t last = last_risky(soak, e, &p);
            if (last && p.looked > last)
                load_excuse(s->load, &(struct load_excuse){
                                         .sent_by = last, .answered_by = p.at, .promotion = &p});
        }
    }
}

/* ---- the account of one event ---- */

struct account {
    long count[TROUBLES];
    struct soak *soak;
    const struct soak_event *event;
    int lines;
};

struct evidence {
    const struct promotion *promotion;
    bool shown[OBSERVED_LISTS];
};

static void take_count(void *user, const struct trouble *t)
{
    struct account *a = user;
    a->count[t->kind]++;
}

static void take_line(void *user, const struct trouble *t)
{
    struct account *a = user;
    int64_t began = a->event->began;
    if (a->lines++ >= LINES_MAX)
        return;
    fprintf(stderr, "%8.1f ms  client %d: %s", (double)(t->answered - began) / 1000, t->client,
            trouble_name(t->kind));
    if (t->sequence >= 0)
        fprintf(stderr, ", number %ld, sent at %.1f ms", t->sequence,
                (double)(t->sent - began) / 1000);
    fprintf(stderr, "%s%s\n", t->text[0] ? ": " : "", t->text);
}

static long allowed(const struct account *a, enum trouble_kind kind)
{
    int lossy = 0;
    for (int i = 0; i < a->event->blows; i++)
        lossy += soak_is_lossy(a->soak, a->event, &a->event->blow[i]);
    if (kind == TROUBLE_UNKNOWN)
        return (long)lossy * (WRITERS + SOAK_GUESTS);
    return kind == TROUBLE_LOST_BY_REDIS ? LONG_MAX : 0;
}

/* ---- what happened around it ---- */

/* Lines of the proxy's log begin with ts=<ISO, UTC>, which sorts as text. */
static void format_wall(const struct soak *soak, int64_t at, char *out, size_t size)
{
    int64_t wall = soak->wall_began + (at - soak->began);
    time_t seconds = (time_t)(wall / 1000000);
    struct tm utc;
    char date[40];
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "ts=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, size, "%s.%03dZ", date, (int)(wall / 1000 % 1000));
}

static void show_log(const struct soak *soak, int64_t from, int64_t to)
{
    char first[64], last[64], *text = file_text(soak->stage.target.proxy.log);
    format_wall(soak, from, first, sizeof(first));
    format_wall(soak, to, last, sizeof(last));
    fprintf(stderr, "the proxy's log:\n");
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        bool timed = strncmp(line, "ts=", 3) == 0;
        if (timed && strncmp(line, first, strlen(first)) >= 0 &&
            strncmp(line, last, strlen(last)) <= 0)
            fprintf(stderr, "%s\n", line);
    }
    free(text);
}

/* What each promoted node had of those who lost something. */
static void take_evidence(void *user, const struct trouble *t)
{
    struct evidence *e = user;
    bool lost = t->kind == TROUBLE_LOST || t->kind == TROUBLE_LOST_BY_REDIS;
    if (!lost || t->client >= e->promotion->lists || e->shown[t->client])
        return;
    e->shown[t->client] = true;
    fprintf(stderr, "             it had client %d's numbers up to %ld\n", t->client,
            e->promotion->newest[t->client]);
}

static void show_promotions(const struct account *a)
{
    struct soak *soak = a->soak;
    int64_t began = a->event->began;
    struct promotion p = {.at = a->event->ended + 1};
    while (observer_promotion(soak->stage.observer, began, p.at - 1, &p)) {
        struct evidence e = {.promotion = &p};
        fprintf(stderr, "%8.1f ms  node %d seen promoted; last seen as a replica at %.1f ms\n",
                (double)(p.at - began) / 1000, p.node + 1, (double)(p.looked - began) / 1000);
        load_troubles(soak->stage.load, began, a->event->ended, take_evidence, &e);
    }
}

static void show_event(struct account *a, int64_t from, int64_t to)
{
    char text[300], when[64];
    struct soak *soak = a->soak;
    soak_describe(a->event, text, sizeof(text));
    format_wall(soak, a->event->began, when, sizeof(when));
    fprintf(stderr, "---- event %d: %s; it began at %s; make soak SEED=%lu FIRST=%d EVENTS=1\n",
            a->event->number, text, when, soak->options.seed, a->event->number);
    for (int i = 0; i < a->event->blows; i++)
        fprintf(stderr, "%8.1f ms  blow %d struck, at %s %d\n",
                (double)(a->event->blow[i].struck_at - a->event->began) / 1000, i + 1,
                a->event->blow[i].whom == SOAK_SENTINEL ? "Sentinel" : "node",
                (a->event->blow[i].whom == SOAK_SENTINEL ? a->event->blow[i].which
                                                         : a->event->blow[i].node) +
                    1);
    show_promotions(a);
    load_troubles(soak->stage.load, from, to, take_line, a);
    if (a->lines > LINES_MAX)
        fprintf(stderr, "... and %d more\n", a->lines - LINES_MAX);
    fprintf(stderr, "what was seen directly, from 500 ms before it:\n");
    observer_show(soak->stage.observer, a->event->began - BEFORE_US, to);
    show_log(soak, a->event->began - BEFORE_US, to);
    fprintf(stderr, "---- end of event %d\n", a->event->number);
}

/* ---- the verdict ---- */

/* Whether the first write came soon enough. */
static bool judge_floor(struct soak *soak, const struct soak_event *e)
{
    int64_t first = e->floor ? load_next_write(soak->stage.load, e->floor) : 0;
    double over = (double)(first - e->floor) / 1000;
    if (!e->floor)
        return true;
    if (first && over > soak->worst_over_floor)
        soak->worst_over_floor = over;
    if (first && over <= OVER_FLOOR_MS)
        return true;
    soak_wrong(soak, "event %d: the first write came %.0f ms after the floor", e->number, over);
    return false;
}

static void judge_event(struct soak *soak, int i)
{
    struct account a = {.soak = soak, .event = &soak->event[i]};
    int64_t from = i ? a.event->began : 0;
    int64_t to = i + 1 < soak->count ? a.event[1].began : INT64_MAX;
    bool holds = judge_floor(soak, a.event);
    load_troubles(soak->stage.load, from, to, take_count, &a);
    for (int kind = 0; kind < TROUBLES; kind++) {
        if (a.count[kind] <= allowed(&a, (enum trouble_kind)kind))
            continue;
        soak_wrong(soak, "event %d: %ld times: %s", a.event->number, a.count[kind],
                   trouble_name((enum trouble_kind)kind));
        holds = false;
    }
    if ((!holds || !a.event->whole) && soak->options.shown-- > 0)
        show_event(&a, from, to == INT64_MAX ? 0 : to);
}

static void judge_log(struct soak *soak)
{
    char *text = file_text(soak->stage.target.proxy.log);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        if (strstr(line, " level=error "))
            soak_wrong(soak, "the proxy says: %s", line);
    free(text);
}

static void print_times(struct soak *soak)
{
    const struct soak_event *longest = NULL;
    for (int i = 0; i < soak->count; i++)
        if (!longest || soak->event[i].write_gap > longest->write_gap)
            longest = &soak->event[i];
    if (longest)
        fprintf(soak->out, "the longest time without a write: %.0f ms, in event %d\n",
                (double)longest->write_gap / 1000, longest->number);
    fprintf(soak->out, "the latest first write after a promotion: %.0f ms after the floor\n",
            soak->worst_over_floor);
}

void soak_judge(struct soak *soak)
{
    for (int i = 0; i < soak->count; i++)
        judge_event(soak, i);
    print_times(soak);
    judge_log(soak);
}
