/*
 * admin_switchover: "redisproxy ctl switchover" under load. Where it says 0, another node is master, and no client has noticed:
 * nothing acknowledged is lost, nothing is doubled, nobody got an error. Where it says 1, clients have not noticed either.
 */
#include "harness/client.h"
#include "harness/load.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 16 * 1024, WHOLE_MS = 20000 };

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

static struct shared s;
static char out[OUT_MAX];

static struct load *load_on(const char *name, int pipeline)
{
    return load_start(&(struct load_options){.host = s.proxy.host,
                                             .name = name,
                                             .write_port = PROXY_MASTER,
                                             .writers = 8,
                                             .pipeline = pipeline,
                                             .read_port = PROXY_REPLICA,
                                             .readers = 4,
                                             .stray_port = PROXY_REPLICA,
                                             .strays = 2});
}

static void expect_unharmed(struct load *load)
{
    struct load_report r;
    load_finish(load);
    cr_assert(load_report(load, &s.trio, &r) == 0);
    load_report_print(stderr, &r);
    cr_expect(r.acknowledged > 50, "only %ld writes acknowledged", r.acknowledged);
    cr_expect(r.errors + r.unknown + r.disconnects == 0, "write errors: %s", r.first_error);
    cr_expect(r.lost == 0, "%ld acknowledged writes lost", r.lost);
    cr_expect(r.doubled + r.out_of_order + r.refused_done == 0, "doubled or out of order");
    cr_expect(r.read_errors + r.read_disconnects == 0, "read errors: %s", r.first_error);
    load_free(load);
}

static int switch_over(const char *options)
{
    int status = proxy_ctl(&s.proxy, out, sizeof(out), "switchover mymaster %s", options);
    fprintf(stderr, "%d after: %s\n", status, out);
    return status;
}

/* Some time passes under load, and much is written. */
static void wait_for_writes(struct load *load)
{
    long before = load_acknowledged_so_far(load);
    cr_assert(wait_until(10000, load_acknowledged_so_far(load) - before > 100));
}

static void begin(void)
{
    s = shared();
    cr_assert(trio_wait_whole(&s.trio) == 0);
}

/* ---- what goes wrong ---- */

static bool sentinels_see(int node, const char *priority)
{
    bool all = true;
    for (int i = 0; i < 3; i++) {
        char field[64];
        redisContext *c = trio_sentinel(&s.trio, i);
        redisReply *reply = redisCommand(c, "SENTINEL REPLICAS " TRIO_GROUP);
        bool seen = false;
        for (size_t k = 0; reply && k < reply->elements; k++) {
            bool this = false;
            for (size_t m = 0; m + 1 < reply->element[k]->elements; m += 2) {
                const char *name = reply->element[k]->element[m]->str;
                const char *value = reply->element[k]->element[m + 1]->str;
                snprintf(field, sizeof(field), "%s", value);
                this = this || (strcmp(name, "ip") == 0 && strcmp(field, s.trio.host[node]) == 0);
                seen = seen || (this && strcmp(name, "slave-priority") == 0 &&
                                strcmp(field, priority) == 0);
            }
        }
        all = all && seen;
        freeReplyObject(reply);
        redisFree(c);
    }
    return all;
}

static void set_priority(int node, const char *priority)
{
    redisContext *c = trio_node(&s.trio, node);
    EXPECT(c, "+OK", "CONFIG SET replica-priority %s", priority);
    redisFree(c);
}

/* And one that Sentinel would choose anyway may be named. */
Test(admin_switchover, nothing_is_lost, .timeout = 120)
{
    begin();
    int master = trio_master(&s.trio), wanted = (master + 2) % 3;
    struct load *plain = load_on("planned", 1), *pipelines = load_on("pipelines", 50);
    set_priority(wanted, "50");
    cr_assert(wait_until(WHOLE_MS, sentinels_see(wanted, "50")));
    char options[64];
    snprintf(options, sizeof(options), "--to %s", s.trio.host[(master + 1) % 3]);
    cr_expect_eq(switch_over(options), 1);
    cr_expect(strstr(out, "nothing was changed"), "%s", out);
    cr_expect_eq(trio_master(&s.trio), master);
    snprintf(options, sizeof(options), "--to %s:%d", s.trio.host[wanted], TRIO_PORT);
    cr_expect_eq(switch_over(options), 0, "%s", out);
    cr_expect_eq(trio_named(&s.trio), wanted);
    cr_expect(wait_until(10000, (proxy_ctl(&s.proxy, out, sizeof(out), "history --json mymaster"),
                                 strstr(out, "\"result\":\"new\"") != NULL)),
              "%s", out);
    set_priority(wanted, "100");
    wait_for_writes(plain);
    wait_for_writes(pipelines);
    cr_assert(trio_wait_whole(&s.trio) == 0);
    expect_unharmed(plain);
    expect_unharmed(pipelines);
}

Test(admin_switchover, where_none_can_be_promoted_nothing_changes, .timeout = 120)
{
    begin();
    int master = trio_master(&s.trio);
    struct load *load = load_on("none", 1);
    for (int i = 1; i < 3; i++)
        set_priority((master + i) % 3, "0");
    for (int i = 1; i < 3; i++)
        cr_assert(wait_until(WHOLE_MS, sentinels_see((master + i) % 3, "0")));
    cr_expect_eq(switch_over(""), 1);
    cr_expect(strstr(out, "nothing was changed") && strstr(out, "none can be promoted"), "%s", out);
    cr_expect_eq(trio_master(&s.trio), master);
    for (int i = 1; i < 3; i++)
        set_priority((master + i) % 3, "100");
    for (int i = 1; i < 3; i++)
        cr_assert(wait_until(WHOLE_MS, sentinels_see((master + i) % 3, "100")));
    wait_for_writes(load);
    expect_unharmed(load);
}

Test(admin_switchover, without_a_quorum_nothing_changes, .timeout = 120)
{
    begin();
    int master = trio_master(&s.trio);
    trio_tell_sentinels(&s.trio, "SENTINEL SET mymaster quorum 5");
    cr_expect_eq(switch_over(""), 1);
    cr_expect(strstr(out, "no quorum"), "%s", out);
    cr_expect_eq(trio_master(&s.trio), master);
    trio_tell_sentinels(&s.trio, "SENTINEL SET mymaster quorum 2");
}

/* A replica that does not say how far it is may be far behind, and Sentinel may choose it. */
Test(admin_switchover, one_that_does_not_answer_is_waited_for_and_then_given_up, .timeout = 120)
{
    begin();
    int master = trio_master(&s.trio);
    redisContext *c = trio_node(&s.trio, (master + 1) % 3);
    struct load *load = load_on("silent", 1);
    wait_for_writes(load);
    EXPECT(c, "+OK", "CLIENT PAUSE 5000 ALL");
    cr_expect_eq(switch_over(""), 1);
    cr_expect_not_null(strstr(out, "nothing was changed: "), "%s", out);
    EXPECT(c, "+PONG", "PING"); /* the pause is over */
    redisFree(c);
    cr_expect_eq(trio_master(&s.trio), master);
    wait_for_writes(load);
    cr_assert(trio_wait_whole(&s.trio) == 0);
    expect_unharmed(load);
}

/* Sentinel has taken the request: it goes on, and what is held goes wherever the election says. */
Test(admin_switchover, one_that_is_not_waited_for_harms_nobody, .timeout = 120)
{
    begin();
    struct load *load = load_on("hasty", 1);
    wait_for_writes(load);
    cr_expect_eq(switch_over("--timeout 1ms"), 1);
    cr_expect(strstr(out, "no new master in time"), "%s", out);
    cr_assert(trio_wait_whole(&s.trio) == 0);
    wait_for_writes(load);
    expect_unharmed(load);
}
