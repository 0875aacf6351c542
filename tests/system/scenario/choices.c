/*
 * choices: what an operator may choose instead of the defaults, and what each choice gives and
 * takes: a promoted node that is written to before a majority names it (promotion = eager), a replica
 * that is pointed at it at once (reconfigure_assist), and clients that are disconnected instead of
 * being told that an outcome is unknown (inflight_writes = close).
 *
 * What eager loses is measured by ending the leading Sentinel when SLAVEOF NO ONE has just been
 * carried out, or a little later, before it has told anybody: the other Sentinels go on with
 * the old master and make the candidate follow it, and what the candidate acknowledged is gone.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EAGER_GAP_MS = 350,
    ASSIST_GAP_MS = 400,
    LEADER = 0, /* the Sentinel that is asked for the failover, and so leads it */
    TRIES = 5,
    SEEN_MS = 100, /* a leader's death is seen within */
    SEEN_US = SEEN_MS * 1000,
    BELIEVED_MS = 2500 + 100, /* an unconfirmed promotion is believed for 2.5 s */
    RELEASE_MS = 12000,
    RETURN_US = 3500 * 1000, /* the old master is written to again so long after a leader's end */
    HUNG_MS = 100,
    TOLD_MS = 30, /* an event arrives within */
    BUSY_MS = 200 /* on a busy machine, in tests */
};

#define PROVISIONAL "msg=\"released to a provisional master\""
#define CONFIRMED "msg=\"the provisional master is confirmed\""
#define HELD "msg=\"the provisional master was not confirmed, holding writes again\""
#define RELEASED "msg=\"no failover happened, released to the old master\""

/* How many full resyncs a node has given. */
static long full_resyncs(const struct stage *s, int node)
{
    redisContext *c = trio_node(&s->trio, node);
    long count = atol(info_field(c, "stats", "sync_full"));
    redisFree(c);
    return count;
}

/* A hello of a Sentinel, published on the old master while its replicas part, makes a full resync of
 * any re-pointing: the promoted node then has no good replica for a second, or for
 * repl-diskless-sync-delay. Such a switchover is told from the others by at = 0. */
static void run_in_a_row(struct stage *s)
{
    for (int i = 0; i < (s->fast ? 3 : 10); i++) {
        long full[TRIO_MAX];
        for (int k = 0; k < s->trio.options.nodes; k++)
            full[k] = full_resyncs(s, k);
        int64_t asked = now_us();
        if (trio_failover(&s->trio) < 0)
            stage_wrong(s, "no Sentinel takes the request");
        int master = stage_switch(s, asked);
        bool good = !s->trio.options.min_replicas || full_resyncs(s, master) == full[master];
        stage_span(s, asked, good, now_us());
        stage_whole(s);
    }
}

/* How many of the gaps are within the limit. In the tests one of three may be the machine's. */
static void account_gaps(struct stage *s, const struct load_report *report)
{
    int good = 0, within = 0, busy = s->fast ? BUSY_MS : 0;
    int limit = s->trio.options.min_replicas ? ASSIST_GAP_MS : EAGER_GAP_MS;
    (void)report;
    for (int i = 0; i < s->spans; i++) {
        const struct span *w = &s->span[i];
        int64_t end, gap = load_gap(s->load, w->from, w->to + SEEN_US, &end);
        stage_note(s, "%s%.0f%s", i ? ", " : "gaps in ms: ", (double)gap / 1000,
                   w->at ? "" : " (full resync)");
        good += w->at != 0;
        within += w->at != 0 && gap <= (limit + busy) * 1000;
    }
    if (within == 0 || within < good - s->fast)
        stage_wrong(s, "%d of %d gaps are longer than %d ms", good - within, good, limit + busy);
}

const struct scenario scenario_eager = {
    .name = "eager",
    .title = "planned switchovers, promotion = eager",
    .run = run_in_a_row,
    .account = account_gaps,
    .proxy = {.master_lines = "promotion = eager\n"},
    .limits = {.over_floor_ms = -1},
    .ours = true,
};

const struct scenario scenario_assist = {
    .name = "assist",
    .title = "the same, reconfigure_assist, min-replicas 1",
    .run = run_in_a_row,
    .account = account_gaps,
    .trio = {.min_replicas = 1},
    .proxy = {.master_lines = "promotion = eager\nreconfigure_assist = yes\n"},
    .limits = {.over_floor_ms = -1},
    .ours = true,
};

/* ---- the leader ends in the middle ---- */

/* When a node other than `master` says that it is one; 0: none does within 10 s. Looks every
 * millisecond; the promotion ends every connection, this one too. */
static int64_t await_promotion(struct stage *s, int master)
{
    redisContext *c[TRIO_MAX] = {NULL};
    int64_t at = 0, deadline = now_us() + 10 * 1000000;
    while (!at && now_us() < deadline) {
        for (int i = 0; i < s->trio.options.nodes && !at; i++) {
            if (i == master)
                continue;
            if (!c[i] || c[i]->err) {
                redisFree(c[i]);
                c[i] = trio_glance(&s->trio, i, TRIO_PORT);
            }
            if (strncmp(ask(c[i], "ROLE"), "[master", 7) == 0)
                at = now_us();
        }
        pause_ms(1);
    }
    for (int i = 0; i < TRIO_MAX; i++)
        redisFree(c[i]);
    return at;
}

/* How often the proxy subscribed to the leader. */
static int subscriptions(const struct stage *s)
{
    char text[160];
    snprintf(text, sizeof(text),
             "msg=\"connected to a Sentinel\" group=%s sentinel=%s:%d connection=events",
             TRIO_GROUP, s->trio.name[LEADER], TRIO_SENTINEL_PORT);
    return stage_log_lines(s, text);
}

/* A proxy that does not hear the leader of the next failover learns of it too late. */
static void return_leader(struct stage *s)
{
    int before = subscriptions(s);
    trio_kill_sentinel(&s->trio, LEADER);
    stage_return_sentinel(s, LEADER);
    if (!wait_until(10000, subscriptions(s) > before))
        stage_wrong(s, "the proxy does not subscribe to the leader again");
    stage_whole(s);
}

/* Whether the leader has seen the promotion itself, and so told the others. */
static bool has_told(const struct stage *s, int64_t asked)
{
    stage_go_on(s, TOLD_MS);
    return observer_event(s->observer, "+promoted-slave", asked) != 0;
}

/* Writes go on to the old master 3.5 s after the leader's end, or as soon as it has the replicas that
 * it needs. */
static void note_return(struct stage *s, int64_t asked, int64_t ended, int master)
{
    int64_t floor = ended + RETURN_US;
    int64_t writable = observer_writable(s->observer, master, ended);
    stage_moment(s, asked, writable > floor ? writable : floor);
    s->moment[s->moments - 1].to = now_us();
}

/* One failover whose leader gets `signal` so long after the promotion. Writes go to the old master
 * again after 3.5 s at most; what was acknowledged meanwhile is lost. Returns false when the leader
 * was faster, when nothing was written, or when a Sentinel that had not asked the candidate since an
 * earlier promotion demoted it at once. */
static bool end_leader(struct stage *s, int after_ms, int signal)
{
    int before = stage_master(s), released = stage_log_lines(s, RELEASED);
    int provisional = stage_log_lines(s, PROVISIONAL);
    int64_t asked = now_us();
    if (!trio_failover_by(&s->trio, LEADER))
        stage_wrong(s, "the Sentinel does not take the request");
    int64_t promoted = await_promotion(s, before);
    if (!promoted)
        stage_wrong(s, "nobody is promoted");
    while (now_us() < promoted + after_ms * 1000)
        pause_ms(1);
    stage_signal_sentinel(s, LEADER, signal);
    int64_t ended = now_us();
    bool told = has_told(s, asked);
    int64_t demoted = observer_event(s->observer, "+convert-to-slave", promoted);
    bool good = !told && (!demoted || demoted > ended);
    if (!told) {
        if (!wait_until(RELEASE_MS, stage_log_lines(s, RELEASED) > released))
            stage_wrong(s, "the old master is not written to again");
        load_excuse(s->load, &(struct load_excuse){.sent_by = now_us(),
                                                   .answered_by = INT64_MAX,
                                                   .answered_from = promoted - SEEN_US});
        if (good)
            stage_span(s, promoted, ended, now_us());
        stage_flow(s, 300);
        note_return(s, asked, ended, before);
    }
    return_leader(s);
    if (!told && stage_master(s) != before)
        stage_wrong(s, "the master changed");
    return good && (stage_log_lines(s, PROVISIONAL) > provisional || after_ms == 0);
}

/* The leader asks the candidate for INFO every second, and sometimes just then; a replica that needs a
 * full resync keeps the candidate from taking writes. */
static void end_leaders(struct stage *s, const int *after_ms, int count, int signal)
{
    for (int i = 0; i < count; i++)
        for (int tries = 0; !end_leader(s, after_ms[i], signal); tries++)
            if (tries == TRIES) {
                stage_wrong(s, "the leader sees every promotion at once, or nothing is written");
                break;
            }
}

static void run_leader_dies(struct stage *s)
{
    static const int fast[] = {0, 100}, charts[] = {0, 100, 300, 600};
    end_leaders(s, s->fast ? fast : charts, s->fast ? 2 : 4, SIGKILL);
}

static void run_leader_hangs(struct stage *s)
{
    static const int at_once[] = {0};
    end_leaders(s, at_once, 1, SIGSTOP);
}

/* What was lost is the price, and no fault; that nothing was lost would mean that nothing was tried.
 * The last that was lost says when writes were held again. */
static void account_lost(struct stage *s, int held_ms)
{
    int busy = s->fast ? BUSY_MS : 0;
    long all = 0;
    for (int i = 0; i < s->spans; i++) {
        const struct span *w = &s->span[i];
        int64_t last = w->from;
        long lost = load_lost(s->load, w->from - SEEN_US, w->to, &last);
        all += lost;
        stage_note(s, "%sended %.0f ms after the promotion: %ld writes lost, in %.0f ms",
                   i ? "; " : "", (double)(w->at - w->from) / 1000, lost,
                   (double)(last - w->from) / 1000);
        if (last > w->at + (held_ms + busy) * 1000)
            stage_wrong(s,
                        "writes were held again %.1f ms after the leader's end, at most %d are "
                        "allowed",
                        (double)(last - w->at) / 1000, held_ms + busy);
    }
    if (all == 0)
        stage_wrong(s, "no write was lost: there was none before the leader ended");
    if (stage_log_lines(s, PROVISIONAL) != stage_log_lines(s, HELD) + stage_log_lines(s, CONFIRMED))
        stage_wrong(s, "the proxy does not say that writes are held again");
}

static void account_dies(struct stage *s, const struct load_report *report)
{
    (void)report;
    account_lost(s, SEEN_MS);
}

static void account_hangs(struct stage *s, const struct load_report *report)
{
    (void)report;
    account_lost(s, BELIEVED_MS);
}

const struct scenario scenario_eager_leader_dies = {
    .name = "eager-leader-dies",
    .title = "eager, the leader is killed after the promotion",
    .run = run_leader_dies,
    .account = account_dies,
    .proxy = {.master_lines = "promotion = eager\n"},
    .limits = {.unknown = 4},
    .ours = true,
};

const struct scenario scenario_eager_leader_hangs = {
    .name = "eager-leader-hangs",
    .title = "eager, the leader hangs after the promotion",
    .run = run_leader_hangs,
    .account = account_hangs,
    .proxy = {.master_lines = "promotion = eager\n"},
    .limits = {.unknown = 1},
    .ours = true,
};

const struct scenario scenario_assist_leader_dies = {
    .name = "assist-leader-dies",
    .title = "the same with reconfigure_assist, min-replicas 1",
    .run = run_leader_dies,
    .account = account_dies,
    .trio = {.min_replicas = 1},
    .proxy = {.master_lines = "promotion = eager\nreconfigure_assist = yes\n"},
    .limits = {.unknown = 4},
    .ours = true,
};

/* ---- inflight_writes ---- */

/* It hangs for a moment before it dies, so that every writer waits for an answer: not long enough to
 * be suspect. */
static void run_close(struct stage *s)
{
    int master = stage_master(s);
    stage_signal_node(s, master, SIGSTOP);
    stage_go_on(s, HUNG_MS);
    int64_t killed = now_us();
    trio_kill_node(&s->trio, master);
    stage_loss(s);
    stage_span(s, s->began, killed, now_us());
    stage_switch(s, killed);
    stage_flow(s, 500);
    stage_return(s, master);
}

/* Each of those in flight was disconnected, once, and nobody who wrote later. */
static void account_close(struct stage *s, const struct load_report *report)
{
    long inflight = load_cut(s->load, s->span[0].from, s->span[0].at);
    stage_note(s, "%ld of those in flight disconnected", inflight);
    if (inflight == 0 || report->disconnects != inflight)
        stage_wrong(s, "%ld writers disconnected, %ld of them in flight", report->disconnects,
                    inflight);
}

const struct scenario scenario_inflight_close = {
    .name = "inflight-close",
    .title = "master killed, inflight_writes = close",
    .run = run_close,
    .account = account_close,
    .trio = {.min_replicas = 1},
    .proxy = {.master_lines = "inflight_writes = close\n"},
    .limits = {.disconnects = 1},
    .ours = true,
};
