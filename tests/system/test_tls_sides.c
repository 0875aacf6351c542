/*
 * tls_sides: every combination of who speaks TLS and who does not: clients, nodes, Sentinels. In each one clients of both
 * kinds, at one proxy, write and read, and do not notice a planned switchover; and whoever was connected to before
 * is connected to again without a full handshake.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_PORT = 7379, AFTERWARDS = 100 };

const struct suite suite = {.alone = true, .at_once = 2};

static struct trio trio;
static struct proxy proxy;

/* A second listener, for plain clients: the others' speak TLS. */
static void begin(const char *sides)
{
    char plain[200];
    setenv("TLS", sides, 1);
    cr_assert_eq(trio_start(&trio, &(struct trio_options){.fast = true, .min_replicas = 1}), 0);
    snprintf(plain, sizeof(plain), "\n[listen %s:%d]\nmaster = %s\nroute = master\n",
             trio.proxy_host, PLAIN_PORT, TRIO_GROUP);
    cr_assert_eq(proxy_start(&proxy, &trio, &(struct proxy_options){.sections = plain}), 0);
    cr_assert_eq(proxy_wait_serving(&proxy, &trio), 0);
}

static void end(void)
{
    cr_assert_eq(proxy_stop(&proxy), 0);
    trio_stop(&trio);
}

TestSuite(tls_sides, .fini = end, .timeout = 120);

static void counts_to(redisContext *c, const char *key, int count)
{
    char answer[24];
    snprintf(answer, sizeof(answer), ":%d", count);
    const char *got = ask(c, key);
    cr_assert_str_eq(got, answer, "%s", key);
}

static void served_through_a_switchover(void)
{
    redisContext *secret = proxy_client(&proxy, PROXY_MASTER);
    redisContext *plain = redisConnectFd(raw_open_plain(proxy.host, PLAIN_PORT));
    int before = trio_named(&trio), count = 0;
    EXPECT(secret, "+OK", "SET key value");
    EXPECT(plain, "value", "GET key");
    cr_assert_eq(trio_failover(&trio), 0);
    for (int left = AFTERWARDS; left > 0; left -= trio_named(&trio) != before) {
        counts_to(secret, "INCR secret", ++count);
        counts_to(plain, "INCR plain", count);
    }
    EXPECT(plain, "value", "GET key");
    redisFree(secret);
    redisFree(plain);
}

/* Nodes that a worker has been connected to, and their replacement after CLIENT KILL. */
static long resumed(void)
{
    return proxy_gauge(&proxy, "redisproxy_tls_handshakes_total{with=\"node\",resumed=\"yes\"}",
                       -1);
}

static long kill_all_and_count(void)
{
    long before = resumed();
    for (int i = 0; i < 3; i++) {
        redisContext *node = trio_node(&trio, i);
        ask(node, "CLIENT KILL TYPE normal SKIPME yes");
        redisFree(node);
    }
    cr_assert_eq(proxy_wait_serving(&proxy, &trio), 0);
    cr_expect(wait_until(5000, resumed() >= before + 3), "the probes alone are three: %ld",
              resumed() - before);
    return resumed() - before;
}

Test(tls_sides, clients_only)
{
    begin("clients");
    served_through_a_switchover();
}

Test(tls_sides, clients_and_nodes)
{
    begin("clients,nodes");
    served_through_a_switchover();
}

Test(tls_sides, clients_and_sentinels)
{
    begin("clients,sentinels");
    served_through_a_switchover();
}

Test(tls_sides, everybody)
{
    begin("clients,servers");
    served_through_a_switchover();
    fprintf(stderr, "%ld handshakes were resumed\n", kill_all_and_count());
}
