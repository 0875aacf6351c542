/*
 * ready: what probes of an orchestrator are told, and what they cost. While a switch is held the proxy is ready; it is not
 * when no connection of its workers reaches the master. Whether it lives is no question of Redis. Who connects each second
 * and says nothing, as a kubelet does, is no client that anybody hears of.
 */
#include "harness/balancer.h"
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct suite suite = {.trio = {.fast = true}};

static char body[8192];

static int health(const struct proxy *p, const char *path)
{
    return http_get(p->host, PROXY_HTTP, path, body, sizeof(body));
}

/* ---- probes ---- */

static const int ports[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};

/* Connects, and goes: by a FIN, or, as a kubelet does, by a reset. */
static void knock(const struct proxy *p, int port, bool reset)
{
    static const struct linger at_once = {.l_onoff = 1};
    int fd = raw_open_plain(p->host, port);
    cr_assert_geq(fd, 0);
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static long connections_of(redisContext *node)
{
    return atol(info_field(node, "stats", "total_connections_received"));
}

/* READY_PROBES=60 for a minute of them, by hand. */
Test(ready, probes_are_nothing_to_nobody, .timeout = 120)
{
    struct shared s = shared();
    const char *number = getenv("READY_PROBES");
    int probes = number ? atoi(number) : 10, pace_ms = number ? 1000 : 100;
    redisContext *nodes[3];
    long before[3], accepted = proxy_gauge(&s.proxy, "redisproxy_sessions", -1);
    for (int i = 0; i < 3; i++) {
        nodes[i] = trio_node(&s.trio, i);
        before[i] = connections_of(nodes[i]);
    }
    char *log = file_text(s.proxy.log);
    for (int i = 0; i < probes; i++) {
        for (size_t k = 0; k < sizeof(ports) / sizeof(ports[0]); k++)
            knock(&s.proxy, ports[k], (i + k) % 2);
        cr_expect_eq(health(&s.proxy, "/readyz"), 200, "%s", body);
        cr_expect_eq(health(&s.proxy, "/healthz"), 200, "%s", body);
        pause_ms(pace_ms);
    }
    cr_expect(wait_until(2000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == accepted));
    char *after = file_text(s.proxy.log);
    cr_expect_str_eq(after, log, "the log tells of them: %s", after + strlen(log));
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(connections_of(nodes[i]), before[i], "node %d was connected to", i + 1);
        redisFree(nodes[i]);
    }
    free(log);
    free(after);
}

/* ---- readiness ---- */

/* Over all of a planned switch, with a client whose writes are held meanwhile. */
Test(ready, a_switch_is_held_and_not_unready, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    int before = trio_master(&s.trio), asked = 0;
    bool held = false, over = false;
    EXPECT(c, "+OK", "SET ready 1");
    cr_assert(trio_failover(&s.trio) == 0);
    say(c, "SET ready 2");
    say_now(c);
    for (int64_t until = now_ms() + 15000; !over && now_ms() < until; asked++) {
        cr_assert_eq(health(&s.proxy, "/readyz"), 200, "%s", body);
        held = held || strstr(body, "\"state\":\"switching\"");
        over = proxy_said(&s.proxy, "new master confirmed") > 0;
        pause_ms(5);
    }
    cr_expect(over && held && asked > 10, "%d %d %d", over, held, asked);
    HEAR(c, "+OK");
    cr_assert(trio_wait_whole(&s.trio) == 0);
    cr_expect_neq(trio_master(&s.trio), before);
    redisFree(c);
}

/* Somebody goes on asking; /readyz says that it is in vain. */
static bool is_unready_to(redisContext *c, const struct proxy *p)
{
    if (heard(c, 0)) {
        hear(c);
        say(c, "GET a");
        say_now(c);
    }
    return health(p, "/readyz") == 503;
}

/* The master stands behind a balancer: connections that stand, the probe's among them, go on, and new ones are closed at
 * once. Nothing is wrong with Redis, and nobody but who tries would know. */
Test(ready, a_master_that_no_new_connection_reaches, .timeout = 60)
{
    struct trio trio;
    struct proxy proxy;
    struct balancer_target target = {.port = TRIO_PORT};
    char door[TRIO_HOST], command[128];
    if (secure_nodes() || secure_sentinels())
        cr_skip_test("the balancer is in nobody's certificate");
    cr_assert(trio_start(&trio, &(struct trio_options){.nodes = 1, .sentinels = 1, .fast = true}) ==
              0);
    memcpy(target.host, trio.host[0], TRIO_HOST);
    snprintf(door, sizeof(door), "%s.50", trio.scratch.prefix);
    struct balancer *balancer = balancer_start(door, TRIO_PORT, &target, 1);
    cr_assert_not_null(balancer);
    trio_tell_sentinels(&trio, "SENTINEL REMOVE " TRIO_GROUP);
    snprintf(command, sizeof(command), "SENTINEL MONITOR " TRIO_GROUP " %s %d 1", door, TRIO_PORT);
    trio_tell_sentinels(&trio, command);
    cr_assert(proxy_start(&proxy, &trio,
                          &(struct proxy_options){.master_lines = "hold_timeout = 2s\n",
                                                  .listen_lines = "multiplexing = no\n"}) == 0);
    redisContext *old = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(old, "+OK", "SET a 1");
    cr_assert_eq(health(&proxy, "/readyz"), 200, "%s", body);
    balancer_use(balancer, 0, false);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    say(c, "GET a");
    say_now(c);
    cr_expect(wait_until(15000, is_unready_to(c, &proxy)), "%s", body);
    cr_expect(strstr(body, "no new connection comes about"), "%s", body);
    cr_expect_eq(health(&proxy, "/healthz"), 200, "it lives: %s", body);
    const char *answer = hear(c);
    cr_expect(strncmp(answer, "-MASTERDOWN redisproxy: ", 24) == 0, "%s", answer);
    EXPECT(old, "1", "GET a"); /* its connection stands */
    balancer_use(balancer, 0, true);
    cr_expect(wait_until(5000, health(&proxy, "/readyz") == 200), "%s", body); /* by itself */
    EXPECT(c, "1", "GET a");
    redisFree(c);
    redisFree(old);
    /* All of Redis is gone: it is not ready, and goes on living. */
    trio_kill_sentinel(&trio, 0);
    trio_kill_node(&trio, 0);
    cr_expect(wait_until(10000, health(&proxy, "/readyz") == 503), "%s", body);
    cr_expect_eq(health(&proxy, "/healthz"), 200, "%s", body);
    cr_expect(proxy_stop(&proxy) == 0);
    balancer_stop(balancer);
    trio_stop(&trio);
}
