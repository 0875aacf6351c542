/*
 * workers: several threads, and no client can tell. What a client is told of others, and does to
 * them, is the same wherever they are; each test has clients on different workers.
 */
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.without_proxy = true, .trio = {.min_replicas = 1}};

static struct shared s;

static void start(const char *proxy_lines)
{
    s = shared();
    cr_assert(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){.proxy_lines = proxy_lines}) ==
              0);
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
    cr_assert(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 0));
}

/* ---- who has them ---- */

Test(workers, clients_are_spread_evenly, .timeout = 60)
{
    redisContext *clients[50];
    start("workers = 2\n");
    for (int i = 0; i < 50; i++) {
        clients[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(clients[i], "+PONG", "PING");
    }
    for (int i = 0; i < 2; i++)
        cr_expect(wait_until(2000, proxy_gauge(&s.proxy, "redisproxy_sessions", i) == 25),
                  "worker %d has %ld", i, proxy_gauge(&s.proxy, "redisproxy_sessions", i));
    for (int i = 0; i < 50; i++)
        redisFree(clients[i]);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(workers, max_clients_is_of_all_together, .timeout = 60)
{
    redisContext *clients[7], *more;
    start("workers = 3\nmax_clients = 7\n");
    for (int i = 0; i < 7; i++) {
        clients[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(clients[i], "+PONG", "PING");
    }
    for (int i = 0; i < 5; i++) {
        more = proxy_client(&s.proxy, PROXY_MASTER);
        HEAR(more, "-ERR max number of clients reached");
        redisFree(more);
    }
    redisFree(clients[3]);
    cr_assert(wait_until(2000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 6));
    clients[3] = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(clients[3], "+PONG", "PING");
    more = proxy_client(&s.proxy, PROXY_MASTER);
    HEAR(more, "-ERR max number of clients reached");
    redisFree(more);
    for (int i = 0; i < 7; i++)
        redisFree(clients[i]);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(workers, all_of_them_drain, .timeout = 60)
{
    redisContext *waiting[3], *idle[3], *pusher;
    start("workers = 3\n");
    for (int i = 0; i < 3; i++) {
        idle[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(idle[i], "+PONG", "PING");
    }
    for (int i = 0; i < 3; i++) {
        waiting[i] = proxy_client(&s.proxy, PROXY_MASTER);
        say(waiting[i], "BLPOP workers:q%d 0", i);
        say_now(waiting[i]);
    }
    pusher = trio_node(&s.trio, trio_master(&s.trio));
    cr_assert(wait_until(5000, atoi(info_field(pusher, "clients", "blocked_clients")) == 3));
    kill(s.proxy.pid, SIGTERM);
    for (int i = 0; i < 3; i++)
        HEAR(idle[i], "(closed)");
    for (int i = 0; i < 3; i++) {
        cr_expect_not(heard(waiting[i], 0));
        ask(pusher, "RPUSH workers:q%d x", i);
        cr_expect_eq(strncmp(hear(waiting[i]), "[workers:q", 10), 0);
    }
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    for (int i = 0; i < 3; i++) {
        redisFree(idle[i]);
        redisFree(waiting[i]);
    }
    redisFree(pusher);
}
