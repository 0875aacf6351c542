/*
 * tls_refusals: the proxy and its servers cannot agree about TLS. Nothing is served then, and why is said at once: to
 * clients, in /readyz and /metrics, and once in the log. When a master is there already, the requests wait as long as
 * for a new one.
 */
#include "certificates.h"
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/servers.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOON_MS = 8000, AT_ONCE_MS = 1500, PLAIN_PORT = 7379 }; /* of hold_timeout's 20 s */

const struct suite suite = {.alone = true, .at_once = 2};

static struct trio trio;
static struct proxy proxy;

/* Servers of these sides speak TLS, with the harness' certificates. */
static void begin(const char *sides)
{
    setenv("TLS", sides, 1);
    cr_assert_eq(trio_start(&trio, &(struct trio_options){.fast = true}), 0);
}

/* The proxy has lines of its own for that. */
static void start(const char *sides, const char *master_lines)
{
    unsetenv("TLS");
    cr_assert_eq(proxy_start(&proxy, &trio, &(struct proxy_options){.master_lines = master_lines}),
                 0);
    setenv("TLS", sides, 1);
}

static void end(void)
{
    cr_assert_eq(proxy_stop(&proxy), 0);
    trio_stop(&trio);
}

TestSuite(tls_refusals, .fini = end, .timeout = 120);

static bool ready_says(int status, const char *words)
{
    char body[4096] = "";
    return http_get(proxy.host, PROXY_HTTP, "/readyz", body, sizeof(body)) == status &&
           strstr(body, words);
}

static int times_logged(const char *first, const char *second)
{
    int times = 0;
    char *log = file_text(proxy.log);
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
        times += strstr(line, first) && strstr(line, second);
    free(log);
    return times;
}

static redisContext *plain_client(void)
{
    redisContext *c = redisConnectFd(raw_open_plain(proxy.host, PROXY_MASTER));
    redisSetTimeout(c, (struct timeval){30, 0});
    return c;
}

/* `who`: "the node", "the Sentinel". */
static void expect_told(const char *who, const char *why)
{
    cr_assert(wait_until(SOON_MS, ready_says(503, why)), "/readyz does not say: %s", why);
    redisContext *c = plain_client();
    int64_t since = now_ms();
    const char *answer = ask(c, "GET a");
    cr_expect(strstr(answer, text("-MASTERDOWN redisproxy: TLS with %s ", who)) &&
                  strstr(answer, why),
              "%s", answer);
    cr_expect_lt(now_ms() - since, AT_ONCE_MS);
    redisFree(c);
}

static void expect_node_told(const char *why)
{
    expect_told("the node", why);
    cr_expect_geq(proxy_gauge(&proxy, "redisproxy_node_refuses", -1), 1);
    for (int i = 0; i < 3; i++)
        cr_expect_leq(times_logged(text("node=%s:", trio.host[i]), why), 1);
}

static void expect_sentinel_told(const char *why)
{
    expect_told("the Sentinel", why);
    for (int i = 0; i < 3; i++) /* each of the two connections to it */
        cr_expect_leq(times_logged(text("sentinel=%s:", trio.host[i]), why), 2);
}

static const char *with_ca(const char *path, const char *more)
{
    const char *dir = trio.scratch.dir;
    return text("tls_ca = %s\ntls_cert = %s/tls.crt\ntls_key = %s/tls.key\n%s", path, dir, dir,
                more);
}

static const char *own_ca(void)
{
    return text("%s/ca.crt", trio.scratch.dir);
}

static const char *other_ca(void)
{
    struct certificate other =
        certificate_make(&(struct certificate_wish){.cn = "other", .authority = true});
    certificate_write(trio.scratch.dir, "other.crt", &other, NULL);
    certificate_free(&other);
    return text("%s/other.crt", trio.scratch.dir);
}

/* ---- nodes ---- */

Test(tls_refusals, nodes_of_another_ca)
{
    begin("nodes");
    start("nodes", text("tls = verify-full\n%s", with_ca(other_ca(), "")));
    expect_node_told("the certificate is not good: ");
}

Test(tls_refusals, nodes_of_another_name)
{
    begin("nodes");
    start("nodes",
          text("tls = verify-full\n%s", with_ca(own_ca(), "tls_server_name = other.test\n")));
    expect_node_told("hostname mismatch");
}

Test(tls_refusals, plain_nodes)
{
    begin("clients"); /* so that there are certificates */
    start("none", text("tls = verify-full\n%s", with_ca(own_ca(), "")));
    expect_node_told("does not answer TLS: does it speak it?");
}

struct nodes {
    redisContext *c[3];
};

/* From now on they show this certificate; connections that stand stand. */
static void show_certificate(const struct nodes *nodes, const char *name)
{
    const char *dir = trio.scratch.dir;
    for (int i = 0; i < 3; i++)
        EXPECT(nodes->c[i], "+OK",
               text("CONFIG SET tls-cert-file %s/%s.crt tls-key-file %s/%s.key", dir, name, dir,
                    name));
}

static void write_strange(void)
{
    struct certificate made =
        certificate_make(&(struct certificate_wish){.cn = "strange", .authority = true});
    certificate_write(trio.scratch.dir, "strange.crt", &made, NULL);
    certificate_write_key(trio.scratch.dir, "strange.key", &made);
    certificate_free(&made);
}

/* A master that was served by is waited for, and then it is told; with the right certificate it goes on by itself. */
Test(tls_refusals, a_certificate_that_is_no_good_any_more)
{
    struct nodes nodes;
    if (!servers_have(7, 0)) /* which change both files at once */
        cr_skip_test();
    begin("nodes");
    for (int i = 0; i < 3; i++)
        nodes.c[i] = trio_node(&trio, i);
    start("nodes", text("tls = verify-ca\nhold_timeout = 2s\n%s", with_ca(own_ca(), "")));
    redisContext *c = plain_client();
    EXPECT(c, "+OK", "SET a 1");
    write_strange();
    show_certificate(&nodes, "strange");
    EXPECT(c, "1", "GET a"); /* its connection stands */
    for (int i = 0; i < 3; i++)
        ask(nodes.c[i], "CLIENT KILL TYPE normal SKIPME yes");
    const char *answer = ask(c, "GET a");
    cr_expect(strstr(answer, "-MASTERDOWN ") && strstr(answer, "the certificate is not good: "),
              "%s", answer);
    cr_expect(wait_until(SOON_MS, ready_says(503, "the certificate is not good: ")));
    show_certificate(&nodes, "tls");
    cr_expect(wait_until(SOON_MS, ready_says(200, "\"writable\":true")));
    EXPECT(c, "1", "GET a");
    cr_expect(wait_until(SOON_MS, proxy_gauge(&proxy, "redisproxy_node_refuses", -1) == 0));
    for (int i = 0; i < 3; i++)
        redisFree(nodes.c[i]);
    redisFree(c);
}

/* ---- Sentinels ---- */

Test(tls_refusals, sentinels_of_another_ca)
{
    begin("servers");
    start("servers",
          text("tls = verify-full\nsentinel_tls = verify-full\n%s", with_ca(other_ca(), "")));
    expect_sentinel_told("the certificate is not good: ");
}

Test(tls_refusals, plain_sentinels)
{
    begin("clients");
    start("none", text("sentinel_tls = verify-full\n%s", with_ca(own_ca(), "")));
    expect_sentinel_told("does not answer TLS: does it speak it?");
}

Test(tls_refusals, a_certificate_that_sentinels_miss)
{
    begin("servers");
    start("servers", text("tls = verify-ca\nsentinel_tls = verify-ca\ntls_ca = %s\n", own_ca()));
    expect_sentinel_told("certificate required");
}
