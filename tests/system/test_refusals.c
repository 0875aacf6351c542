/*
 * refusals: a node that lets the proxy itself not in. Its probes go on, since their connections are older;
 * what the proxy cannot do any more is said at once, to clients, in /readyz, /metrics and the log, and
 * whose connection stands is served.
 */
#include "harness/client.h"
#include "harness/net.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE_MS 1000 /* of hold_timeout's 20 s */

const struct suite suite = {
    .trio = {.min_replicas = 1,
             .node_lines = "user proxy on >proxy-secret ~* &* +@all\n"
                           "user admin on >admin-secret ~* &* +@all\n"
                           "user one on >one-secret ~* &* +@all\n"
                           "user two on >two-secret ~* &* +@all\n"},
    .proxy = {.master_lines = "username = proxy\npassword = proxy-secret\n"},
};

struct nodes {
    redisContext *c[3];
};

static struct nodes open_nodes(const struct shared *s)
{
    struct nodes nodes;
    for (int i = 0; i < 3; i++) {
        nodes.c[i] = client_open(s->trio.host[i], s->trio.port[i]);
        EXPECT(nodes.c[i], "+OK", "AUTH admin admin-secret");
    }
    return nodes;
}

static void tell_nodes(const struct nodes *nodes, const char *command)
{
    for (int i = 0; i < 3; i++)
        EXPECT(nodes->c[i], "+OK", command);
}

static void close_nodes(const struct nodes *nodes)
{
    for (int i = 0; i < 3; i++)
        redisFree(nodes->c[i]);
}

/* What /readyz says; to be freed. */
static char *readyz(const struct shared *s)
{
    static const char get[] = "GET /readyz HTTP/1.0\r\n\r\n";
    return raw_transcript(s->proxy.host, PROXY_HTTP, get, sizeof(get) - 1, 0, true);
}

static bool says_ready(const struct shared *s, const char *status, const char *text)
{
    char *answer = readyz(s);
    bool yes = answer && strstr(answer, status) && strstr(answer, text);
    free(answer);
    return yes;
}

static void logged_once(const struct shared *s, const char *text)
{
    EXPECT_IN_LOG(&s->proxy, text);
    char *log = file_text(s->proxy.log), *first = strstr(log, text);
    cr_expect(!first || !strstr(first + 1, text), "%s", text);
    free(log);
}

Test(refusals, the_proxys_own_password, .timeout = 60)
{
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    redisContext *old = proxy_client(&s.proxy, PROXY_MASTER), *other;
    EXPECT(old, "+OK", "SET a 1");
    cr_assert(says_ready(&s, "200 OK", "\"writable\":true"));
    tell_nodes(&nodes, "ACL SETUSER proxy resetpass >another");
    EXPECT(old, "1", "GET a");
    int64_t since = now_ms();
    other = proxy_client(&s.proxy, PROXY_MASTER);
    const char *answer = ask(other, "AUTH one one-secret");
    cr_expect(strstr(answer, "-MASTERDOWN redisproxy: ") && strstr(answer, "WRONGPASS "), "%s",
              answer);
    cr_expect_lt(now_ms() - since, AT_ONCE_MS);
    cr_expect(says_ready(&s, " 503 ", "WRONGPASS "));
    cr_expect(says_ready(&s, " 503 ", "\"writable\":false"));
    cr_expect_geq(proxy_gauge(&s.proxy, "redisproxy_node_refuses", -1), 1);
    EXPECT(old, "1", "GET a"); /* its connection stands */
    redisContext *direct = nodes.c[trio_master(&s.trio)];
    ask(direct, "CLIENT KILL TYPE normal SKIPME yes USER default");
    since = now_ms();
    answer = ask(old, "GET a"); /* and now it does not */
    cr_expect(strstr(answer, "WRONGPASS "), "%s", answer);
    cr_expect_lt(now_ms() - since, AT_ONCE_MS);
    tell_nodes(&nodes, "ACL SETUSER proxy resetpass >proxy-secret");
    cr_expect(wait_until(3000, says_ready(&s, "200 OK", "\"writable\":true"))); /* by itself */
    cr_expect_eq(proxy_gauge(&s.proxy, "redisproxy_node_refuses", -1), 0);
    EXPECT(old, "1", "GET a");
    EXPECT(other, "+OK", "AUTH one one-secret");
    logged_once(&s, "reason=\"the proxy's own password was refused: WRONGPASS ");
    redisFree(old);
    redisFree(other);
    close_nodes(&nodes);
}

Test(refusals, a_right_that_the_proxy_lacks, .timeout = 60)
{
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    tell_nodes(&nodes, "ACL SETUSER proxy -info");
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    int64_t since = now_ms();
    const char *answer = ask(c, "AUTH two two-secret");
    cr_expect(strstr(answer, "-MASTERDOWN redisproxy: ") && strstr(answer, "NOPERM "), "%s",
              answer);
    cr_expect_lt(now_ms() - since, AT_ONCE_MS);
    cr_expect(says_ready(&s, " 503 ", "NOPERM "));
    tell_nodes(&nodes, "ACL SETUSER proxy +info");
    cr_expect(wait_until(3000, says_ready(&s, "200 OK", "\"writable\":true")));
    EXPECT(c, "+OK", "AUTH two two-secret");
    redisFree(c);
    close_nodes(&nodes);
}

/* Room for one more client comes soon, or it does not. With TLS a node without room says nothing: it only hangs up. */
Test(refusals, no_room_at_the_node, .timeout = 60)
{
    struct shared s = shared();
    if (secure_nodes())
        cr_skip_test();
    struct nodes nodes = open_nodes(&s);
    redisContext *master = nodes.c[trio_master(&s.trio)], *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(master, "+OK", "CONFIG SET maxclients 1");
    int64_t since = now_ms();
    const char *answer = ask(c, "AUTH admin admin-secret");
    cr_expect(strstr(answer, "max number of clients reached"), "%s", answer);
    cr_expect_lt(now_ms() - since, 3000);
    cr_expect(says_ready(&s, " 503 ", "max number of clients reached"));
    EXPECT(master, "+OK", "CONFIG SET maxclients 10000");
    cr_expect(wait_until(3000, says_ready(&s, "200 OK", "\"writable\":true")));
    EXPECT(c, "+OK", "AUTH admin admin-secret");
    redisFree(c);
    close_nodes(&nodes);
}

/* Without a password for its default user Redis answers DENIED to who comes from another host. */
Test(refusals, a_node_in_protected_mode, .timeout = 90)
{
    if (net_refused())
        cr_skip_test("%s", net_refused());
    struct shared s;
    struct trio_options apart = {.partitions = true,
                                 .node_lines = "user one on >one-secret ~* &* +@all\n"};
    cr_assert_eq(trio_start(&s.trio, &apart), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_eq(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){0}), 0);
    cr_assert_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
    redisContext *master = trio_node(&s.trio, trio_master(&s.trio));
    redisContext *old = proxy_client(&s.proxy, PROXY_MASTER),
                 *other = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(old, "+OK", "SET a 1");
    EXPECT(master, "+OK", "CONFIG SET protected-mode yes");
    int64_t since = now_ms();
    const char *answer = ask(other, "AUTH one one-secret");
    cr_expect(strstr(answer, "-MASTERDOWN redisproxy: ") && strstr(answer, "DENIED "), "%s",
              answer);
    cr_expect_lt(now_ms() - since, AT_ONCE_MS);
    cr_expect(says_ready(&s, " 503 ", "DENIED "));
    EXPECT(old, "1", "GET a"); /* its connection stands */
    EXPECT(master, "+OK", "CONFIG SET protected-mode no");
    cr_expect(wait_until(3000, says_ready(&s, "200 OK", "\"writable\":true")));
    EXPECT(other, "+OK", "AUTH one one-secret");
    redisFree(old);
    redisFree(other);
    redisFree(master);
    cr_expect_eq(proxy_stop(&s.proxy), 0);
    trio_stop(&s.trio);
}
