/*
 * observer: see observer.h. One thread for each node and each Sentinel; what they see goes into one
 * array under one lock, in the order in which it was seen.
 */
#include "harness/observer.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 160, SWITCH_DEADLINE_MS = 60000, PROMOTIONS_MAX = 2000 };

enum sight_kind { SIGHT_EVENT, SIGHT_MASTER, SIGHT_WRITABLE, SIGHT_REPLICA, SIGHT_GONE };

struct sight {
    int64_t at;
    enum sight_kind kind;
    int who;       /* number of the node, or of the Sentinel */
    int sentinels; /* how many ran at that time */
    char text[TEXT_MAX];
};

struct observer {
    const struct trio *trio;
    struct watcher {
        struct observer *observer;
        pthread_t thread;
        int number;
        bool answers;          /* a node: reads */
        struct promotion copy; /* a node's, when it was last seen as a replica */
    } node[TRIO_MAX], sentinel[TRIO_MAX];
    atomic_int ready, lists;
    atomic_bool over;
    char followed[40];
    pthread_mutex_t lock; /* of what follows */
    long count, room;
    struct sight *sights;
    long reading_count, reading_room;
    struct reading {
        int64_t at;
        int who;
        bool answers;
    } * readings; /* whenever a node began, or ceased, to answer reads */
    int promotions;
    struct promotion promotion[PROMOTIONS_MAX];
};

static int sentinels_running(const struct trio *t)
{
    int running = 0;
    for (int i = 0; i < t->options.sentinels; i++)
        running += t->sentinel_pid[i] > 0;
    return running;
}

static void note(struct observer *o, enum sight_kind kind, int who, const char *channel,
                 const char *text)
{
    int64_t at = now_us();
    pthread_mutex_lock(&o->lock);
    if (o->count == o->room) {
        o->room = o->room ? o->room * 2 : 1024;
        o->sights = realloc(o->sights, (size_t)o->room * sizeof(*o->sights));
    }
    struct sight *s = &o->sights[o->count++];
    *s = (struct sight){.at = at, .kind = kind, .who = who};
    s->sentinels = sentinels_running(o->trio);
    snprintf(s->text, sizeof(s->text), "%s %s", channel, text);
    pthread_mutex_unlock(&o->lock);
}

/* ---- nodes ---- */

/* The newest element of each followed list, as one array of texts. */
#define NEWEST_SCRIPT                                                                              \
    "local t = {} for i = 1, ARGV[2] do "                                                          \
    "t[i] = redis.call('LINDEX', ARGV[1] .. ':' .. (i - 1), -1) or '-1' end return t"

/* Takes the answer to NEWEST_SCRIPT down as the node's copy. */
static void take_copy(struct watcher *w, const char *answer, int lists, int64_t at)
{
    const char *rest = answer;
    if (answer[0] != '[')
        return; /* it is loading */
    for (int i = 0; i < lists && rest; i++) {
        w->copy.newest[i] = atol(rest + (i ? 2 : 1));
        rest = strchr(rest + 1, ',');
    }
    w->copy.lists = lists;
    w->copy.looked = at;
}

static void note_promotion(struct watcher *w)
{
    struct observer *o = w->observer;
    pthread_mutex_lock(&o->lock);
    if (o->promotions < PROMOTIONS_MAX) {
        w->copy.at = now_us();
        w->copy.node = w->number;
        o->promotion[o->promotions++] = w->copy;
    }
    pthread_mutex_unlock(&o->lock);
}

static void note_reading(struct watcher *w, bool answers, int64_t at)
{
    struct observer *o = w->observer;
    if (w->answers == answers)
        return;
    w->answers = answers;
    pthread_mutex_lock(&o->lock);
    if (o->reading_count == o->reading_room) {
        o->reading_room = o->reading_room ? o->reading_room * 2 : 256;
        o->readings = realloc(o->readings, (size_t)o->reading_room * sizeof(*o->readings));
    }
    o->readings[o->reading_count++] = (struct reading){at, w->number, answers};
    pthread_mutex_unlock(&o->lock);
}

/* What a node says it is; SIGHT_GONE when it does not say. */
static enum sight_kind look(struct watcher *w, redisContext *c)
{
    int min_replicas = w->observer->trio->options.min_replicas;
    int lists = atomic_load(&w->observer->lists);
    int64_t asked = now_us();
    redisAppendCommand(c, "ROLE");
    redisAppendCommand(c, "INFO replication");
    redisAppendCommand(c, "EXISTS observer");
    if (lists)
        redisAppendCommand(c, "EVAL_RO %s 0 %s %d", NEWEST_SCRIPT, w->observer->followed, lists);
    const char *role = hear(c), *info = hear(c), *read = hear(c), *newest = lists ? hear(c) : "";
    note_reading(w, !c->err && read[0] == ':', read[0] == ':' ? now_us() : asked);
    if (c->err || role[0] != '[')
        return SIGHT_GONE;
    if (strncmp(role, "[master", 7) != 0) {
        take_copy(w, newest, lists, asked);
        return SIGHT_REPLICA;
    }
    const char *good = strstr(info, "min_slaves_good_slaves:");
    if (min_replicas > 0 &&
        (!good || atoi(good + strlen("min_slaves_good_slaves:")) < min_replicas))
        return SIGHT_MASTER;
    return SIGHT_WRITABLE;
}

static void *watch_node(void *arg)
{
    static const char *const names[] = {"", "is master", "takes writes", "is replica", "is silent"};
    struct watcher *w = arg;
    struct observer *o = w->observer;
    redisContext *c = trio_glance(o->trio, w->number, TRIO_PORT);
    enum sight_kind last = SIGHT_EVENT;
    bool was_replica = false;
    atomic_fetch_add(&o->ready, 1);
    while (!atomic_load(&o->over)) {
        enum sight_kind now = look(w, c);
        if (now == SIGHT_GONE) { /* Sentinel's CLIENT KILL reaches us too: look again at once */
            redisFree(c);
            c = trio_glance(o->trio, w->number, TRIO_PORT);
            now = look(w, c);
        }
        if (was_replica && (now == SIGHT_MASTER || now == SIGHT_WRITABLE))
            note_promotion(w);
        if (now != SIGHT_GONE)
            was_replica = now == SIGHT_REPLICA;
        if (now != last)
            note(o, now, w->number, o->trio->name[w->number], names[now]);
        last = now;
        pause_ms(5);
    }
    redisFree(c);
    return NULL;
}

/* ---- Sentinels ---- */

static redisContext *subscribe(const struct watcher *w)
{
    redisContext *c = trio_glance(w->observer->trio, w->number, TRIO_SENTINEL_PORT);
    ask(c, "PSUBSCRIBE *");
    return c;
}

static void *watch_sentinel(void *arg)
{
    struct watcher *w = arg;
    struct observer *o = w->observer;
    redisContext *c = subscribe(w);
    atomic_fetch_add(&o->ready, 1);
    while (!atomic_load(&o->over)) {
        void *reply = NULL;
        if (c->err) {
            redisFree(c);
            pause_ms(20);
            c = subscribe(w);
        } else if (redisGetReplyFromReader(c, &reply) == REDIS_OK && reply) {
            redisReply *r = reply;
            if (r->type == REDIS_REPLY_ARRAY && r->elements == 4)
                note(o, SIGHT_EVENT, w->number, r->element[2]->str, r->element[3]->str);
            freeReplyObject(r);
        } else if (heard(c, 100)) {
            redisBufferRead(c);
        }
    }
    redisFree(c);
    return NULL;
}

/* ---- life ---- */

struct observer *observer_start(const struct trio *trio)
{
    struct observer *o = calloc(1, sizeof(*o));
    o->trio = trio;
    pthread_mutex_init(&o->lock, NULL);
    for (int i = 0; i < trio->options.nodes; i++) {
        o->node[i] = (struct watcher){.observer = o, .number = i};
        pthread_create(&o->node[i].thread, NULL, watch_node, &o->node[i]);
    }
    for (int i = 0; i < trio->options.sentinels; i++) {
        o->sentinel[i] = (struct watcher){.observer = o, .number = i};
        pthread_create(&o->sentinel[i].thread, NULL, watch_sentinel, &o->sentinel[i]);
    }
    wait_until(10000, atomic_load(&o->ready) == trio->options.nodes + trio->options.sentinels);
    return o;
}

void observer_stop(struct observer *o)
{
    atomic_store(&o->over, true);
    for (int i = 0; i < o->trio->options.nodes; i++)
        pthread_join(o->node[i].thread, NULL);
    for (int i = 0; i < o->trio->options.sentinels; i++)
        pthread_join(o->sentinel[i].thread, NULL);
    pthread_mutex_destroy(&o->lock);
    free(o->sights);
    free(o->readings);
    free(o);
}

void observer_follow(struct observer *o, const char *name, int lists)
{
    snprintf(o->followed, sizeof(o->followed), "%s", name);
    atomic_store(&o->lists, lists < OBSERVED_LISTS ? lists : OBSERVED_LISTS);
}

/* ---- what was seen ---- */

static bool is_event(const struct sight *s, const char *channel)
{
    size_t len = strlen(channel);
    return s->kind == SIGHT_EVENT && strncmp(s->text, channel, len) == 0 && s->text[len] == ' ';
}

/* The number of the node with this "ip port" at the end of a +switch-master; -1: none of ours. */
static int switched_to(const struct trio *t, const char *text)
{
    char ip[64] = "";
    if (sscanf(text, "+switch-master %*s %*s %*s %63s", ip) == 1)
        for (int i = 0; i < t->options.nodes; i++)
            if (strcmp(ip, t->name[i]) == 0 || strcmp(ip, t->host[i]) == 0)
                return i;
    return -1;
}

/* Whether a Sentinel names the new master by this event: with one Sentinel gone the second voice is
 * the leader's, who names it from the promotion on (it publishes +switch-master only at the end).
 */
static bool names_master(const struct sight *s)
{
    return is_event(s, "+switch-master") || (s->sentinels == 2 && is_event(s, "+promoted-slave"));
}

static void take_sight(const struct observer *o, const struct sight *s, struct switchover *out,
                       unsigned *published)
{
    if (is_event(s, "+elected-leader") && !out->elected)
        out->elected = s->at;
    if (is_event(s, "+switch-master"))
        out->master = switched_to(o->trio, s->text);
    if (names_master(s) && !(*published & 1u << s->who)) {
        *published |= 1u << s->who;
        if (__builtin_popcount(*published) == 2)
            out->switched = s->at;
    }
}

/* Finds what can be found by now; whether the switchover is over. */
static bool find_switchover(struct observer *o, int64_t asked, struct switchover *out)
{
    unsigned published = 0;
    *out = (struct switchover){.asked = asked, .master = -1};
    pthread_mutex_lock(&o->lock);
    for (long i = 0; i < o->count; i++)
        if (o->sights[i].at >= asked)
            take_sight(o, &o->sights[i], out, &published);
    for (long i = 0; i < o->count; i++) {
        const struct sight *s = &o->sights[i];
        if (s->at < asked || s->who != out->master)
            continue;
        if ((s->kind == SIGHT_MASTER || s->kind == SIGHT_WRITABLE) && !out->promoted)
            out->promoted = s->at;
        if (s->kind == SIGHT_WRITABLE && !out->writable)
            out->writable = s->at;
    }
    pthread_mutex_unlock(&o->lock);
    out->floor = out->writable > out->switched ? out->writable : out->switched;
    return out->master >= 0 && out->switched && out->writable;
}

int observer_switchover(struct observer *o, int64_t asked, struct switchover *out)
{
    return wait_until(SWITCH_DEADLINE_MS, find_switchover(o, asked, out)) ? 0 : -1;
}

int64_t observer_event(struct observer *o, const char *channel, int64_t since)
{
    int64_t at = 0;
    pthread_mutex_lock(&o->lock);
    for (long i = 0; i < o->count && !at; i++)
        if (o->sights[i].at >= since && is_event(&o->sights[i], channel))
            at = o->sights[i].at;
    pthread_mutex_unlock(&o->lock);
    return at;
}

int64_t observer_last_event(struct observer *o, const char *channel, int64_t from, int64_t to)
{
    int64_t at = 0;
    pthread_mutex_lock(&o->lock);
    for (long i = 0; i < o->count; i++)
        if (o->sights[i].at >= from && o->sights[i].at <= to && is_event(&o->sights[i], channel))
            at = o->sights[i].at;
    pthread_mutex_unlock(&o->lock);
    return at;
}

int64_t observer_writable(struct observer *o, int node, int64_t since)
{
    int64_t at = 0;
    pthread_mutex_lock(&o->lock);
    for (long i = 0; i < o->count && !at; i++) {
        const struct sight *s = &o->sights[i];
        if (s->at >= since && s->who == node && s->kind == SIGHT_WRITABLE)
            at = s->at;
    }
    pthread_mutex_unlock(&o->lock);
    return at;
}

static int earlier(const void *a, const void *b)
{
    const struct reading *one = a, *other = b;
    return one->at < other->at ? -1 : one->at > other->at;
}

int64_t observer_unreadable(struct observer *o, int64_t from, int64_t to)
{
    int64_t total = 0, since = from;
    unsigned answering = 0;
    pthread_mutex_lock(&o->lock);
    /* A node's silence is noticed later than it began: it is put where it belongs. */
    if (o->reading_count)
        qsort(o->readings, (size_t)o->reading_count, sizeof(*o->readings), earlier);
    for (long i = 0; i <= o->reading_count; i++) {
        const struct reading *r = i < o->reading_count ? &o->readings[i] : NULL;
        int64_t at = r && r->at < to ? r->at : to;
        if (at > since && !answering)
            total += at - since;
        if (at > since)
            since = at;
        if (r && r->answers)
            answering |= 1u << r->who;
        else if (r)
            answering &= ~(1u << r->who);
    }
    pthread_mutex_unlock(&o->lock);
    return total;
}

void observer_each(struct observer *o, int64_t since,
                   void (*take)(void *user, int64_t at, int sentinel, const char *event),
                   void *user)
{
    pthread_mutex_lock(&o->lock);
    for (long i = 0; i < o->count; i++)
        if (o->sights[i].kind == SIGHT_EVENT && o->sights[i].at >= since)
            take(user, o->sights[i].at, o->sights[i].who, o->sights[i].text);
    pthread_mutex_unlock(&o->lock);
}

bool observer_promotion(struct observer *o, int64_t from, int64_t to, struct promotion *out)
{
    bool found = false;
    pthread_mutex_lock(&o->lock);
    for (int i = 0; i < o->promotions; i++)
        if (o->promotion[i].at >= from && o->promotion[i].at <= to) {
            *out = o->promotion[i];
            found = true;
        }
    pthread_mutex_unlock(&o->lock);
    return found;
}

void observer_show(struct observer *o, int64_t since, int64_t until)
{
    pthread_mutex_lock(&o->lock);
    for (long i = 0; i < o->count; i++) {
        const struct sight *s = &o->sights[i];
        if (s->at >= since && (!until || s->at <= until))
            fprintf(stderr, "%8.1f ms  %s %d: %s\n", (double)(s->at - since) / 1000,
                    s->kind == SIGHT_EVENT ? "sentinel" : "node", s->who + 1, s->text);
    }
    pthread_mutex_unlock(&o->lock);
}
