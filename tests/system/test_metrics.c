/*
 * metrics: what /metrics tells, under real traffic: every family's form by promtool, numbers by what was sent, bounded
 * however many names clients think of.
 */
#include "harness/client.h"
#include "harness/process.h"
#include "harness/raw.h"
#include "harness/scrape.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

#define OPENMETRICS "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n"

static int lines_of(const char *text, const char *name)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, name)); at++)
        count += at == text || at[-1] == '\n';
    return count;
}

/* Some of everything: so that all families have samples. */
static void use(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET used 1");
    EXPECT(c, "1", "GET used");
    EXPECT_PREFIX(c, "-ERR", "INCR");
    (void)ask(c, "CLIENT SETINFO LIB-NAME used");
    (void)ask(c, "CLIENT SETINFO LIB-VER 1.0");
    redisFree(c);
}

Test(metrics, promtool_finds_nothing_to_say)
{
    struct shared s = shared();
    struct scratch scratch;
    char path[128], command[400];
    cr_assert_eq(scratch_open(&scratch), 0);
    use(&s);
    char *text = scrape(&s.proxy, "");
    snprintf(path, sizeof(path), "%s/metrics.txt", scratch.dir);
    cr_assert_eq(file_write(path, text), 0);
    snprintf(command, sizeof(command), "promtool check metrics <%s >%s/said 2>&1", path,
             scratch.dir);
    int status = system(command);
    snprintf(path, sizeof(path), "%s/said", scratch.dir);
    char *said = file_text(path);
    cr_expect_eq(status, 0, "promtool: %s", said);
    cr_expect_str_eq(said, "");
    free(said);
    free(text);
    scratch_close(&scratch);
}

Test(metrics, openmetrics_for_who_asks)
{
    struct shared s = shared();
    use(&s);
    char *answer = http_get_whole(s.proxy.host, PROXY_HTTP, "/metrics", OPENMETRICS);
    cr_expect(strstr(answer, "Content-Type: application/openmetrics-text; version=1.0.0"));
    cr_expect(strstr(answer, "\n# TYPE redisproxy_requests counter\n"));
    cr_expect(strstr(answer, "\nredisproxy_requests_total{"));
    cr_expect(strstr(answer, "\n# UNIT redisproxy_client_received_bytes bytes\n"));
    cr_expect_str_eq(strstr(answer, "# EOF"), "# EOF\n");
    free(answer);
    answer = http_get_whole(s.proxy.host, PROXY_HTTP, "/metrics", "");
    cr_expect(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
    cr_expect(strstr(answer, "\n# TYPE redisproxy_requests_total counter\n"));
    cr_expect_null(strstr(answer, "# EOF"));
    cr_expect_null(strstr(answer, "# UNIT"));
    free(answer);
}

Test(metrics, requests_by_command_and_result)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&s.proxy, PROXY_REPLICA);
    char *before = scrape(&s.proxy, "");
    EXPECT(c, "+OK", "SET counted 1");
    for (int i = 0; i < 20; i++)
        EXPECT(c, "1", "GET counted");
    EXPECT_PREFIX(c, "-WRONGTYPE", "LPUSH counted x");
    EXPECT_PREFIX(reader, "-READONLY", "SET counted 2");
    for (int i = 0; i < 5; i++)
        say(c, "INCR counted");
    for (int i = 0; i < 5; i++)
        (void)hear(c);
    char *after = scrape(&s.proxy, "");
#define GREW(name, label, other)                                                                   \
    (scrape_sum(after, name, label, other) - scrape_sum(before, name, label, other))
    cr_expect_float_eq(GREW("redisproxy_requests_total", "command=\"get\"", "\"ok\""), 20, 0.1);
    cr_expect_float_eq(GREW("redisproxy_requests_total", "command=\"incr\"", "\"ok\""), 5, 0.1);
    cr_expect_float_eq(GREW("redisproxy_requests_total", "command=\"lpush\"", "\"error\""), 1, 0.1);
    cr_expect_float_eq(GREW("redisproxy_requests_total", "command=\"set\"", "\"refused_stray\""), 1,
                       0.1);
    cr_expect_float_eq(GREW("redisproxy_request_duration_seconds_count", "class=\"read\"", ""), 20,
                       0.1);
    cr_expect_float_eq(GREW("redisproxy_node_duration_seconds_count", "class=\"read\"", ""), 20,
                       0.1);
    cr_expect_float_eq(GREW("redisproxy_request_duration_seconds_count", "class=\"write\"", ""), 8,
                       0.1);
    /* The read port answered one of these by itself. */
    cr_expect_float_eq(GREW("redisproxy_node_duration_seconds_count", "class=\"write\"", ""), 7,
                       0.1);
    cr_expect_gt(GREW("redisproxy_client_received_bytes_total", "", ""), 500);
    cr_expect_gt(GREW("redisproxy_client_sent_bytes_total", "", ""), 100);
    cr_expect_gt(GREW("redisproxy_node_sent_bytes_total", "", ""), 500);
    free(before);
    free(after);
    redisFree(c);
    redisFree(reader);
}

Test(metrics, a_slow_node_is_seen_in_both_latencies)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET slow 1");
    char *before = scrape(&s.proxy, "");
    EXPECT(c, "(nil)", "BLPOP never 0.3");
    char *after = scrape(&s.proxy, "");
    static const char *const families[] = {"redisproxy_request_duration_seconds_sum",
                                           "redisproxy_node_duration_seconds_sum"};
    for (int i = 0; i < 2; i++) {
        double grew = GREW(families[i], "class=\"blocking\"", "");
        cr_expect(grew >= 0.29 && grew < 5, "%s: %f", families[i], grew);
    }
    free(before);
    free(after);
    redisFree(c);
}

/* A client may think of as many names as it likes. */
Test(metrics, what_clients_say_is_bounded)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 300; i++)
        (void)ask(c, "NOSUCH%d key", i);
    char *text = scrape(&s.proxy, "");
    cr_expect_geq(scrape_sum(text, "redisproxy_requests_total", "command=\"other\"", ""), 300);
    cr_expect_null(strcasestr(text, "nosuch"));
    free(text);
    for (int i = 0; i < 200; i++) {
        (void)ask(c, "CLIENT SETINFO LIB-NAME lib%d", i);
        (void)ask(c, "CLIENT SETINFO LIB-VER %d", i);
    }
    text = scrape(&s.proxy, "");
    cr_expect(strstr(text, "\nredisproxy_client_lib_info{lib=\"lib0\",version=\"0\"} 1\n"));
    cr_expect(strstr(text, "\nredisproxy_client_lib_info{lib=\"other\",version=\"other\"} 1\n"));
    int lines = lines_of(text, "redisproxy_client_lib_info{");
    cr_expect(lines > 1 && lines <= 32 * proxy_workers(), "%d", lines);
    free(text);
    redisFree(c);
}

Test(metrics, sessions_begin_and_end)
{
    struct shared s = shared();
    double opened = scrape_value(&s.proxy, "redisproxy_sessions_opened_total", "", "");
    double closed = scrape_value(&s.proxy, "redisproxy_sessions_closed_total", "\"client\"", "");
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    cr_expect_float_eq(scrape_value(&s.proxy, "redisproxy_sessions_opened_total", "", "") - opened,
                       1, 0.1);
    redisFree(c);
    cr_expect(wait_until(5000, scrape_value(&s.proxy, "redisproxy_sessions_closed_total",
                                            "\"client\"", "") > closed));
}

Test(metrics, nodes_and_sentinels)
{
    struct shared s = shared();
    use(&s);
    cr_expect(wait_until(5000, scrape_value(&s.proxy, "redisproxy_sentinel_agrees", "", "") == 3));
    cr_expect_float_eq(scrape_value(&s.proxy, "redisproxy_sentinel_present", "", ""), 3, 0.1);
    cr_expect_float_eq(scrape_value(&s.proxy, "redisproxy_group_sentinels", "", ""), 3, 0.1);
    cr_expect_float_eq(scrape_value(&s.proxy, "redisproxy_group_votes", "", ""), 3, 0.1);
    cr_expect_gt(scrape_value(&s.proxy, "redisproxy_node_connects_total", "", ""), 0);
    cr_expect(wait_until(5000, scrape_value(&s.proxy, "redisproxy_node_upstreams",
                                            "kind=\"shared\"", "state=\"ready\"") > 0));
    char *text = scrape(&s.proxy, "");
    cr_expect_eq(lines_of(text, "redisproxy_node_lag_seconds{"), 2);
    free(text);
    cr_expect_gt(scrape_value(&s.proxy, "process_open_fds", "", ""), 5);
    cr_expect_gt(scrape_value(&s.proxy, "process_resident_memory_bytes", "", ""), 1e6);
}

/* Requests wait, and there is one more master then. */
Test(metrics, a_switchover, .timeout = 120)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    char *before = scrape(&s.proxy, "");
    EXPECT(c, "+OK", "SET switched 0");
    cr_assert_eq(trio_failover(&s.trio), 0);
    for (int i = 0; scrape_value(&s.proxy, "redisproxy_switchovers_total", "\"new\"", "") <
                    scrape_sum(before, "redisproxy_switchovers_total", "\"new\"", "") + 1;
         i++) {
        EXPECT(c, "+OK", "SET switched %d", i);
        cr_assert_lt(i, 100000);
    }
    EXPECT(c, "+OK", "SET switched x");
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    char *after = scrape(&s.proxy, "");
    cr_expect_float_eq(
        GREW("redisproxy_switchover_duration_seconds_count", "phase=\"release\"", ""), 1, 0.1);
    cr_expect_gt(GREW("redisproxy_switchover_duration_seconds_sum", "phase=\"release\"", ""), 0);
    cr_expect_geq(GREW("redisproxy_hold_duration_seconds_count", "", ""), 1);
    cr_expect_geq(GREW("redisproxy_held_requests_total", "", ""), 1);
    cr_expect_gt(scrape_sum(after, "redisproxy_hold_max_duration_seconds", "", ""), 0);
    free(before);
    free(after);
    redisFree(c);
}
