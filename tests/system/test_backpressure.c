/*
 * backpressure: a client that asks for much and reads nothing costs the proxy little, and the other
 * clients nothing. When it does read, it gets every byte.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MB = 1024 * 1024, REPLIES = 200, MEMORY_MAX = 96 * MB };

const struct suite suite = {.trio = {.min_replicas = 1}};

static void set_large(struct shared *s, const char *key, size_t size)
{
    char *value = malloc(size);
    memset(value, 'v', size);
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    redisReply *r = redisCommand(c, "SET %s %b", key, value, size);
    cr_assert(r && r->type == REDIS_REPLY_STATUS);
    freeReplyObject(r);
    cr_assert(atoi(ask(c, "WAIT 2 20000") + 1) == 2);
    redisFree(c);
    free(value);
}

/* The others, of the same identity: each command's answer within `limit` ms. Returns the slowest.
 */
static int64_t others_go_on(const struct shared *s, int rounds)
{
    static const int ports[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};
    redisContext *c[3];
    int64_t slowest = 0;
    for (int i = 0; i < 3; i++)
        c[i] = proxy_client(&s->proxy, ports[i]);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 3; i++) {
            int64_t before = now_ms();
            if (ports[i] != PROXY_REPLICA)
                EXPECT(c[i], "+OK", "SET other %d", round);
            EXPECT_PREFIX(c[i], "", "GET other");
            cr_assert(!c[i]->err, "port %d", ports[i]);
            if (now_ms() - before > slowest)
                slowest = now_ms() - before;
        }
    for (int i = 0; i < 3; i++)
        redisFree(c[i]);
    return slowest;
}

static long most_memory(const struct shared *s, int ms)
{
    long most = 0;
    int64_t until = now_ms() + ms;
    wait_until(ms + 1000, ({
                   long now = proxy_memory(&s->proxy);
                   most = now > most ? now : most;
                   now_ms() >= until;
               }));
    return most;
}

static void expect_memory(const struct shared *s, long before, long most)
{
    (void)s;
    if (!proxy_sanitized()) /* a sanitizer keeps what was freed */
        cr_expect(most - before < MEMORY_MAX, "%ld MB more", (most - before) / MB);
}

/* Reads replies of `size` bytes, counting what is not as it must be. */
static void read_replies(int fd, int count, size_t size)
{
    char head[32], *body = malloc(size + 3);
    int head_len = snprintf(head, sizeof(head), "$%zu\r\n", size);
    for (int i = 0; i < count; i++) {
        char got[32];
        cr_assert_eq(raw_read(fd, got, (size_t)head_len, 20000), (size_t)head_len, "reply %d", i);
        cr_assert_str_eq(got, head);
        cr_assert_eq(raw_read(fd, body, size + 2, 20000), size + 2, "reply %d", i);
        cr_assert(body[0] == 'v' && body[size - 1] == 'v' && body[size + 1] == '\n', "reply %d", i);
    }
    free(body);
}

static void stall(int port, size_t size, int replies)
{
    struct shared s = shared();
    set_large(&s, "large", size);
    others_go_on(&s, 20);
    long before = proxy_memory(&s.proxy);
    int fd = raw_open(s.proxy.host, port);
    for (int i = 0; i < replies; i++)
        cr_assert(raw_send_text(fd, "GET large\r\n"));
    cr_assert(raw_send_text(fd, "ECHO end\r\n"));
    expect_memory(&s, before, most_memory(&s, 1500));
    int64_t slowest = others_go_on(&s, 100);
    cr_expect(slowest < 1500, "another client waited %ld ms", (long)slowest);
    read_replies(fd, replies, size);
    cr_assert(raw_expect(fd, "$3\r\nend\r\n"));
    close(fd);
}

Test(backpressure, many_replies_master, .timeout = 60)
{
    stall(PROXY_MASTER, MB, REPLIES);
}

Test(backpressure, many_replies_replica, .timeout = 60)
{
    stall(PROXY_REPLICA, MB, REPLIES);
}

Test(backpressure, one_huge_reply, .timeout = 60)
{
    stall(PROXY_MASTER, 200 * (size_t)MB, 1);
}

Test(backpressure, many_small_replies, .timeout = 60)
{
    stall(PROXY_SPLIT, 100, 200000);
}

/* It goes away in the middle of it, many times over. */
Test(backpressure, a_client_that_leaves_frees_everything, .timeout = 60)
{
    struct shared s = shared();
    set_large(&s, "large", MB);
    others_go_on(&s, 20);
    long before = proxy_memory(&s.proxy);
    for (int i = 0; i < 30; i++) {
        char some[1000];
        int fd = raw_open(s.proxy.host, i % 2 ? PROXY_MASTER : PROXY_SPLIT);
        for (int k = 0; k < 50; k++)
            raw_send_text(fd, "GET large\r\n");
        raw_read(fd, some, sizeof(some) - 1, 5000);
        close(fd);
    }
    expect_memory(&s, before, most_memory(&s, 500));
    cr_expect(others_go_on(&s, 100) < 1500);
}

/* A request that arrives slowly holds up nobody, and arrives. */
Test(backpressure, a_slow_large_request, .timeout = 60)
{
    struct shared s = shared();
    size_t size = 32 * (size_t)MB, piece = MB;
    char *bytes = malloc(piece);
    memset(bytes, 'v', piece);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    char head[64];
    snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$%zu\r\n", size);
    cr_assert(raw_send_text(fd, head));
    for (size_t sent = 0; sent < size; sent += piece) {
        cr_assert(raw_send(fd, bytes, piece));
        cr_expect(others_go_on(&s, 2) < 1500);
    }
    cr_assert(raw_send_text(fd, "\r\nSTRLEN slow\r\n"));
    cr_assert(raw_expect(fd, "+OK\r\n:33554432\r\n"));
    close(fd);
    free(bytes);
    compare_clean(&s);
}
