/*
 * strangers_large: a client that asks for large values, and does not read them, or whose node does not want to keep them
 * for it, harms itself and nobody else who shares a connection with it.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MB = 1024 * 1024, WRITERS = 8, SLOW_MAX = 4, LONG_MS = 900 };

const struct suite suite = {
    .trio = {.min_replicas = 1},
    .proxy = {.proxy_lines = "output_limit = 24mb\n"},
};

static bool is_set(redisContext *c, const char *key, const char *value, size_t size)
{
    redisReply *r = redisCommand(c, "SET %s %b", key, value, size);
    bool set = r && r->type == REDIS_REPLY_STATUS;
    if (r)
        freeReplyObject(r);
    return set;
}

/* Not at once where the replicas have yet to take the one before (NOREPLICAS). */
static void set_large(struct shared *s, const char *key, size_t size)
{
    char *value = malloc(size);
    memset(value, 'v', size);
    redisContext *c = trio_node(&s->trio, trio_master(&s->trio));
    cr_assert(wait_until(20000, is_set(c, key, value, size)));
    redisFree(c);
    free(value);
}

/* ---- others write: all on one worker, as whoever disturbs them ---- */

struct writers {
    pthread_t thread[WRITERS];
    const struct proxy *proxy;
    atomic_bool over;
    atomic_long written, failed, long_waits;
};

static void *write_on(void *arg)
{
    struct writers *w = arg;
    redisContext *c = proxy_client_of(w->proxy, PROXY_MASTER, 0);
    while (!w->over) {
        int64_t began = now_ms();
        if (strcmp(ask(c, "SET other 1"), "+OK") == 0)
            w->written++;
        else
            w->failed++;
        w->long_waits += now_ms() - began >= LONG_MS;
    }
    redisFree(c);
    return NULL;
}

static void writers_begin(struct writers *w, const struct shared *s)
{
    memset(w, 0, sizeof(*w));
    w->proxy = &s->proxy;
    for (int i = 0; i < WRITERS; i++)
        cr_assert_eq(pthread_create(&w->thread[i], NULL, write_on, w), 0);
    cr_assert(wait_until(5000, w->written > 1000));
}

static void writers_end(struct writers *w)
{
    w->over = true;
    for (int i = 0; i < WRITERS; i++)
        pthread_join(w->thread[i], NULL);
}

static long written_in(struct writers *w, int ms)
{
    long before = w->written;
    int64_t until = now_ms() + ms;
    wait_until(ms + 1000, now_ms() >= until);
    return w->written - before;
}

/* ---- somebody who does not read ---- */

static void ask_for(int fd, const char *key)
{
    char text[64];
    snprintf(text, sizeof(text), "GET %s\r\n", key);
    raw_send_text(fd, text);
}

/* So many clients ask for 8 MB each, on new connections, and read nothing for 1.3 s. Adds how many
 * writes others have meanwhile, and would have as they had just before. */
static void beside_some(const struct shared *s, struct writers *w, int count,
                        const char *const *keys, long *alone, long *beside)
{
    enum { ALONE_MS = 650, BESIDE_MS = 1300 };
    redisContext *slow[SLOW_MAX];
    *alone += written_in(w, ALONE_MS) * BESIDE_MS / ALONE_MS;
    for (int i = 0; i < count; i++)
        slow[i] = proxy_client_of(&s->proxy, PROXY_MASTER, 0);
    for (int i = 0; i < count; i++)
        ask_for(slow[i]->fd, keys[i]);
    *beside += written_in(w, BESIDE_MS);
    for (int i = 0; i < count; i++)
        redisFree(slow[i]);
}

/* Four times. On a machine that is busy with other things the numbers of writes say
 * nothing; then no writer may have waited as long as those behind a reply that nobody reads would. */
static void beside_slow_readers(int count, const char *const *keys)
{
    struct shared s = shared();
    struct writers w;
    long alone = 0, beside = 0;
    for (int i = 0; i < SLOW_MAX; i++)
        set_large(&s, keys[i], 8 * (size_t)MB);
    writers_begin(&w, &s);
    for (int round = 0; round < 4; round++)
        beside_some(&s, &w, count, keys, &alone, &beside);
    writers_end(&w);
    fprintf(stderr, "%d slow readers: others have %ld of %ld writes, %ld waited long\n", count,
            beside, alone, (long)w.long_waits);
    cr_expect(beside > alone * 8 / 10 || w.long_waits == 0, "%ld of %ld writes, %ld waited long",
              beside, alone, (long)w.long_waits);
    cr_expect_eq(w.failed, 0);
    compare_clean(&s);
}

static const char *const one[] = {"large", "large", "large", "large"};
static const char *const several[] = {"l0", "l1", "l2", "l3"};

Test(strangers_large, one_slow_reader_does_not_stop_writers, .timeout = 60)
{
    beside_slow_readers(1, one);
}

Test(strangers_large, four_slow_readers_do_not_stop_writers, .timeout = 60)
{
    beside_slow_readers(4, one);
}

/* ---- a node that does not keep large replies ---- */

/* A client asks for 20 MB again and again, and comes back when it is disconnected. Returns how many writes of others have
 * an unknown outcome. */
static long unknown_beside(int gets, const char *const *keys, int keys_len)
{
    struct shared s = shared();
    struct writers w;
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    for (int i = 0; i < keys_len; i++)
        set_large(&s, keys[i], 20 * (size_t)MB);
    EXPECT(node, "+OK", "CONFIG SET client-output-buffer-limit %s", "normal 4mb 4mb 1");
    writers_begin(&w, &s);
    for (int i = 0; i < gets; i++) {
        redisContext *c = proxy_client_of(&s.proxy, PROXY_MASTER, 0);
        ask_for(c->fd, keys[i % keys_len]);
        cr_expect(raw_ended(c->fd, 10000), "it stays");
        redisFree(c);
    }
    long before = w.written;
    cr_expect(wait_until(5000, w.written > before + 1000));
    writers_end(&w);
    EXPECT(node, "+OK", "CONFIG SET client-output-buffer-limit %s", "normal 0 0 0");
    redisFree(node);
    fprintf(stderr, "%d GETs: %ld writes of unknown outcome\n", gets, (long)w.failed);
    return w.failed;
}

/* Each writer may have one on its way when it is learnt what the value does, and one when it was not clear at once. */
Test(strangers_large, a_value_that_its_node_does_not_keep_hurts_others_once, .timeout = 120)
{
    cr_expect_leq(unknown_beside(4, one, 1), 3 * WRITERS);
}

/* Nothing is known of each of these: but of the writers it is known that their connections end. */
Test(strangers_large, values_that_their_node_does_not_keep_hurt_others_little, .timeout = 120)
{
    cr_expect_leq(unknown_beside(4, several, 4), 5 * WRITERS);
}

/* ---- who is over output_limit ---- */

/* Its replies cannot wait at the node, for others' writes are behind them: 1.5 times output_limit. */
Test(strangers_large, who_is_over_output_limit_is_disconnected, .timeout = 60)
{
    struct shared s = shared();
    struct writers w;
    set_large(&s, "over", 40 * (size_t)MB);
    writers_begin(&w, &s);
    redisContext *c = proxy_client_of(&s.proxy, PROXY_MASTER, 0);
    cr_expect_eq(proxy_gauge(&s.proxy, "redisproxy_output_disconnected_total", -1), 0);
    ask_for(c->fd, "over");
    cr_expect(
        wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_output_disconnected_total", -1) == 1));
    cr_expect(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_output_bytes", -1) == 0));
    cr_expect(raw_ended(c->fd, 5000));
    redisFree(c);
    writers_end(&w);
    cr_expect_eq(w.failed, 0);
    compare_clean(&s);
}
