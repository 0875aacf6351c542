/*
 * metrics_values: values that nothing but trouble moves: each is made here, and read in /metrics. What a lost connection
 * costs, how connections to nodes fail, a loop that came late, memory by what it is, a Sentinel in TILT.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/scrape.h"
#include "harness/servers.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MB = 1024 * 1024, ANSWER_MS = 10000 };

const struct suite suite = {
    .trio = {.min_replicas = 1, .fast = true},
    .proxy = {.master_lines = "inflight_writes = close\nconnect_timeout = 300ms\n"},
};

#define VALUE(name, label, other) scrape_value(&s.proxy, name, label, other)
/* It becomes true soon. */
#define SOON(condition) cr_expect(wait_until(ANSWER_MS, condition), "%s", #condition)

/* ---- a connection that is lost ---- */

/* The master reads nothing for 300 ms, and then ends all clients' connections before it reads what they sent meanwhile. */
static redisContext *busy_then_deaf(const struct shared *s)
{
    redisContext *direct = trio_node(&s->trio, trio_master((struct trio *)&s->trio));
    say(direct, "EVAL %s 0",
        "local function us() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end "
        "local from = us() while us() - from < 300000 do end return 1");
    say(direct, "CLIENT KILL TYPE normal SKIPME yes");
    say_now(direct);
    return direct;
}

/* A write and a read are under way when their connections end. */
static void lose_two(const struct shared *s)
{
    redisContext *reader = proxy_client(&s->proxy, PROXY_MASTER);
    redisContext *writer = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(reader, "+PONG", "PING");
    EXPECT(writer, "+OK", "SET lost 0");
    redisContext *direct = busy_then_deaf(s);
    say(reader, "GET lost");
    say(writer, "SET lost 0");
    say_now(reader);
    say_now(writer);
    HEAR(direct, ":1");
    (void)hear(direct);
    HEAR(reader, "0");
    (void)hear(writer); /* "(closed)", or the node has read it just before it was busy */
    redisFree(direct);
    redisFree(reader);
    redisFree(writer);
}

/* With inflight_writes = close the client hears nothing of it: the alert on unknown outcomes fires all the same. */
Test(metrics_values, what_a_lost_connection_costs, .timeout = 60)
{
    struct shared s = shared();
    for (int i = 0; i < 20 && (VALUE("redisproxy_retries_total", "\"lost\"", "") == 0 ||
                               VALUE("redisproxy_request_results_total", "\"unknown\"", "") == 0);
         i++)
        lose_two(&s);
    double closed = VALUE("redisproxy_sessions_closed_total", "\"unknown_outcome\"", "");
    cr_expect_geq(closed, 1);
    cr_expect_geq(VALUE("redisproxy_retries_total", "\"lost\"", ""), 1);
    cr_expect_float_eq(VALUE("redisproxy_request_results_total", "\"unknown\"", ""), closed, 0.1);
    cr_expect_float_eq(VALUE("redisproxy_requests_total", "command=\"set\"", "\"unknown\""), closed,
                       0.1);
    cr_expect_geq(VALUE("redisproxy_node_connection_failures_total", "\"broken\"", ""), 1);
}

/* ---- how connections fail ---- */

static double failures(const struct shared *s, const char *reason)
{
    return scrape_value(&s->proxy, "redisproxy_node_connection_failures_total",
                        text("reason=\"%s\"", reason), "");
}

/* A client that needs a connection of its own to the master, which is as it is now. */
static redisContext *wants_a_connection(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    say(c, "WATCH key");
    say_now(c);
    return c;
}

static void fails_after(const char *command, const char *undo, const char *reason)
{
    struct shared s = shared();
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    double before = failures(&s, reason);
    EXPECT(direct, "+OK", command);
    redisContext *c = wants_a_connection(&s);
    SOON(failures(&s, reason) > before);
    EXPECT(direct, "+OK", undo);
    (void)hear(c);
    redisFree(c);
    redisFree(direct);
    cr_expect_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
}

Test(metrics_values, a_node_that_refuses_the_connection, .timeout = 60)
{
    NEEDS_REDIS(7, 0, "CONFIG SET port");
    fails_after("CONFIG SET port 0", "CONFIG SET port 6379", "connect");
}

Test(metrics_values, a_node_that_does_not_let_the_proxy_in, .timeout = 60)
{
    fails_after("CONFIG SET maxclients 1", "CONFIG SET maxclients 10000", "refused");
}

Test(metrics_values, a_node_that_says_nothing, .timeout = 60)
{
    struct shared s = shared();
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    pid_t node = atoi(info_field(direct, "server", "process_id"));
    double before = failures(&s, "timeout");
    cr_assert_eq(kill(node, SIGSTOP), 0);
    redisContext *c = wants_a_connection(&s);
    bool failed = wait_until(ANSWER_MS, failures(&s, "timeout") > before);
    cr_assert_eq(kill(node, SIGCONT), 0);
    cr_expect(failed);
    HEAR(c, "+OK");
    redisFree(c);
    redisFree(direct);
    cr_expect_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
}

/* ---- a worker ---- */

/* All of them stand still for 400 ms: their timers, of 100 ms, come at least 300 ms late. */
Test(metrics_values, a_loop_that_comes_late, .timeout = 60)
{
    enum { STOPPED_MS = 400 };
    struct shared s = shared();
    cr_assert_eq(kill(s.proxy.pid, SIGSTOP), 0);
    pause_ms(STOPPED_MS);
    cr_assert_eq(kill(s.proxy.pid, SIGCONT), 0);
    for (int i = 0; i < proxy_workers(); i++)
        SOON(VALUE("redisproxy_loop_lag_seconds", text("worker=\"%d\"", i), "") >= 0.25);
    cr_expect_lt(VALUE("redisproxy_loop_lag_seconds", "worker=\"0\"", ""), 10);
}

static double memory(const struct shared *s, const char *kind)
{
    return scrape_value(&s->proxy, "redisproxy_memory_bytes", text("kind=\"%s\"", kind), "");
}

static char *a_set(size_t size, size_t *len)
{
    char *set = malloc(size + 64);
    *len = (size_t)sprintf(set, "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%zu\r\n", size);
    memset(set + *len, 'v', size);
    memcpy(set + *len + size, "\r\n", 2);
    *len += size + 2;
    return set;
}

static void ctl(const struct shared *s, const char *words)
{
    char out[4096];
    cr_assert_eq(proxy_ctl(&s->proxy, out, sizeof(out), "%s", words), 0, "%s: %s", words, out);
}

Test(metrics_values, memory_of_what_waits, .timeout = 60)
{
    struct shared s = shared();
    size_t len;
    char *set = a_set(3 * MB, &len);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    ctl(&s, "pause " TRIO_GROUP);
    cr_assert(raw_send(fd, set, len));
    SOON(memory(&s, "held") >= 3 * MB);
    SOON(memory(&s, "requests") >= 3 * MB);
    ctl(&s, "resume " TRIO_GROUP);
    cr_assert(raw_expect(fd, "+OK\r\n"));
    SOON(memory(&s, "held") == 0);
    SOON(memory(&s, "requests") < MB);
    close(fd);
    free(set);
}

/* A client that asks for 12 MB, reads nothing, and goes on sending. */
Test(metrics_values, memory_of_who_does_not_read, .timeout = 60)
{
    int little = 4096;
    struct shared s = shared();
    size_t len;
    char *set = a_set(3 * MB, &len);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
    cr_assert(raw_send(fd, set, len) && raw_expect(fd, "+OK\r\n"));
    for (int i = 0; i < 4; i++)
        cr_assert(raw_send_text(fd, "GET large\r\n"));
    SOON(memory(&s, "replies") >= MB);
    cr_assert(raw_send(fd, set, MB)); /* the begin of one */
    SOON(memory(&s, "read_ahead") >= MB / 2);
    close(fd);
    SOON(memory(&s, "replies") == 0);
    SOON(memory(&s, "read_ahead") == 0);
    free(set);
}

/* ---- a Sentinel ---- */

Test(metrics_values, a_sentinel_in_tilt, .timeout = 60)
{
    NEEDS_REDIS(7, 0, "SENTINEL DEBUG");
    struct shared s = shared();
    redisContext *c = trio_sentinel(&s.trio, 0);
    pid_t sentinel = atoi(info_field(c, "server", "process_id"));
    cr_expect_float_eq(VALUE("redisproxy_sentinel_tilt", "", ""), 0, 0.1);
    EXPECT(c, "+OK", "SENTINEL DEBUG tilt-trigger 300 tilt-period 1000");
    cr_assert_eq(kill(sentinel, SIGSTOP), 0);
    pause_ms(600); /* twice as long as it takes for a jump of the clock */
    cr_assert_eq(kill(sentinel, SIGCONT), 0);
    SOON(VALUE("redisproxy_sentinel_tilt", text("sentinel=\"%s", s.trio.host[0]), "") == 1);
    EXPECT(c, "+OK", "SENTINEL DEBUG tilt-trigger 2000");
    SOON(VALUE("redisproxy_sentinel_tilt", "", "") == 0);
    EXPECT(c, "+OK", "SENTINEL DEBUG tilt-period 30000");
    redisFree(c);
}
