/*
 * fresh: see fresh.h.
 */
#include "harness/fresh.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READERS = 6, SHOTS_MAX = 40000, TICK_MS = 10, READ_MS = 5 };

struct shot {
    int64_t at, waited, age;
    bool failed;
};

struct fresh {
    const struct trio *trio;
    const char *host;
    int master, read_port;
    atomic_bool over;
    pthread_t ticker;
    struct fresh_reader {
        struct fresh *fresh;
        pthread_t thread;
        bool anew; /* a session for each read */
        pthread_mutex_t lock;
        int count;
        char error[120];
        struct shot shots[SHOTS_MAX];
    } reader[READERS];
};

static void *run_ticker(void *arg)
{
    struct fresh *f = arg;
    redisContext *c = trio_node(f->trio, f->master);
    while (!atomic_load(&f->over)) {
        ask(c, "SET tick %" PRId64, now_us());
        pause_ms(TICK_MS);
    }
    redisFree(c);
    return NULL;
}

static void note(struct fresh_reader *me, int64_t asked, const char *reply)
{
    int64_t at = now_us();
    bool good = reply[0] >= '0' && reply[0] <= '9';
    pthread_mutex_lock(&me->lock);
    if (me->count < SHOTS_MAX)
        me->shots[me->count++] = (struct shot){.at = at,
                                               .waited = at - asked,
                                               .age = good ? asked - strtoll(reply, NULL, 10) : 0,
                                               .failed = !good};
    if (!good && !me->error[0])
        snprintf(me->error, sizeof(me->error), "%s", reply);
    pthread_mutex_unlock(&me->lock);
}

static void *run_reader(void *arg)
{
    struct fresh_reader *me = arg;
    struct fresh *f = me->fresh;
    redisContext *c = client_open(f->host, f->read_port);
    while (!atomic_load(&f->over)) {
        int64_t asked = now_us();
        note(me, asked, ask(c, "GET tick"));
        if (me->anew || c->err) {
            redisFree(c);
            c = client_open(f->host, f->read_port);
        }
        pause_ms(READ_MS);
    }
    redisFree(c);
    return NULL;
}

struct fresh *fresh_start(const struct trio *trio, int master, const char *host, int read_port)
{
    struct fresh *f = calloc(1, sizeof(*f));
    f->trio = trio;
    f->master = master;
    f->host = host;
    f->read_port = read_port;
    redisContext *c = client_open(host, read_port);
    pthread_create(&f->ticker, NULL, run_ticker, f);
    if (!wait_until(5000, ask(c, "GET tick")[0] != '('))
        fprintf(stderr, "fresh: the first tick does not arrive\n");
    redisFree(c);
    for (int i = 0; i < READERS; i++) {
        struct fresh_reader *me = &f->reader[i];
        me->fresh = f;
        me->anew = i % 2;
        pthread_mutex_init(&me->lock, NULL);
        pthread_create(&me->thread, NULL, run_reader, me);
    }
    return f;
}

static void add(struct freshness *out, const struct shot *shot)
{
    out->reads++;
    out->errors += shot->failed;
    if (shot->age > out->oldest)
        out->oldest = shot->age;
    if (shot->waited > out->longest)
        out->longest = shot->waited;
}

void fresh_look(struct fresh *f, int64_t from, int64_t to, struct freshness *out)
{
    *out = (struct freshness){0};
    for (int i = 0; i < READERS; i++) {
        struct fresh_reader *me = &f->reader[i];
        pthread_mutex_lock(&me->lock);
        for (int k = 0; k < me->count; k++)
            if (me->shots[k].at >= from && me->shots[k].at < to)
                add(out, &me->shots[k]);
        if (me->error[0])
            memcpy(out->error, me->error, sizeof(out->error));
        pthread_mutex_unlock(&me->lock);
    }
}

void fresh_stop(struct fresh *f)
{
    atomic_store(&f->over, true);
    pthread_join(f->ticker, NULL);
    for (int i = 0; i < READERS; i++) {
        pthread_join(f->reader[i].thread, NULL);
        pthread_mutex_destroy(&f->reader[i].lock);
    }
    free(f);
}
