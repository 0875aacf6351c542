/*
 * startup: the proxy comes up before anything it needs, accepts its clients, and lets them wait;
 * when the Sentinels come, they are served as if nothing had been. It never exits because something
 * is not there yet.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.alone = true};

#define MASTERDOWN(ms) "-MASTERDOWN redisproxy: no master for mymaster within " #ms " ms"

static int health(const struct proxy *p, const char *path, char *body, size_t size)
{
    return http_get(p->host, PROXY_HTTP, path, body, size);
}

/* Whether /metrics shows this number of sessions, and of sessions that wait. */
static bool shows(const struct proxy *p, int sessions, int held)
{
    return proxy_gauge(p, "redisproxy_sessions", -1) == sessions &&
           proxy_gauge(p, "redisproxy_held_sessions", -1) == held;
}

Test(startup, clients_wait_for_the_sentinels, .timeout = 60)
{
    struct trio trio;
    struct proxy proxy;
    char body[4096];
    cr_assert(trio_start(&trio, &(struct trio_options){.sentinels_later = true}) == 0);
    cr_assert(proxy_start(&proxy, &trio, NULL) == 0);
    redisContext *writer = proxy_client(&proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&proxy, PROXY_REPLICA);
    redisContext *split = proxy_client(&proxy, PROXY_SPLIT);
    say(writer, "SET early 1");
    say(writer, "INCR early");
    say(reader, "EXISTS nothing");
    say(split, "EXISTS nothing");
    say_now(writer);
    say_now(reader);
    say_now(split);
    cr_assert(!heard(writer, 300) && !heard(reader, 0) && !heard(split, 0));
    cr_expect(wait_until(2000, shows(&proxy, 3, 3)), "three sessions, three that wait");
    cr_expect_eq(health(&proxy, "/healthz", body, sizeof(body)), 200);
    cr_expect_eq(health(&proxy, "/readyz", body, sizeof(body)), 200, "it can hold: %s", body);
    cr_assert(trio_start_sentinels(&trio) == 0);
    HEAR(writer, "+OK");
    HEAR(writer, ":2");
    HEAR(reader, ":0");
    HEAR(split, ":0");
    cr_expect(wait_until(2000, shows(&proxy, 3, 0)), "three sessions, none waits");
    redisFree(writer);
    redisFree(reader);
    redisFree(split);
    cr_expect(wait_until(2000, shows(&proxy, 0, 0)), "all sessions are gone");
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}

/* The object that /readyz and /healthz give for the group: at the top, or in a list of groups. */
static bool names_the_group(const char *body, const char *master, const char *state)
{
    cJSON *json = cJSON_Parse(body);
    bool parsed = cJSON_IsObject(json);
    cJSON_Delete(json);
    return parsed && strstr(body, TRIO_GROUP) && strstr(body, master) && strstr(body, state);
}

Test(startup, health_says_who_is_master, .timeout = 60)
{
    struct trio trio;
    struct proxy proxy;
    char body[4096], master[48];
    static const char *const paths[] = {"/healthz", "/readyz"};
    static const char *const fields[] = {"\"group\"", "\"master\"", "\"replicas\"", "\"state\"",
                                         "\"since\""};
    cr_assert(trio_start(&trio, &(struct trio_options){0}) == 0);
    cr_assert(proxy_start(&proxy, &trio, NULL) == 0);
    cr_assert(proxy_wait_serving(&proxy, &trio) == 0);
    snprintf(master, sizeof(master), "%s:%d", trio.host[trio_master(&trio)], TRIO_PORT);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(health(&proxy, paths[i], body, sizeof(body)), 200, "%s: %s", paths[i], body);
        cr_expect(names_the_group(body, master, "steady"), "%s: %s", paths[i], body);
        for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
            cr_expect(strstr(body, fields[k]), "%s: no %s in %s", paths[i], fields[k], body);
    }
    static char metrics[1 << 18];
    char line[128];
    snprintf(line, sizeof(line), "\nredisproxy_node_master{group=\"%s\",node=\"%s\"} 1\n",
             TRIO_GROUP, master);
    cr_expect_eq(health(&proxy, "/metrics", metrics, sizeof(metrics)), 200);
    cr_expect(strstr(metrics, line), "no %s in %s", line, metrics);
    cr_expect_eq(health(&proxy, "/nosuch", body, sizeof(body)), 404);
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}

Test(startup, waiting_is_bounded, .timeout = 60)
{
    struct trio trio;
    struct proxy proxy;
    char body[4096];
    cr_assert(trio_start(&trio, &(struct trio_options){.nodes = 1, .sentinels_later = true}) == 0);
    cr_assert(proxy_start(&proxy, &trio,
                          &(struct proxy_options){.master_lines = "hold_timeout = 1s\n"}) == 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    int64_t started = now_ms();
    EXPECT(c, MASTERDOWN(1000), "SET early 1");
    cr_expect(now_ms() - started >= 950 && now_ms() - started < 3000, "after %ld ms",
              (long)(now_ms() - started));
    cr_expect(wait_until(5000, health(&proxy, "/readyz", body, sizeof(body)) == 503), "%s", body);
    cr_expect(strstr(body, TRIO_GROUP), "%s", body);
    cr_expect_eq(health(&proxy, "/healthz", body, sizeof(body)), 200);
    cr_assert(trio_start_sentinels(&trio) == 0);
    cr_assert(wait_until(10000, strcmp(ask(c, "SET late 1"), "+OK") == 0));
    cr_expect(wait_until(5000, health(&proxy, "/readyz", body, sizeof(body)) == 200), "%s", body);
    redisFree(c);
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}

/* Names that do not resolve, addresses where nobody listens: it says so, stays, and stops in order.
 */
Test(startup, nothing_at_all_is_there, .timeout = 60)
{
    struct trio nobody = {.options = {.sentinels = 3}};
    struct proxy proxy;
    cr_assert(scratch_open(&nobody.scratch) == 0);
    for (int i = 0; i < 2; i++)
        snprintf(nobody.name[i], TRIO_HOST, "%s.%d", nobody.scratch.prefix, i + 1);
    snprintf(nobody.name[2], TRIO_HOST, "no-such-host.invalid");
    snprintf(nobody.proxy_host, TRIO_HOST, "%s.100", nobody.scratch.prefix);
    cr_assert(proxy_start(&proxy, &nobody,
                          &(struct proxy_options){.master_lines = "hold_timeout = 1s\n"}) == 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER), *r = proxy_client(&proxy, PROXY_REPLICA);
    EXPECT(c, MASTERDOWN(1000), "GET x");
    EXPECT(c, MASTERDOWN(1000), "BLPOP x 0");
    EXPECT_PREFIX(r, "-MASTERDOWN", "GET x");
    redisFree(c);
    redisFree(r);
    EXPECT_IN_LOG(&proxy, "no-such-host.invalid");
    cr_expect(proxy_stop(&proxy) == 0);
    scratch_close(&nobody.scratch);
}

/* The nodes name a master, and none lets the proxy ask it: nothing that waiting would mend. */
Test(startup, a_wrong_password_is_said_at_once, .timeout = 60)
{
    struct trio trio;
    struct proxy proxy;
    char body[4096];
    cr_assert(trio_start(&trio, &(struct trio_options){0}) == 0);
    cr_assert(trio_tell_all(&trio, "ACL SETUSER proxy on >right ~* &* +@all"));
    cr_assert(proxy_start(&proxy, &trio,
                          &(struct proxy_options){
                              .master_lines = "username = proxy\npassword = wrong\n"}) == 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    const char *answer = ask(c, "GET a");
    cr_expect(strstr(answer, "-MASTERDOWN redisproxy: ") && strstr(answer, "WRONGPASS "), "%s",
              answer);
    cr_expect_eq(health(&proxy, "/readyz", body, sizeof(body)), 503, "%s", body);
    cr_expect(strstr(body, "WRONGPASS "), "%s", body);
    cr_expect_geq(proxy_gauge(&proxy, "redisproxy_node_refuses", -1), 1);
    redisFree(c);
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}
