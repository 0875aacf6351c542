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

enum { MB = 1024 * 1024, WRITERS = 8, SLOW_MAX = 4 };

const struct suite suite = {
    .trio = {.min_replicas = 1},
    .proxy = {.proxy_lines = "output_limit = 24mb\n"},
};

static void set_large(const struct shared *s, const char *key, size_t size)
{
    char *value = malloc(size);
    memset(value, 'v', size);
    redisContext *c = trio_node(&s->trio, trio_master((struct trio *)&s->trio));
    redisReply *r = redisCommand(c, "SET %s %b", key, value, size);
    cr_assert(r && r->type == REDIS_REPLY_STATUS);
    freeReplyObject(r);
    redisFree(c);
    free(value);
}

/* ---- others write ---- */

struct writers {
    pthread_t thread[WRITERS];
    redisContext *client[WRITERS];
    const char *host;
    atomic_bool over;
    atomic_long written, failed;
};

static void *write_on(void *arg)
{
    struct writers *w = arg;
    redisContext *c = client_open(w->host, PROXY_MASTER);
    while (!w->over) {
        if (strcmp(ask(c, "SET other 1"), "+OK") == 0)
            w->written++;
        else
            w->failed++;
    }
    redisFree(c);
    return NULL;
}

static void writers_begin(struct writers *w, const struct shared *s)
{
    memset(w, 0, sizeof(*w));
    w->host = s->proxy.host;
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

/* So many clients, each of which asks for 8 MB every 1.3 s, on a new connection, and reads nothing. Returns how many
 * writes others had meanwhile, in parts of what they have alone before and after. */
static double beside_slow_readers(int count, const char *const *keys, int keys_len)
{
    enum { ROUNDS = 4, ROUND_MS = 1300 };
    struct shared s = shared();
    struct writers w;
    int fd[SLOW_MAX * ROUNDS], opened = 0;
    for (int i = 0; i < keys_len; i++)
        set_large(&s, keys[i], 8 * (size_t)MB);
    writers_begin(&w, &s);
    long alone = written_in(&w, ROUNDS * ROUND_MS / 2), beside = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < count; i++) {
            fd[opened] = raw_open(s.proxy.host, PROXY_MASTER);
            ask_for(fd[opened], keys[opened % keys_len]);
            opened++;
        }
        beside += written_in(&w, ROUND_MS);
    }
    for (int i = 0; i < opened; i++)
        close(fd[i]);
    alone += written_in(&w, ROUNDS * ROUND_MS / 2);
    writers_end(&w);
    cr_expect_eq(w.failed, 0);
    fprintf(stderr, "%d slow readers: others have %ld of %ld writes\n", count, beside, alone);
    compare_clean(&s);
    return (double)beside / (double)alone;
}

static const char *const one[] = {"large"};
static const char *const several[] = {"large-a", "large-b", "large-c", "large-d",
                                      "large-e", "large-f", "large-g", "large-h"};

Test(strangers_large, one_slow_reader_does_not_stop_writers, .timeout = 60)
{
    cr_expect_gt(beside_slow_readers(1, one, 1), 0.8);
}

Test(strangers_large, four_slow_readers_do_not_stop_writers, .timeout = 60)
{
    cr_expect_gt(beside_slow_readers(4, one, 1), 0.8);
}

Test(strangers_large, slow_readers_of_other_values_do_not_either, .timeout = 60)
{
    cr_expect_gt(beside_slow_readers(4, several, 8), 0.7);
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
        int fd = raw_open(s.proxy.host, PROXY_MASTER);
        ask_for(fd, keys[i % keys_len]);
        cr_expect(raw_ended(fd, 10000), "it stays");
        close(fd);
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
    cr_expect_leq(unknown_beside(12, one, 1), 3 * WRITERS);
}

/* Nothing is known of each of these: but of the writers it is known that their connections end. */
Test(strangers_large, values_that_their_node_does_not_keep_hurt_others_little, .timeout = 120)
{
    cr_expect_leq(unknown_beside(8, several, 8), 5 * WRITERS);
}

/* ---- who is over output_limit ---- */

/* Its replies cannot wait at the node, for others' writes are behind them: 1.5 times output_limit. */
Test(strangers_large, who_is_over_output_limit_is_disconnected, .timeout = 60)
{
    struct shared s = shared();
    struct writers w;
    set_large(&s, "over", 40 * (size_t)MB);
    writers_begin(&w, &s);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    cr_expect_eq(proxy_gauge(&s.proxy, "redisproxy_output_disconnected_total", -1), 0);
    ask_for(fd, "over");
    cr_expect(
        wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_output_disconnected_total", -1) == 1));
    cr_expect(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_output_bytes", -1) == 0));
    cr_expect(raw_ended(fd, 5000));
    close(fd);
    writers_end(&w);
    cr_expect_eq(w.failed, 0);
    compare_clean(&s);
}
