/*
 * load: see load.h. One thread a client: on loopback with 20 ms pauses that costs nothing, and each
 * client reads like a client. A writer never repeats a write: the next sequence number follows
 * whatever became of the last one.
 */
#include "harness/load.h"

#include "harness/client.h"
#include "harness/load_state.h"
#include "harness/wait.h"

#include <stdlib.h>
#include <string.h>

enum { RECONNECT_PAUSE_MS = 100, WRITE_PAUSE_MS = 20, READ_PAUSE_MS = 5, STRAY_PAUSE_MS = 10 };

#define READONLY_TEXT "-READONLY You can't write against a read only replica."
#define UNKNOWN_TEXT                                                                               \
    "-ERR redisproxy: outcome unknown, the connection to the master was lost after "
#define REFUSED_TEXT "-MASTERDOWN redisproxy: no master for"

enum trouble_kind load_kind_of(const char *reply)
{
    if (strncmp(reply, UNKNOWN_TEXT, strlen(UNKNOWN_TEXT)) == 0)
        return TROUBLE_UNKNOWN;
    if (strncmp(reply, REFUSED_TEXT, strlen(REFUSED_TEXT)) == 0)
        return TROUBLE_REFUSED;
    return strncmp(reply, "(closed)", 8) == 0 ? TROUBLE_CUT : TROUBLE_ERROR;
}

static redisContext *connect_client(const struct load_options *o, int port)
{
    return client_open_as(o->host, port, o->user, o->password);
}

static redisContext *reconnect(redisContext *c, const struct load_options *o, int port)
{
    redisFree(c);
    return connect_client(o, port);
}

/* ---- writers ---- */

long load_new_write(struct load_client *me)
{
    pthread_mutex_lock(&me->load->records);
    if (me->count == me->room) {
        me->room = me->room ? me->room * 2 : 1024;
        me->writes = realloc(me->writes, (size_t)me->room * sizeof(*me->writes));
    }
    me->writes[me->count] = (struct write_record){.sent = now_us()};
    long sequence = me->count++;
    pthread_mutex_unlock(&me->load->records);
    return sequence;
}

static void note_write(struct load *l, int64_t at)
{
    int64_t before = atomic_exchange(&l->last_write, at);
    if (before && at - before > atomic_load(&l->gap))
        atomic_store(&l->gap, at - before);
}

static void end_write(struct load_client *me, long sequence, int64_t at, enum fate fate)
{
    pthread_mutex_lock(&me->load->records);
    me->writes[sequence].answered = at;
    me->writes[sequence].fate = fate;
    pthread_mutex_unlock(&me->load->records);
}

void load_write_answered(struct load_client *me, long sequence, const char *reply)
{
    int64_t now = now_us();
    if (reply[0] == ':' || reply[0] == '[') { /* EXEC's is an array */
        end_write(me, sequence, now, FATE_ACKNOWLEDGED);
        atomic_fetch_add(&me->load->acknowledged, 1);
        note_write(me->load, now);
        return;
    }
    static const enum fate fates[] = {FATE_UNKNOWN, FATE_REFUSED, FATE_ERROR, FATE_CUT};
    enum trouble_kind kind = load_kind_of(reply);
    end_write(me, sequence, now, fates[kind]);
    load_note(me, kind, sequence, reply);
}

static void *run_writer(void *arg)
{
    struct load_client *me = arg;
    const struct load_options *o = &me->load->options;
    int depth = o->pipeline > 1 ? o->pipeline : 1;
    redisContext *c = connect_client(o, o->write_port);
    while (!atomic_load(&me->load->over)) {
        long first = me->count;
        for (int i = 0; i < depth; i++) {
            load_new_write(me);
            say(c, "RPUSH %s:%d %ld", o->name, me->number, first + i);
        }
        for (long i = first; i < me->count; i++)
            load_write_answered(me, i, hear(c));
        if (c->err) {
            me->disconnects++;
            c = reconnect(c, o, o->write_port);
        }
        pause_ms(c->err ? RECONNECT_PAUSE_MS : WRITE_PAUSE_MS);
    }
    redisFree(c);
    return NULL;
}

/* ---- readers and strays ---- */

enum { READ_GAP_US = 50 * 1000 };

static void note_read(struct load *l)
{
    int64_t now = now_us(), before = atomic_exchange(&l->last_read, now);
    if (!before || now - before < READ_GAP_US)
        return;
    pthread_mutex_lock(&l->lock);
    if (l->read_gap_count == l->read_gap_room) {
        l->read_gap_room = l->read_gap_room ? l->read_gap_room * 2 : 64;
        l->read_gaps = realloc(l->read_gaps, (size_t)l->read_gap_room * sizeof(*l->read_gaps));
    }
    l->read_gaps[l->read_gap_count++] = (struct read_gap){before, now};
    pthread_mutex_unlock(&l->lock);
}

void load_read_gaps(struct load *l, void (*take)(void *user, const struct read_gap *gap),
                    void *user)
{
    struct read_gap open = {atomic_load(&l->last_read), now_us()};
    pthread_mutex_lock(&l->lock);
    for (long i = 0; i < l->read_gap_count; i++)
        take(user, &l->read_gaps[i]);
    pthread_mutex_unlock(&l->lock);
    if (!atomic_load(&l->over) && open.from && open.to - open.from >= READ_GAP_US)
        take(user, &open);
}

static void *run_reader(void *arg)
{
    struct load_client *me = arg;
    const struct load_options *o = &me->load->options;
    redisContext *c = connect_client(o, o->read_port);
    for (int i = 0; !atomic_load(&me->load->over); i++) {
        const char *reply = ask(c, "LLEN %s:%d", o->name, i % (o->writers ? o->writers : 1));
        if (reply[0] == ':') {
            me->good++;
            note_read(me->load);
        } else {
            load_note(me, TROUBLE_READ, -1, reply);
            me->bad++;
            if (c->err) {
                me->disconnects++;
                c = reconnect(c, o, o->read_port);
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
    redisContext *c = connect_client(o, o->stray_port);
    for (int i = 0; !atomic_load(&me->load->over); i++) {
        const char *reply = ask(c, "SET %s:stray:%d %d", o->name, me->number, i);
        me->good++;
        if (strcmp(reply, READONLY_TEXT) != 0) {
            load_note(me, TROUBLE_STRAY, -1, reply);
            if (c->err) {
                me->disconnects++;
                c = reconnect(c, o, o->stray_port);
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

/* `first`: the number of the first of them. */
static void start_clients(struct load *l, int first, int count, void *(*run)(void *))
{
    for (int i = 0; i < count && l->clients < CLIENTS_MAX; i++) {
        struct load_client *me = &l->client[l->clients++];
        *me = (struct load_client){.load = l, .number = first + i};
        pthread_create(&me->thread, NULL, run, me);
    }
}

struct load *load_start(const struct load_options *options)
{
    struct load *l = calloc(1, sizeof(*l));
    l->options = *options;
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->records, NULL);
    redisContext *c = connect_client(options, options->write_port);
    for (int i = 0; i < options->writers + options->guests; i++)
        ask(c, "DEL %s:%d", options->name, i);
    redisFree(c);
    start_clients(l, 0, options->writers, run_writer);
    start_clients(l, options->writers, options->guests, load_run_guest);
    start_clients(l, 0, options->readers, run_reader);
    start_clients(l, 0, options->strays, run_stray);
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
    free(l->troubles);
    free(l->read_gaps);
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->records);
    free(l);
}

long load_acknowledged_so_far(struct load *l)
{
    return atomic_load(&l->acknowledged);
}

int64_t load_last_write(struct load *l)
{
    return atomic_load(&l->last_write);
}

int64_t load_last_read(struct load *l)
{
    return atomic_load(&l->last_read);
}

int64_t load_take_gap(struct load *l)
{
    int64_t gap = atomic_exchange(&l->gap, 0), last = atomic_load(&l->last_write);
    int64_t open = last ? now_us() - last : 0;
    return open > gap ? open : gap;
}
