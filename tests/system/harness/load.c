/*
 * load: see load.h. One thread a client: on loopback with 20 ms pauses that costs nothing, and each
 * client reads like a client. A writer never repeats a write: the next sequence number follows
 * whatever became of the last one.
 */
#include "harness/load.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS_MAX = 64, WRITE_PAUSE_MS = 20, READ_PAUSE_MS = 5, STRAY_PAUSE_MS = 10 };

#define READONLY_TEXT "-READONLY You can't write against a read only replica."
#define UNKNOWN_TEXT                                                                               \
    "-ERR redisproxy: outcome unknown, the connection to the master was lost after the command "   \
    "was sent"

enum fate { FATE_OPEN, FATE_ACKNOWLEDGED, FATE_ERROR, FATE_UNKNOWN };

struct write_record {
    int64_t sent, answered;
    enum fate fate;
};

struct load_client {
    struct load *load;
    pthread_t thread;
    int number;
    struct write_record *writes; /* a writer's: the index is the sequence number */
    long count, room;
    long good, bad, disconnects, accepted;
    char first_error[200];
};

struct load {
    struct load_options options;
    atomic_bool over;
    struct load_client client[CLIENTS_MAX];
    int clients;
};

static void note_error(struct load_client *me, const char *what, const char *reply)
{
    if (!me->first_error[0])
        snprintf(me->first_error, sizeof(me->first_error), "%s %d: %s", what, me->number, reply);
}

static bool connection_lost(const char *reply)
{
    return strncmp(reply, "(closed)", 8) == 0;
}

static redisContext *reconnect(redisContext *c, const char *host, int port)
{
    redisFree(c);
    return client_open(host, port);
}

/* ---- writers ---- */

static struct write_record *new_write(struct load_client *me)
{
    if (me->count == me->room) {
        me->room = me->room ? me->room * 2 : 1024;
        me->writes = realloc(me->writes, (size_t)me->room * sizeof(*me->writes));
    }
    struct write_record *w = &me->writes[me->count++];
    *w = (struct write_record){.sent = now_us()};
    return w;
}

static void write_answered(struct load_client *me, long sequence, const char *reply)
{
    struct write_record *w = &me->writes[sequence];
    w->answered = now_us();
    if (reply[0] == ':') {
        w->fate = FATE_ACKNOWLEDGED;
        return;
    }
    w->fate =
        connection_lost(reply) || strcmp(reply, UNKNOWN_TEXT) == 0 ? FATE_UNKNOWN : FATE_ERROR;
    note_error(me, "writer", reply);
}

static void *run_writer(void *arg)
{
    struct load_client *me = arg;
    const struct load_options *o = &me->load->options;
    int depth = o->pipeline > 1 ? o->pipeline : 1;
    redisContext *c = client_open(o->host, o->write_port);
    while (!atomic_load(&me->load->over)) {
        long first = me->count;
        for (int i = 0; i < depth; i++) {
            new_write(me);
            say(c, "RPUSH %s:%d %ld", o->name, me->number, first + i);
        }
        for (long i = first; i < me->count; i++)
            write_answered(me, i, hear(c));
        if (c->err) {
            me->disconnects++;
            c = reconnect(c, o->host, o->write_port);
        }
        pause_ms(WRITE_PAUSE_MS);
    }
    redisFree(c);
    return NULL;
}

/* ---- readers and strays ---- */

static void *run_reader(void *arg)
{
    struct load_client *me = arg;
    const struct load_options *o = &me->load->options;
    redisContext *c = client_open(o->host, o->read_port);
    for (int i = 0; !atomic_load(&me->load->over); i++) {
        const char *reply = ask(c, "LLEN %s:%d", o->name, i % (o->writers ? o->writers : 1));
        if (reply[0] == ':') {
            me->good++;
        } else {
            note_error(me, "reader", reply);
            me->bad++;
            if (c->err) {
                me->disconnects++;
                c = reconnect(c, o->host, o->read_port);
            }
        }
        pause_ms(READ_PAUSE_MS);
    }
    redisFree(c);
    return NULL;
}

static void *run_stray(void *arg)
{
    struct load_client *me = arg;
    const struct load_options *o = &me->load->options;
    redisContext *c = client_open(o->host, o->stray_port);
    for (int i = 0; !atomic_load(&me->load->over); i++) {
        const char *reply = ask(c, "SET %s:stray:%d %d", o->name, me->number, i);
        me->good++;
        if (strcmp(reply, READONLY_TEXT) != 0) {
            note_error(me, "stray", reply);
            if (c->err) {
                me->disconnects++;
                c = reconnect(c, o->host, o->stray_port);
            } else if (reply[0] == '-') {
                me->bad++;
            } else {
                me->accepted++;
            }
        }
        pause_ms(STRAY_PAUSE_MS);
    }
    redisFree(c);
    return NULL;
}

/* ---- all of them ---- */

static void start_clients(struct load *l, int count, void *(*run)(void *))
{
    for (int i = 0; i < count && l->clients < CLIENTS_MAX; i++) {
        struct load_client *me = &l->client[l->clients++];
        *me = (struct load_client){.load = l, .number = i};
        pthread_create(&me->thread, NULL, run, me);
    }
}

struct load *load_start(const struct load_options *options)
{
    struct load *l = calloc(1, sizeof(*l));
    l->options = *options;
    redisContext *c = client_open(options->host, options->write_port);
    for (int i = 0; i < options->writers; i++)
        ask(c, "DEL %s:%d", options->name, i);
    redisFree(c);
    start_clients(l, options->writers, run_writer);
    start_clients(l, options->readers, run_reader);
    start_clients(l, options->strays, run_stray);
    return l;
}

void load_finish(struct load *l)
{
    atomic_store(&l->over, true);
    for (int i = 0; i < l->clients; i++)
        pthread_join(l->client[i].thread, NULL);
}

void load_free(struct load *l)
{
    for (int i = 0; i < l->clients; i++)
        free(l->client[i].writes);
    free(l);
}

/* ---- what became of it ---- */

/* Holds one writer's list against its records. Returns 0, or -1 when the list cannot be read. */
static int check_list(const struct load_client *me, redisContext *c, struct load_report *out)
{
    redisReply *r = redisCommand(c, "LRANGE %s:%d 0 -1", me->load->options.name, me->number);
    if (!r || r->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(r);
        return -1;
    }
    char *seen = calloc((size_t)me->count + 1, 1);
    long last = -1;
    for (size_t i = 0; i < r->elements; i++) {
        long sequence = atol(r->element[i]->str);
        if (sequence < 0 || sequence >= me->count)
            continue;
        out->doubled += seen[sequence];
        out->out_of_order += sequence < last;
        seen[sequence] = 1;
        last = sequence > last ? sequence : last;
    }
    for (long i = 0; i < me->count; i++) {
        out->lost += me->writes[i].fate == FATE_ACKNOWLEDGED && !seen[i];
        out->refused_done += me->writes[i].fate == FATE_ERROR && seen[i];
        out->acknowledged += me->writes[i].fate == FATE_ACKNOWLEDGED;
        out->errors += me->writes[i].fate == FATE_ERROR;
        out->unknown += me->writes[i].fate == FATE_UNKNOWN;
    }
    free(seen);
    freeReplyObject(r);
    return 0;
}

static void count_stray_keys(const struct load *l, redisContext *c, struct load_report *out)
{
    for (int i = 0; i < l->options.strays; i++)
        out->strays_accepted += strcmp(ask(c, "EXISTS %s:stray:%d", l->options.name, i), ":1") == 0;
}

int load_report(struct load *l, struct trio *trio, struct load_report *out)
{
    const struct load_options *o = &l->options;
    int master = trio_master(trio), result = master < 0 ? -1 : 0;
    *out = (struct load_report){0};
    if (master < 0)
        return -1;
    redisContext *c = trio_node(trio, master);
    for (int i = 0; i < l->clients; i++) {
        const struct load_client *me = &l->client[i];
        if (i < o->writers) {
            out->disconnects += me->disconnects;
            if (check_list(me, c, out) < 0)
                result = -1;
        } else if (i < o->writers + o->readers) {
            out->reads += me->good;
            out->read_errors += me->bad;
            out->read_disconnects += me->disconnects;
        } else {
            out->strays += me->good;
            out->strays_accepted += me->accepted;
            out->stray_errors += me->bad;
            out->stray_disconnects += me->disconnects;
        }
        if (!out->first_error[0])
            memcpy(out->first_error, me->first_error, sizeof(out->first_error));
    }
    count_stray_keys(l, c, out);
    redisFree(c);
    return result;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The times of all acknowledgements, sorted; the caller frees them. */
static int64_t *acknowledgements(const struct load *l, long *count)
{
    long room = 1, n = 0;
    for (int i = 0; i < l->options.writers; i++)
        room += l->client[i].count;
    int64_t *times = malloc((size_t)room * sizeof(*times));
    for (int i = 0; i < l->options.writers; i++)
        for (long k = 0; k < l->client[i].count; k++)
            if (l->client[i].writes[k].fate == FATE_ACKNOWLEDGED)
                times[n++] = l->client[i].writes[k].answered;
    qsort(times, (size_t)n, sizeof(*times), by_time);
    *count = n;
    return times;
}

int64_t load_gap(struct load *l, int64_t from, int64_t to, int64_t *end)
{
    long count;
    int64_t longest = -1, *times = acknowledgements(l, &count);
    *end = 0;
    for (long i = 1; i < count; i++) {
        int64_t gap = times[i] - times[i - 1];
        if (times[i] >= from && times[i] <= to && gap > longest) {
            longest = gap;
            *end = times[i];
        }
    }
    free(times);
    return longest;
}

void load_report_print(FILE *out, const struct load_report *r)
{
    fprintf(out,
            "writes: %ld acknowledged, %ld errors, %ld unknown, %ld disconnects; "
            "%ld lost, %ld doubled, %ld out of order, %ld refused but done\n"
            "reads: %ld, %ld errors, %ld disconnects; strays: %ld, %ld accepted, %ld other errors, "
            "%ld disconnects\n%s%s",
            r->acknowledged, r->errors, r->unknown, r->disconnects, r->lost, r->doubled,
            r->out_of_order, r->refused_done, r->reads, r->read_errors, r->read_disconnects,
            r->strays, r->strays_accepted, r->stray_errors, r->stray_disconnects, r->first_error,
            r->first_error[0] ? "\n" : "");
}
