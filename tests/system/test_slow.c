/*
 * slow: clients that do something else for a while: pause, or write all they have before they read. Redis
 * waits for them, and the proxy does, too.
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

enum { MB = 1024 * 1024 };

const struct suite suite = {.trio = {.min_replicas = 1}};

static void set_large(const struct shared *s, const char *key, size_t size)
{
    char *value = malloc(size);
    memset(value, 'v', size);
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    redisReply *r = redisCommand(c, "SET %s %b", key, value, size);
    cr_assert(r && r->type == REDIS_REPLY_STATUS);
    freeReplyObject(r);
    redisFree(c);
    free(value);
}

/* Somebody else writes all the time. */
static void others_write(const struct shared *s, int ms)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    int64_t until = now_ms() + ms;
    while (now_ms() < until) {
        EXPECT(c, "+OK", "SET other 1");
        usleep(1000);
    }
    redisFree(c);
}

/* The kernel's TCP_USER_TIMEOUT counted a closed window, too: after 10 s it was reset. */
Test(slow, a_client_that_pauses_gets_everything, .timeout = 60)
{
    struct shared s = shared();
    size_t size = 8 * MB;
    set_large(&s, "paused", size);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, "GET paused\r\nECHO end\r\n"));
    others_write(&s, 12000);
    char *got = malloc(size + 64);
    cr_assert_eq(raw_read(fd, got, size + 12, 20000), size + 12);
    cr_assert(memcmp(got, "$8388608\r\nv", 11) == 0 && got[size + 9] == 'v', "%.20s", got);
    free(got);
    cr_assert(raw_expect(fd, "$3\r\nend\r\n"));
    close(fd);
    compare_clean(&s);
}

/* ---- a pipeline that is written before anything is read ---- */

struct pipeline {
    int count;
    size_t size;
    bool sets; /* each GET stands behind a SET of the same */
};

static size_t put_set(char *out, size_t size)
{
    size_t at = (size_t)sprintf(out, "*3\r\n$3\r\nSET\r\n$9\r\npipelined\r\n$%zu\r\n", size);
    memset(out + at, 'v', size);
    memcpy(out + at + size, "\r\n", 2);
    return at + size + 2;
}

static void write_all(int fd, const struct pipeline *p)
{
    static const char get[] = "*2\r\n$3\r\nGET\r\n$9\r\npipelined\r\n";
    size_t batch = 100, one = sizeof(get) + p->size + 64;
    char *bytes = malloc(batch * one);
    for (int i = 0; i < p->count; i += (int)batch) {
        size_t len = 0;
        for (size_t k = 0; k < batch; k++) {
            if (p->sets)
                len += put_set(bytes + len, p->size);
            memcpy(bytes + len, get, sizeof(get) - 1);
            len += sizeof(get) - 1;
        }
        cr_assert(raw_send(fd, bytes, len), "the connection ended at %d", i);
    }
    free(bytes);
}

static void read_all(int fd, const struct pipeline *p)
{
    char *want = malloc(p->size + 64), *got = malloc(p->size + 64);
    size_t len = (size_t)sprintf(want, "%s$%zu\r\n", p->sets ? "+OK\r\n" : "", p->size);
    memset(want + len, 'v', p->size);
    memcpy(want + len + p->size, "\r\n", 2);
    len += p->size + 2;
    for (int i = 0; i < p->count; i++)
        cr_assert(raw_read(fd, got, len, 20000) == len && memcmp(got, want, len) == 0, "reply %d",
                  i);
    free(want);
    free(got);
}

static int64_t play(const char *host, int port, const struct pipeline *p)
{
    int64_t began = now_ms();
    int fd = raw_open(host, port);
    write_all(fd, p);
    read_all(fd, p);
    close(fd);
    return now_ms() - began;
}

/* Redis reads on while the client's socket takes nothing. */
static void write_first(const struct pipeline *p)
{
    struct shared s = shared();
    set_large(&s, "pipelined", p->size);
    int64_t direct = play(s.trio.host[trio_master(&s.trio)], 6379, p);
    int64_t through = play(s.proxy.host, PROXY_MASTER, p);
    cr_expect(through < 5 * direct + 2000, "%ld ms, directly %ld", (long)through, (long)direct);
    cr_expect(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_ahead_bytes", -1) == 0));
    compare_clean(&s);
}

Test(slow, all_gets_are_written_before_anything_is_read, .timeout = 60)
{
    write_first(&(struct pipeline){.count = 200000, .size = 400});
}

Test(slow, all_pairs_are_written_before_anything_is_read, .timeout = 60)
{
    write_first(&(struct pipeline){.count = 2000, .size = 10000, .sets = true});
}

/* Each reply alone is large: it waits in the kernel and at its node, and requests go on coming in. */
Test(slow, large_pairs_are_written_before_anything_is_read, .timeout = 60)
{
    write_first(&(struct pipeline){.count = 100, .size = 2 * MB / 2 + 1000, .sets = true});
}

/* ---- a subscriber whose node ends its connection ---- */

/* Over its node's output limit: messages are lost, and it is told by the end of its connection, as directly. */
Test(slow, a_subscriber_over_the_output_limit_is_disconnected, .timeout = 60)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    redisContext *c = trio_node(&s.trio, master);
    char *message = malloc(MB);
    memset(message, 'm', MB);
    EXPECT(c, "+OK", "CONFIG SET client-output-buffer-limit %s", "pubsub 1mb 1mb 1");
    int through = raw_open(s.proxy.host, PROXY_MASTER);
    int direct = raw_open(s.trio.host[master], 6379);
    cr_assert(raw_send_text(through, "SUBSCRIBE slow\r\n") &&
              raw_expect(through, "*3\r\n$9\r\nsubscribe\r\n$4\r\nslow\r\n:1\r\n"));
    cr_assert(raw_send_text(direct, "SUBSCRIBE slow\r\n") &&
              raw_expect(direct, "*3\r\n$9\r\nsubscribe\r\n$4\r\nslow\r\n:1\r\n"));
    for (int i = 0; i < 40; i++) {
        redisReply *r = redisCommand(c, "PUBLISH slow %b", message, (size_t)MB);
        cr_assert(r);
        freeReplyObject(r);
    }
    cr_expect(raw_ended(direct, 5000), "directly it stays");
    cr_expect(raw_ended(through, 5000), "it stays, and messages are missing");
    EXPECT(c, "+OK", "CONFIG SET client-output-buffer-limit %s", "pubsub 32mb 8mb 60");
    redisFree(c);
    free(message);
    close(through);
    close(direct);
}

Test(slow, a_subscriber_killed_at_its_node_is_disconnected, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = trio_node(&s.trio, trio_master(&s.trio));
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, "SUBSCRIBE killed\r\n") &&
              raw_expect(fd, "*3\r\n$9\r\nsubscribe\r\n$6\r\nkilled\r\n:1\r\n"));
    bool closed =
        false; /* in the first second after a change in its group it is subscribed again */
    for (int i = 0; i < 5 && !closed; i++) {
        cr_assert(atoi(ask(c, "CLIENT KILL TYPE pubsub") + 1) >= 1);
        closed = raw_closed(fd, 1500);
    }
    cr_expect(closed, "it stays, and is subscribed again");
    redisFree(c);
    close(fd);
}

/* Kills the connection with this text in its line of the node's CLIENT LIST. */
static void kill_at(redisContext *node, const char *text)
{
    char id[32] = "";
    for (char *list = strdup(ask(node, "CLIENT LIST")), *rest = list, *line;
         (line = strsep(&rest, "\n"));)
        if (strstr(line, text))
            snprintf(id, sizeof(id), "%.*s", (int)strcspn(line + 3, " "), line + 3); /* id=... */
    cr_assert(*id, "nobody has %s", text);
    EXPECT(node, ":1", "CLIENT KILL ID %s", id);
}

/* What its client was promised to hear is missed: it is told by the end of its connection. */
static void ends_with_its_connection(redisContext *client, const char *text)
{
    struct shared s = shared();
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    bool closed = false; /* in the first second after a change in its group it is renewed */
    for (int i = 0; i < 5 && !closed; i++) {
        kill_at(node, text);
        closed = raw_ended(client->fd, 1500); /* a monitor hears something all the time */
    }
    cr_expect(closed, "it stays");
    redisFree(node);
    redisFree(client);
}

Test(slow, who_monitors_is_disconnected_with_its_connection, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "MONITOR");
    ends_with_its_connection(c, " cmd=monitor ");
}

Test(slow, who_tracks_is_disconnected_with_its_connection, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "CLIENT TRACKING ON REDIRECT %s", ask(c, "CLIENT ID") + 1);
    ends_with_its_connection(c, " flags=t ");
}
