/*
 * soak_events: what can happen in a soak (soak.h), how it is drawn, and making it happen.
 *
 * A blow strikes whoever was master or replica when the event began: that is known beforehand, and a
 * switchover in between makes the killed replica the candidate, or the hanging master the old one.
 */
#include "harness/client.h"
#include "harness/wait.h"
#include "scenario/soak.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    SENTINELS = 3,
    ASK_MS = 3000,      /* for a Sentinel to take the request for a failover */
    PRE_STOP_MS = 8000, /* an upgrade's, for the role to change */
    PROMOTED_MS = 20000,
    TILT_MS = 2000,
    HEAL_TRIES = 3
};

/* ---- drawing ---- */

/* splitmix64: the same numbers on every machine. */
static unsigned draw(uint64_t *state, unsigned below)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static int draw_away(uint64_t *state, enum soak_deed deed)
{
    if (deed == SOAK_SWITCHOVER)
        return 0;
    if (deed == SOAK_HANG) /* shorter than a suspicion, than down-after-milliseconds, or longer */
        return 100 + (int)draw(state, draw(state, 2) ? 900 : 4400);
    return 100 + (int)draw(state, draw(state, 2) ? 1500 : 3900);
}

static struct soak_blow draw_node_blow(uint64_t *state, int at_ms)
{
    static const enum soak_deed deeds[] = {SOAK_KILL, SOAK_HANG, SOAK_RESTART};
    struct soak_blow b = {.deed = deeds[draw(state, 3)], .at_ms = at_ms};
    b.whom = draw(state, 100) < 70 ? SOAK_MASTER : SOAK_REPLICA;
    b.which = (int)draw(state, 2);
    b.away_ms = draw_away(state, b.deed);
    return b;
}

static struct soak_blow draw_sentinel_blow(uint64_t *state, int at_ms)
{
    static const enum soak_deed deeds[] = {SOAK_KILL, SOAK_HANG, SOAK_RESTART};
    struct soak_blow b = {.deed = deeds[draw(state, 3)], .whom = SOAK_SENTINEL, .at_ms = at_ms};
    b.which = (int)draw(state, SENTINELS);
    b.away_ms = draw_away(state, b.deed);
    return b;
}

static struct soak_blow draw_switchover(uint64_t *state, int at_ms)
{
    struct soak_blow b = {.deed = SOAK_SWITCHOVER, .whom = SOAK_SENTINEL, .at_ms = at_ms};
    b.which = (int)draw(state, SENTINELS);
    return b;
}

static struct soak_blow draw_first(uint64_t *state)
{
    unsigned what = draw(state, 100);
    if (what < 26)
        return draw_switchover(state, 0);
    if (what < 34)
        return (struct soak_blow){.deed = SOAK_UPGRADE,
                                  .whom = SOAK_MASTER,
                                  .leads_ms = (int)draw(state, 1500),
                                  .away_ms = draw_away(state, SOAK_RESTART)};
    return what < 80 ? draw_node_blow(state, 0) : draw_sentinel_blow(state, 0);
}

static struct soak_blow draw_second(uint64_t *state, const struct soak_blow *first)
{
    int at_ms = (int)draw(state, 1500);
    if (first->whom != SOAK_SENTINEL) /* a crash takes longer than a switchover */
        return draw_sentinel_blow(state, at_ms * 2);
    bool node = draw(state, 100) < 50;
    if (first->deed == SOAK_SWITCHOVER)
        return node ? draw_node_blow(state, at_ms) : draw_sentinel_blow(state, at_ms);
    if (node)
        return draw_node_blow(state, at_ms);
    struct soak_blow b = draw_switchover(state, at_ms);
    if (b.which == first->which) /* that one is away */
        b.which = (b.which + 1) % SENTINELS;
    return b;
}

void soak_draw(unsigned long seed, int number, struct soak_event *e)
{
    uint64_t state = seed * 1000003u + (uint64_t)number;
    *e = (struct soak_event){.number = number, .gap_ms = 100 + (int)draw(&state, 1400)};
    e->blow[e->blows++] = draw_first(&state);
    if (e->blow[0].deed != SOAK_UPGRADE && draw(&state, 100) < 40)
        e->blow[e->blows++] = draw_second(&state, &e->blow[0]);
}

static void describe_blow(const struct soak_blow *b, FILE *out)
{
    static const char *const deeds[] = {"is asked for a switchover", "killed", "hangs", "restarts",
                                        "is upgraded"};
    if (b->at_ms)
        fprintf(out, "+%d ms: ", b->at_ms);
    if (b->whom == SOAK_SENTINEL)
        fprintf(out, "Sentinel %d", b->which + 1);
    else if (b->whom == SOAK_MASTER)
        fprintf(out, "the master");
    else
        fprintf(out, "replica %d", b->which + 1);
    fprintf(out, " %s", deeds[b->deed]);
    if (b->deed == SOAK_UPGRADE)
        fprintf(out, ", its Sentinel leads for %d ms", b->leads_ms);
    if (b->away_ms)
        fprintf(out, ", %d ms", b->away_ms);
}

void soak_describe(const struct soak_event *e, char *text, size_t size)
{
    FILE *out = fmemopen(text, size, "w");
    for (int i = 0; i < e->blows; i++) {
        fputs(i ? "; " : "", out);
        describe_blow(&e->blow[i], out);
    }
    fclose(out);
}

/* ---- making it happen ---- */

static bool sentinel_takes(struct stage *s, int sentinel)
{
    redisContext *c = trio_glance(&s->trio, sentinel, TRIO_SENTINEL_PORT);
    bool taken = strcmp(ask(c, "SENTINEL FAILOVER " TRIO_GROUP), "+OK") == 0;
    redisFree(c);
    return taken;
}

/* Sentinels refuse while they see no good replica, or a failover going on: then there is none. */
static void switch_over(struct stage *s, int sentinel)
{
    int64_t until = now_ms() + ASK_MS;
    for (int i = sentinel; now_ms() < until; i++) {
        if (s->trio.sentinel_pid[i % SENTINELS] > 0 && sentinel_takes(s, i % SENTINELS))
            return;
        pause_ms(10);
    }
}

static void strike(struct soak *soak, struct soak_blow *b)
{
    struct stage *s = &soak->stage;
    bool sentinel = b->whom == SOAK_SENTINEL;
    if (b->deed == SOAK_SWITCHOVER)
        switch_over(s, b->which);
    else if (b->deed == SOAK_KILL && sentinel)
        trio_kill_sentinel(&s->trio, b->which);
    else if (b->deed == SOAK_KILL)
        trio_kill_node(&s->trio, b->node);
    else if (sentinel)
        stage_signal_sentinel(s, b->which, b->deed == SOAK_HANG ? SIGSTOP : SIGTERM);
    else
        stage_signal_node(s, b->node, b->deed == SOAK_HANG ? SIGSTOP : SIGTERM);
    b->struck_at = now_us();
}

void soak_tell_sentinel(struct stage *s, int sentinel)
{
    redisContext *c = trio_glance(&s->trio, sentinel, TRIO_SENTINEL_PORT);
    ask(c, "SENTINEL DEBUG tilt-period %d", TILT_MS);
    redisFree(c);
}

/* One that was killed without a journal has lost its data: it must not be master when it is back. */
static void wait_promotion(struct soak *soak, const struct soak_event *e, const struct soak_blow *b)
{
    if (!soak->stage.trio.options.journal && soak_is_lossy(soak, e, b))
        wait_until(PROMOTED_MS,
                   trio_named(&soak->stage.trio) >= 0 && trio_named(&soak->stage.trio) != b->node);
}

static void bring_back(struct soak *soak, const struct soak_event *e, struct soak_blow *b)
{
    struct stage *s = &soak->stage;
    bool sentinel = b->whom == SOAK_SENTINEL;
    if (b->deed == SOAK_HANG && sentinel) {
        stage_signal_sentinel(s, b->which, SIGCONT);
    } else if (b->deed == SOAK_HANG) {
        stage_signal_node(s, b->node, SIGCONT);
    } else if (sentinel) {
        trio_end_sentinel(&s->trio, b->which);
        stage_return_sentinel(s, b->which);
        soak_tell_sentinel(s, b->which);
    } else {
        trio_end_node(&s->trio, b->node);
        if (b->deed == SOAK_KILL)
            wait_promotion(soak, e, b);
        stage_return(s, b->node);
    }
}

static bool is_master(struct stage *s, int node)
{
    redisContext *c = trio_glance(&s->trio, node, TRIO_PORT);
    bool yes = strcmp(info_field(c, "replication", "role"), "master") == 0;
    redisFree(c);
    return yes;
}

/* As the redis-ha chart's pods go (rolling.c). */
static void upgrade(struct stage *s, struct soak_blow *b)
{
    b->struck_at = now_us();
    sentinel_takes(s, b->node);
    stage_go_on(s, b->leads_ms);
    trio_end_sentinel(&s->trio, b->node);
    wait_until(PRE_STOP_MS, !is_master(s, b->node));
    trio_end_node(&s->trio, b->node);
    stage_go_on(s, b->away_ms);
    stage_return(s, b->node);
    stage_return_sentinel(s, b->node);
    soak_tell_sentinel(s, b->node);
}

struct act {
    int64_t at;
    bool back;
    struct soak_blow *blow;
};

static int plan(struct soak_event *e, struct act *acts)
{
    int count = 0;
    for (int i = 0; i < e->blows; i++) {
        struct soak_blow *b = &e->blow[i];
        acts[count++] = (struct act){e->began / 1000 + b->at_ms, false, b};
        if (b->deed != SOAK_SWITCHOVER)
            acts[count++] = (struct act){e->began / 1000 + b->at_ms + b->away_ms, true, b};
    }
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && acts[k].at < acts[k - 1].at; k--) {
            struct act later = acts[k - 1];
            acts[k - 1] = acts[k];
            acts[k] = later;
        }
    return count;
}

static void act(struct soak *soak, struct soak_event *e)
{
    struct act acts[SOAK_BLOWS_MAX * 2];
    int count = plan(e, acts);
    for (int i = 0; i < count; i++) {
        int64_t wait = acts[i].at - now_ms();
        stage_go_on(&soak->stage, wait > 0 ? (int)wait : 0);
        if (acts[i].back)
            bring_back(soak, e, acts[i].blow);
        else
            strike(soak, acts[i].blow);
    }
}

static void choose_victims(struct soak_event *e)
{
    for (int i = 0; i < e->blows; i++) {
        struct soak_blow *b = &e->blow[i];
        b->node = e->master_before;
        if (b->whom == SOAK_REPLICA)
            b->node = (e->master_before + 1 + b->which) % 3;
    }
}

/* Of the last promotion, if that node is the master now. */
static void note_floor(struct stage *s, struct soak_event *e)
{
    struct promotion p;
    struct switchover seen;
    if (!observer_promotion(s->observer, e->began, e->ended, &p) || p.node != e->master_after)
        return;
    if (observer_switchover(s->observer, e->began, &seen) == 0 && seen.master == p.node)
        e->floor = seen.floor;
}

void soak_happen(struct soak *soak, struct soak_event *e)
{
    struct stage *s = &soak->stage;
    stage_go_on(s, e->gap_ms);
    load_take_gap(s->load);
    e->began = now_us();
    e->master_before = stage_master(s);
    choose_victims(e);
    if (e->blow[0].deed == SOAK_UPGRADE)
        upgrade(s, &e->blow[0]);
    else
        act(soak, e);
    stage_flow(s, 0);
    for (int i = 0; i < HEAL_TRIES && !e->whole; i++)
        e->whole = trio_wait_whole(&s->trio) == 0;
    e->ended = now_us();
    e->master_after = stage_master(s);
    e->write_gap = load_take_gap(s->load);
    note_floor(s, e);
}

bool soak_is_lossy(struct soak *soak, const struct soak_event *e, const struct soak_blow *b)
{
    struct promotion p;
    if (b->whom == SOAK_SENTINEL || (b->deed != SOAK_KILL && b->deed != SOAK_HANG))
        return false;
    return b->node == e->master_before ||
           (observer_promotion(soak->stage.observer, e->began, b->struck_at, &p) &&
            p.node == b->node);
}
