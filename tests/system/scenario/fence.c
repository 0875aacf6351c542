/*
 * fence: what the old master is told while it is replaced (proxy/topology/election_fence.c), seen by a
 * client that does not come through the proxy, by a second proxy, and by a proxy that has no right to it.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIRECT_MS = 3000, REFUSED_MS = 5, PLAYS = 10, FAST_PLAYS = 3 };

#define PAUSED "msg=\"pausing writes at the old master\""
#define CUT_OFF "msg=\"cutting the old master off\""
#define REFUSED "msg=\"a node does not let itself be fenced off, going on without\""

/* ---- a client of the master itself ---- */

/* It writes sequence numbers to a list, one after the other, to the node that was the master when it came,
 * until that says that it is none, or ends the connection. */
struct direct {
    redisContext *node;
    pthread_t thread;
    atomic_bool over;
    long acknowledged; /* all up to this one, but for those that were refused */
    char *accepted;    /* which */
    long size;
};

static void *write_directly(void *arg)
{
    struct direct *d = arg;
    for (long i = 0; i < d->size && !atomic_load(&d->over); i++) {
        const char *reply = ask(d->node, "RPUSH direct %ld", i);
        d->accepted[i] = reply[0] == ':';
        d->acknowledged += d->accepted[i];
        if (strncmp(reply, "-READONLY", 9) == 0 || reply[0] == '(')
            break;
        if (!d->accepted[i])
            pause_ms(REFUSED_MS);
    }
    return NULL;
}

static void direct_begin(struct stage *s, struct direct *d)
{
    *d = (struct direct){.node = trio_node(&s->trio, stage_master(s)), .size = 1000000};
    d->accepted = calloc(1, (size_t)d->size);
    pthread_create(&d->thread, NULL, write_directly, d);
}

/* Returns how many of its acknowledged writes the new master does not have. */
static long direct_end(struct stage *s, struct direct *d)
{
    long lost = 0;
    atomic_store(&d->over, true);
    pthread_join(d->thread, NULL);
    redisFree(d->node);
    redisContext *c = trio_node(&s->trio, stage_master(s));
    redisReply *r = redisCommand(c, "LRANGE direct 0 -1");
    for (size_t i = 0; r && i < r->elements; i++)
        d->accepted[atol(r->element[i]->str)] = 0;
    for (long i = 0; i < d->size; i++)
        lost += d->accepted[i];
    freeReplyObject(r);
    redisFree(c);
    free(d->accepted);
    return lost;
}

static long play_direct(struct stage *s)
{
    struct direct d;
    direct_begin(s, &d);
    stage_go_on(s, 300);
    stage_switch_over(s);
    long acknowledged = d.acknowledged, lost = direct_end(s, &d);
    stage_note(s, "a direct client: %ld acknowledged, %ld lost; ", acknowledged, lost);
    if (acknowledged < 10)
        stage_wrong(s, "the direct client did not write");
    redisContext *c = trio_node(&s->trio, stage_master(s));
    ask(c, "DEL direct");
    redisFree(c);
    return lost;
}

static void run_direct(struct stage *s)
{
    for (int i = 0; i < (s->fast ? FAST_PLAYS : PLAYS); i++) {
        long lost = play_direct(s);
        if (lost)
            stage_wrong(s, "%ld acknowledged writes of a direct client are lost", lost);
    }
    if (stage_log_lines(s, PAUSED) == 0)
        stage_wrong(s, "nothing was paused");
}

const struct scenario scenario_direct = {
    .name = "direct",
    .title = "a client that bypasses the proxy",
    .run = run_direct,
    .trio = {.min_replicas = 1, .down_after_ms = 10000},
    .ours = true,
};

const struct scenario scenario_direct_demote = {
    .name = "direct-demote",
    .title = "the same, demote = yes, min-replicas-to-write 0",
    .run = run_direct,
    .trio = {.down_after_ms = 10000},
    .proxy = {.master_lines = "demote = yes\n"},
    .ours = true,
};

/* What it is for. */
static void run_direct_unfenced(struct stage *s)
{
    long lost = 0;
    for (int i = 0; i < (s->fast ? 1 : FAST_PLAYS); i++)
        lost += play_direct(s);
    if (lost == 0)
        stage_wrong(s, "nothing was lost without a fence: this proves nothing");
    if (stage_log_lines(s, PAUSED) + stage_log_lines(s, CUT_OFF))
        stage_wrong(s, "there was a fence");
}

const struct scenario scenario_direct_unfenced = {
    .name = "direct-unfenced",
    .title = "the same, fence = no, min-replicas-to-write 1",
    .run = run_direct_unfenced,
    .trio = {.min_replicas = 1, .down_after_ms = 10000},
    .proxy = {.master_lines = "fence = no\n"},
    .ours = true,
};

/* ---- rights ---- */

static void run_no_rights(struct stage *s)
{
    stage_switch_over(s);
    if (stage_log_lines(s, REFUSED) != 1)
        stage_wrong(s, "%d lines say that there is no fence", stage_log_lines(s, REFUSED));
}

const struct scenario scenario_no_rights = {
    .name = "no-rights",
    .title = "the proxy may not pause the nodes",
    .run = run_no_rights,
    .trio = {.min_replicas = 1,
             .node_lines = "user probe on >probing ~* &* +@all -client|pause -monitor\n"},
    .proxy = {.master_lines = "username = probe\npassword = probing\n"},
    .ours = true,
};

/* ---- several proxies ---- */

struct second {
    struct trio trio; /* the same, but for where this proxy listens */
    struct proxy proxy;
    struct load *load;
};

static bool second_begin(struct stage *s, struct second *o)
{
    o->trio = s->trio;
    snprintf(o->trio.proxy_host, sizeof(o->trio.proxy_host), "%s.101", s->trio.scratch.prefix);
    if (proxy_start(&o->proxy, &o->trio, NULL) < 0 || proxy_wait_serving(&o->proxy, &o->trio) < 0)
        return false;
    o->load = load_start(&(struct load_options){
        .host = o->proxy.host, .name = "second", .write_port = PROXY_MASTER, .writers = WRITERS});
    return true;
}

static void second_end(struct stage *s, struct second *o)
{
    struct load_report r;
    load_finish(o->load);
    if (load_report(o->load, &s->trio, &r) < 0)
        stage_wrong(s, "the final master cannot be read");
    else if (r.errors + r.unknown + r.refused + r.disconnects + r.lost + r.doubled)
        stage_wrong(s, "through the other proxy: %ld errors, %ld unknown, %ld lost: %s", r.errors,
                    r.unknown, r.lost, r.first_error);
    stage_note(s, "through the other proxy: %ld acknowledged", r.acknowledged);
    load_free(o->load);
    if (proxy_stop(&o->proxy) < 0)
        stage_wrong(s, "the other proxy did not end well");
}

static void run_two_proxies(struct stage *s)
{
    static struct second other;
    if (!second_begin(s, &other)) {
        stage_wrong(s, "a second proxy does not start");
        return;
    }
    for (int i = 0; i < (s->fast ? FAST_PLAYS : PLAYS); i++)
        stage_switch_over(s);
    stage_flow(s, DIRECT_MS / 10);
    second_end(s, &other);
}

const struct scenario scenario_two_proxies = {
    .name = "two-proxies",
    .title = "two proxies, planned switchovers",
    .run = run_two_proxies,
    .trio = {.min_replicas = 1},
    .ours = true,
};
