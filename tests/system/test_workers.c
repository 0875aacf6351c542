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

const struct suite suite = {.without_proxy = true, .trio = {.min_replicas = 1, .fast = true}};

static struct shared s;

static void start(const char *proxy_lines)
{
    s = shared();
    cr_assert(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){.proxy_lines = proxy_lines}) ==
              0);
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
    cr_assert(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 0));
}

static void stop(redisContext *const *clients, int count)
{
    for (int i = 0; i < count; i++)
        redisFree(clients[i]);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

static long long id_of(redisContext *c)
{
    return atoll(ask(c, "CLIENT ID") + 1);
}

static redisContext *client_of(int worker)
{
    return proxy_client_of(&s.proxy, PROXY_MASTER, worker);
}

/* One of each of two workers. */
static void start_two(redisContext *clients[2])
{
    start("workers = 2\n");
    for (int i = 0; i < 2; i++)
        clients[i] = client_of(i);
}

static void switch_over(void)
{
    int before = trio_master(&s.trio);
    cr_assert_eq(trio_failover(&s.trio), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_neq(trio_master(&s.trio), before);
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

/* Each begins with another replica: with few clients, too, all of them have something to do. */
Test(workers, replicas_are_spread_evenly, .timeout = 60)
{
    redisContext *c[2];
    char node[2][64];
    s = shared();
    cr_assert(proxy_start(&s.proxy, &s.trio,
                          &(struct proxy_options){.proxy_lines = "workers = 2\n"}) == 0);
    cr_assert(wait_until(10000, proxy_gauge(&s.proxy, "redisproxy_node_readable", -1) == 2));
    cr_assert(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 0));
    for (int i = 0; i < 2; i++) {
        c[i] = proxy_client(&s.proxy, PROXY_REPLICA);
        snprintf(node[i], sizeof(node[i]), "%s", info_field(c[i], "redisproxy", "redisproxy_node"));
    }
    cr_expect_neq(proxy_worker_of(c[0]), proxy_worker_of(c[1]));
    cr_expect_str_neq(node[0], node[1]);
    stop(c, 2);
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

/* ---- what they are told of each other ---- */

/* The ids of a list's lines with this word, in its order. */
static int ids_in(const char *list, const char *word, long long *ids, int max)
{
    int count = 0;
    for (const char *line = list; line && *line && count < max; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *end = strchrnul(line, '\n'), *at = strstr(line, word);
        if (at && at < end)
            cr_assert_eq(sscanf(line, "id=%lld ", &ids[count++]), 1, "%s", line);
    }
    return count;
}

/* Each is asked, and sees them all, by their age, and none of the proxy's connections. */
Test(workers, client_list_shows_all, .timeout = 60)
{
    enum { GUESTS = 6, ROOM = GUESTS + 4 };
    redisContext *clients[GUESTS];
    long long ids[ROOM], few[ROOM];
    start("workers = 3\n");
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    EXPECT(node, "+OK", "ACL SETUSER guest on >pw ~* +@all");
    for (int i = 0; i < GUESTS; i++) {
        clients[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(clients[i], "+OK", "AUTH guest pw");
        EXPECT(clients[i], "+OK", "SET workers:list %d", i);
    }
    EXPECT(clients[4], "+OK", "MULTI"); /* it has a connection of its own */
    for (int i = 0; i < 3; i++) {
        const char *list = ask(clients[i], "CLIENT LIST");
        cr_assert_eq(ids_in(list, " user=guest ", ids, ROOM), GUESTS, "%s", list);
        cr_assert_not_null(strstr(list, " flags=x "), "%s", list);
        for (int k = 0; k < GUESTS; k++)
            if (k != 4)
                cr_assert_eq(ids[k], id_of(clients[k]));
        list = ask(clients[i], "CLIENT LIST ID %lld %lld", ids[4], ids[2]);
        cr_assert_eq(ids_in(list, "id=", few, ROOM), 2, "%s", list);
        cr_assert(few[0] == ids[2] && few[1] == ids[4], "%s", list);
    }
    EXPECT(node, ":1", "ACL DELUSER guest");
    redisFree(node);
    stop(clients, GUESTS);
}

Test(workers, info_counts_all, .timeout = 60)
{
    redisContext *c[2];
    start_two(c);
    for (int i = 0; i < 2; i++) {
        EXPECT_TEXT(info_field(c[i], "redisproxy", "redisproxy_workers"), "2");
        cr_expect(wait_until(
            2000, strcmp(info_field(c[i], "redisproxy", "redisproxy_sessions"), "2") == 0));
    }
    long upstreams = proxy_gauge(&s.proxy, "redisproxy_upstreams", -1);
    cr_assert_gt(upstreams, proxy_gauge(&s.proxy, "redisproxy_upstreams", 0));
    cr_expect_eq(atol(info_field(c[0], "redisproxy", "redisproxy_upstreams")), upstreams);
    stop(c, 2);
}

/* ---- what they do to each other ---- */

static bool is_gone(redisContext *c)
{
    return strncmp(ask(c, "PING"), "(closed)", 8) == 0;
}

Test(workers, client_kill_ends_any, .timeout = 60)
{
    redisContext *c[2], *victim;
    char addr[80];
    start_two(c);
    for (int by = 0; by < 2; by++) {
        victim = client_of(!by);
        EXPECT(c[by], ":1", "CLIENT KILL ID %lld", id_of(victim));
        cr_expect(is_gone(victim));
        redisFree(victim);
        victim = client_of(!by);
        cr_assert_eq(sscanf(strstr(ask(victim, "CLIENT INFO"), " addr="), " addr=%79s", addr), 1);
        EXPECT(c[by], "+OK", "CLIENT KILL %s", addr);
        cr_expect(is_gone(victim));
        redisFree(victim);
        EXPECT(c[by], "-ERR No such client", "CLIENT KILL %s", addr);
        EXPECT(c[by], ":0", "CLIENT KILL ADDR %s", addr);
        victim = client_of(!by);
        cr_assert_eq(sscanf(strstr(ask(victim, "CLIENT INFO"), " addr="), " addr=%79s", addr), 1);
        EXPECT(c[by], ":0", "CLIENT KILL ADDR %s TYPE pubsub", addr);
        EXPECT(c[by], ":1", "CLIENT KILL ADDR %s TYPE normal", addr);
        cr_expect(is_gone(victim));
        redisFree(victim);
        cr_assert(wait_until(2000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 2));
    }
    EXPECT(c[0], "+PONG", "PING");
    EXPECT(c[0], ":2", "CLIENT KILL TYPE normal SKIPME no");
    cr_expect(is_gone(c[0]));
    cr_expect(is_gone(c[1]));
    stop(c, 2);
}

/* An address that is at the node, and nobody's here, is the node's business. */
Test(workers, client_kill_reaches_the_node, .timeout = 60)
{
    redisContext *c[2], *node;
    char addr[80];
    start_two(c);
    node = trio_node(&s.trio, trio_master(&s.trio));
    for (int by = 0; by < 2; by++) {
        cr_assert_eq(sscanf(strstr(ask(node, "CLIENT INFO"), " addr="), " addr=%79s", addr), 1);
        EXPECT(c[by], ":1", "CLIENT KILL ADDR %s", addr);
        cr_expect(is_gone(node));
        redisFree(node);
        node = trio_node(&s.trio, trio_master(&s.trio));
    }
    redisFree(node);
    stop(c, 2);
}

static bool waits_in(const char *command)
{
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    int count = clients_blocked_in(node, command);
    redisFree(node);
    return count == 1;
}

Test(workers, client_unblock_reaches_any, .timeout = 60)
{
    redisContext *c[2];
    start_two(c);
    for (int by = 0; by < 2; by++) {
        long long id = id_of(c[!by]);
        EXPECT(c[by], ":0", "CLIENT UNBLOCK %lld", id);
        say(c[!by], "BLPOP workers:unblock 0");
        say_now(c[!by]);
        cr_assert(wait_until(5000, waits_in("blpop")));
        EXPECT(c[by], ":1", "CLIENT UNBLOCK %lld", id);
        HEAR(c[!by], "(nil)");
        say(c[!by], "BLPOP workers:unblock 0");
        say_now(c[!by]);
        cr_assert(wait_until(5000, waits_in("blpop")));
        say(c[by], "SET workers:order 1"); /* it keeps its place */
        say(c[by], "CLIENT UNBLOCK %lld ERROR", id);
        say(c[by], "GET workers:order");
        HEAR(c[by], "+OK");
        HEAR(c[by], ":1");
        HEAR(c[by], "1");
        HEAR(c[!by], "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
        EXPECT(c[by], ":0", "CLIENT UNBLOCK %lld", id + 64 * 1000);
    }
    stop(c, 2);
}

Test(workers, client_pause_is_known_to_all, .timeout = 60)
{
    redisContext *c[2];
    start_two(c);
    for (int by = 0; by < 2; by++) {
        redisContext *writer = client_of(!by);
        EXPECT(c[!by], "+OK", "SET workers:pause %d", by);
        EXPECT(c[by], "+OK", "CLIENT PAUSE 60000 WRITE");
        say(writer, "INCR workers:paused");
        say_now(writer);
        cr_assert(wait_until(5000, waits_in("incr")));
        for (int i = 0; i < 20; i++)
            EXPECT(c[!by], by ? "1" : "0", "GET workers:pause"); /* behind the write otherwise */
        EXPECT(c[by], "+OK", "CLIENT UNPAUSE");
        HEAR(writer, by ? ":2" : ":1");
        redisFree(writer);
    }
    EXPECT(c[0], ":1", "DEL workers:paused");
    stop(c, 2);
}

/* ---- what one of them brought ---- */

#define SEVEN "bc70ae583496ef68242126e5f723b4224435af02" /* return(7) */

Test(workers, scripts_are_everybodys, .timeout = 120)
{
    redisContext *c[2];
    start_two(c);
    for (int by = 0; by < 2; by++) {
        EXPECT(c[by], ":7", "EVAL return(7) 0");
        switch_over();
        EXPECT(c[!by], ":7", "EVALSHA " SEVEN " 0");
        EXPECT(c[by], "+OK", "SCRIPT FLUSH");
        EXPECT_PREFIX(c[!by], "-NOSCRIPT", "EVALSHA " SEVEN " 0");
        EXPECT_PREFIX(c[by], "-NOSCRIPT", "EVALSHA " SEVEN " 0");
    }
    stop(c, 2);
}

/* A flush is answered when nobody remembers, whoever has just brought it. */
Test(workers, a_flushed_script_is_forgotten, .timeout = 60)
{
    enum { MANY = 8 };
    redisContext *c[MANY];
    start("workers = 8\n");
    for (int i = 0; i < MANY; i++)
        c[i] = client_of(i);
    for (int i = 0; i < MANY * MANY * 8; i++) {
        EXPECT(c[i % MANY], ":7", "EVAL return(7) 0");
        EXPECT(c[i / MANY % MANY], "+OK", "SCRIPT FLUSH");
        EXPECT_PREFIX(c[(i + i / MANY + 1) % MANY], "-NOSCRIPT", "EVALSHA " SEVEN " 0");
    }
    stop(c, MANY);
}

Test(workers, tracking_is_redirected_to_any, .timeout = 120)
{
    redisContext *c[2], *listener;
    start_two(c);
    for (int by = 0; by < 2; by++) {
        listener = client_of(!by);
        long long id = id_of(listener);
        EXPECT_PREFIX(c[by], "-ERR The client ID you want redirect to does not exist",
                      "CLIENT TRACKING ON REDIRECT %lld", id + 64 * 1000);
        EXPECT(listener, "[subscribe, __redis__:invalidate, :1]", "SUBSCRIBE __redis__:invalidate");
        EXPECT(c[by], "+OK", "CLIENT TRACKING ON REDIRECT %lld", id);
        cr_assert_eq(atoll(ask(c[by], "CLIENT GETREDIR") + 1), id);
        EXPECT(c[by], by ? "2" : "(nil)", "GET workers:tracked");
        EXPECT(c[!by], "+OK", "SET workers:tracked 1");
        HEAR(listener, "[message, __redis__:invalidate, [workers:tracked]]");
        switch_over();
        HEAR(listener, "[message, __redis__:invalidate, (nil)]");
        EXPECT(c[by], "1", "GET workers:tracked");
        EXPECT(c[!by], "+OK", "SET workers:tracked 2");
        HEAR(listener, "[message, __redis__:invalidate, [workers:tracked]]");
        cr_assert_eq(atoll(ask(c[by], "CLIENT GETREDIR") + 1), id);
        EXPECT(c[by], "+OK", "CLIENT TRACKING OFF");
        redisFree(listener);
    }
    EXPECT(c[0], ":1", "DEL workers:tracked");
    stop(c, 2);
}

/* ---- the end ---- */

/* Those that wait for each other's workers when they end leave nothing behind. */
Test(workers, ends_amid_questions, .timeout = 60)
{
    enum { ASKERS = 12 };
    redisContext *c[ASKERS];
    start("workers = 4\ndrain_timeout = 0s\n");
    for (int i = 0; i < ASKERS; i++) {
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(c[i], "+PONG", "PING");
    }
    for (int i = 0; i < ASKERS; i++) {
        for (int n = 0; n < 200; n++)
            say(c[i], n % 4 == 0   ? "CLIENT LIST"
                      : n % 4 == 1 ? "SCRIPT FLUSH"
                      : n % 4 == 2 ? "CLIENT KILL ADDR 127.0.0.1:1"
                                   : "CLIENT UNBLOCK 1099511628800");
        say_now(c[i]);
    }
    (void)hear(c[0]);
    stop(c, ASKERS);
}
