/*
 * deals: see deals.h. One thread a client, as in load.c.
 */
#include "harness/deals.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_MS = 10,       /* between two transactions */
    STEP_MS = 2,         /* between two steps of one */
    BUSY_PUSH_MS = 30,   /* items come often */
    RARE_PUSH_MS = 1300, /* ... or so seldom that the popper is blocked most of the time */
    BULK = 64 * 1024,    /* bytes of one value of a large transaction */
    BULKS = 16,          /* such values in it */
    PAIRS = 4,           /* pushers with their poppers */
    EACH = 2,            /* traders of a kind */
    CLIENTS = EACH * 5 + 2 * PAIRS,
    DEALS_MAX = 100000
};

enum kind { STEPWISE, PIPELINED, WATCH_STEPWISE, WATCH_PIPELINED, BULKY, PUSHER, POPPER };

static const char *const names[] = {"stepwise", "pipelined", "watch-step", "watch-pipe",
                                    "bulky",    "pusher",    "popper"};

struct dealer {
    struct deals *deals;
    pthread_t thread;
    enum kind kind;
    int number;
    bool moves, rare; /* a pair's: BLMOVE instead of BLPOP; items come seldom */
    long count;       /* deals begun, items pushed or popped */
    char *done;       /* a trader's: for each deal whether EXEC answered with results */
    long good, nil;
    char wrong[300];
};

struct deals {
    const char *host;
    int port;
    atomic_bool over;
    struct dealer client[CLIENTS];
    char bulk[BULK + 1];
};

__attribute__((format(printf, 2, 3))) static void note(struct dealer *me, const char *format, ...)
{
    va_list args;
    if (me->wrong[0])
        return;
    int at = snprintf(me->wrong, sizeof(me->wrong), "%s %d: ", names[me->kind], me->number);
    va_start(args, format);
    vsnprintf(me->wrong + at, sizeof(me->wrong) - (size_t)at, format, args);
    va_end(args);
}

static void expect(struct dealer *me, const char *what, const char *reply, const char *wanted)
{
    if (strcmp(reply, wanted) != 0)
        note(me, "%s answered %s", what, reply);
}

/* ---- traders ---- */

static bool watches(const struct dealer *me)
{
    return me->kind == WATCH_STEPWISE || me->kind == WATCH_PIPELINED;
}

static bool in_steps(const struct dealer *me)
{
    return me->kind == STEPWISE || me->kind == WATCH_STEPWISE;
}

/* The transaction's own commands: queued, or asked one by one. */
static void say_body(struct dealer *me, redisContext *c, long deal)
{
    say(c, "INCR deal:%d:a", me->number);
    for (int i = 0; me->kind == BULKY && i < BULKS; i++)
        say(c, "SET deal:%d:bulk:%d %s", me->number, i, me->deals->bulk);
    say(c, "INCR deal:%d:b", me->number);
    say(c, "RPUSH deal:%d:log %ld", me->number, deal);
}

static void hear_queued(struct dealer *me, redisContext *c)
{
    int queued = me->kind == BULKY ? 3 + BULKS : 3;
    for (int i = 0; i < queued; i++)
        expect(me, "a command in MULTI", hear(c), "+QUEUED");
}

static void ask_queued(struct dealer *me, redisContext *c, const char *format, long value)
{
    char command[64];
    snprintf(command, sizeof(command), format, me->number, value);
    pause_ms(STEP_MS);
    expect(me, command, ask(c, command), "+QUEUED");
}

/* EXEC's answer. */
static const char *deal_in_steps(struct dealer *me, redisContext *c, long deal)
{
    if (watches(me)) {
        expect(me, "WATCH", ask(c, "WATCH deal:%d:a", me->number), "+OK");
        pause_ms(STEP_MS);
    }
    expect(me, "MULTI", ask(c, "MULTI"), "+OK");
    ask_queued(me, c, "INCR deal:%d:a", 0);
    ask_queued(me, c, "INCR deal:%d:b", 0);
    ask_queued(me, c, "RPUSH deal:%d:log %ld", deal);
    pause_ms(STEP_MS);
    return ask(c, "EXEC");
}

static const char *deal_in_one(struct dealer *me, redisContext *c, long deal)
{
    if (watches(me))
        say(c, "WATCH deal:%d:a", me->number);
    say(c, "MULTI");
    say_body(me, c, deal);
    say(c, "EXEC");
    if (watches(me))
        expect(me, "WATCH", hear(c), "+OK");
    expect(me, "MULTI", hear(c), "+OK");
    hear_queued(me, c);
    return hear(c);
}

/* Both counters and the log's length are the number of the deals that were done. */
static void check_results(struct dealer *me, const char *reply)
{
    char first[32], last[48];
    snprintf(first, sizeof(first), "[:%ld, ", me->good);
    snprintf(last, sizeof(last), ":%ld, :%ld]", me->good, me->good);
    size_t len = strlen(reply), end = strlen(last);
    if (strncmp(reply, first, strlen(first)) != 0 || len < end ||
        strcmp(reply + len - end, last) != 0)
        note(me, "deal %ld answered %.200s, but %ld were done", me->count, reply, me->good);
}

static void *run_trader(void *arg)
{
    struct dealer *me = arg;
    redisContext *c = client_open(me->deals->host, me->deals->port);
    while (!atomic_load(&me->deals->over) && me->count < DEALS_MAX && !c->err) {
        long deal = me->count++;
        const char *reply = in_steps(me) ? deal_in_steps(me, c, deal) : deal_in_one(me, c, deal);
        if (reply[0] == '[') {
            me->done[deal] = 1;
            me->good++;
            check_results(me, reply);
        } else if (strcmp(reply, "(nil)") == 0 && watches(me)) {
            me->nil++;
        } else {
            note(me, "EXEC answered %s", reply);
        }
        pause_ms(PAUSE_MS);
    }
    redisFree(c);
    return NULL;
}

/* ---- pairs ---- */

static void *run_pusher(void *arg)
{
    struct dealer *me = arg;
    redisContext *c = client_open(me->deals->host, me->deals->port);
    int64_t next_ms = 0;
    while (!atomic_load(&me->deals->over) && !c->err) {
        if (now_ms() >= next_ms) {
            const char *reply = ask(c, "RPUSH deal:%d:items %ld", me->number, me->count++);
            if (reply[0] != ':')
                note(me, "RPUSH answered %s", reply);
            next_ms = now_ms() + (me->rare ? RARE_PUSH_MS : BUSY_PUSH_MS);
        }
        pause_ms(PAUSE_MS);
    }
    ask(c, "RPUSH deal:%d:items end", me->number);
    redisFree(c);
    return NULL;
}

static const char *pop(const struct dealer *me, redisContext *c)
{
    if (me->moves)
        return ask(c, "BLMOVE deal:%d:items deal:%d:moved LEFT RIGHT 0", me->number, me->number);
    return ask(c, "BLPOP deal:%d:items 0", me->number);
}

/* Whether the answer brings this item. */
static bool brings(const struct dealer *me, const char *reply, const char *item)
{
    char popped[80];
    snprintf(popped, sizeof(popped), "[deal:%d:items, %s]", me->number, item);
    return strcmp(reply, me->moves ? item : popped) == 0;
}

/* Item by item, in order, until the last word. */
static void *run_popper(void *arg)
{
    struct dealer *me = arg;
    redisContext *c = client_open(me->deals->host, me->deals->port);
    const char *reply;
    while (!brings(me, reply = pop(me, c), "end")) {
        char next[24];
        snprintf(next, sizeof(next), "%ld", me->count);
        if (!brings(me, reply, next)) {
            note(me, "instead of item %ld: %s", me->count, reply);
            break;
        }
        me->count++;
    }
    redisFree(c);
    return NULL;
}

/* ---- all of them ---- */

static struct dealer *start(struct deals *d, int at, enum kind kind, int number)
{
    static void *(*const run[])(void *) = {run_trader, run_trader, run_trader, run_trader,
                                           run_trader, run_pusher, run_popper};
    struct dealer *me = &d->client[at];
    *me = (struct dealer){.deals = d, .kind = kind, .number = number};
    me->moves = number % 2;
    me->rare = number % 4 >= 2;
    me->done = calloc(DEALS_MAX, 1);
    pthread_create(&me->thread, NULL, run[kind], me);
    return me;
}

struct deals *deals_start(const char *host, int port)
{
    struct deals *d = calloc(1, sizeof(*d));
    int at = 0;
    d->host = host;
    d->port = port;
    memset(d->bulk, 'x', BULK);
    for (; at < EACH * 5; at++)
        start(d, at, (enum kind)(STEPWISE + at % 5), at);
    for (int pair = 0; pair < PAIRS; pair++) {
        start(d, at++, PUSHER, 100 + pair);
        start(d, at++, POPPER, 100 + pair);
    }
    return d;
}

/* ---- the account ---- */

static void check_log(struct dealer *me, redisContext *c)
{
    redisReply *r = redisCommand(c, "LRANGE deal:%d:log 0 -1", me->number);
    long before = -1, found = 0;
    for (size_t i = 0; r && i < r->elements; i++, found++) {
        long deal = atol(r->element[i]->str);
        if (deal <= before || deal >= me->count || !me->done[deal])
            note(me, "deal %ld is in the log at %zu, behind %ld; EXEC had%s answered", deal, i,
                 before, deal < me->count && me->done[deal] ? "" : " not");
        before = deal;
    }
    freeReplyObject(r);
    if (found != me->good)
        note(me, "%ld deals are in the log, %ld were answered", found, me->good);
}

static void check_counters(struct dealer *me, redisContext *c)
{
    static const char *const counters[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        const char *value = ask(c, "GET deal:%d:%s", me->number, counters[i]);
        if (atol(value) != me->good)
            note(me, "counter %s is %s, %ld deals were done", counters[i], value, me->good);
    }
}

static void check_items(struct dealer *popper, const struct dealer *pusher, redisContext *c)
{
    if (popper->count != pusher->count)
        note(popper, "%ld items of %ld were popped", popper->count, pusher->count);
    long moved = atol(ask(c, "LLEN deal:%d:moved", popper->number) + 1);
    if (popper->moves && moved != popper->count + 1)
        note(popper, "%ld items of %ld were moved", moved - 1, popper->count);
}

static void account(struct deals *d, redisContext *c, char *wrong, size_t size)
{
    long good = 0, nil = 0, popped = 0;
    for (int i = 0; i < CLIENTS; i++) {
        struct dealer *me = &d->client[i];
        if (me->kind == POPPER) {
            check_items(me, &d->client[i - 1], c);
            popped += me->count;
        } else if (me->kind != PUSHER) {
            check_log(me, c);
            check_counters(me, c);
            if (!me->good)
                note(me, "not one of its %ld deals was done", me->count);
        }
        good += me->good;
        nil += me->nil;
        if (me->wrong[0] && !wrong[0])
            snprintf(wrong, size, "%s", me->wrong);
    }
    fprintf(stderr, "deals: %ld done, %ld nil; %ld items popped\n", good, nil, popped);
}

void deals_finish(struct deals *d, struct trio *trio, char *wrong, size_t size)
{
    int master = trio_master(trio);
    wrong[0] = '\0';
    atomic_store(&d->over, true);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(d->client[i].thread, NULL);
    redisContext *c = trio_node(trio, master < 0 ? 0 : master);
    account(d, c, wrong, size);
    redisFree(c);
    for (int i = 0; i < CLIENTS; i++)
        free(d->client[i].done);
    free(d);
}
