/*
 * blocked: a thousand clients that wait for an element. Each has a connection of its own to the node
 * for as long as it waits; the others, who share theirs, do not notice, and none of them is left behind.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1000, IDLE_LEASES = 32 /* of a worker */ };

const struct suite suite = {.trio = {.min_replicas = 1}};

static bool blocked(redisContext *node, int wanted)
{
    return atoi(info_field(node, "clients", "blocked_clients")) == wanted;
}

static long gauge(const struct shared *s, const char *name)
{
    char whole[64];
    snprintf(whole, sizeof(whole), "redisproxy_%s", name);
    return proxy_gauge(&s->proxy, whole, -1);
}

/* Reads as another session until so many are blocked; returns what 20 GETs took at most, in ms. */
static int64_t read_until_blocked(const struct shared *s, redisContext *node, int wanted)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    int64_t slowest = 0, until = now_ms() + 30000;
    while (!blocked(node, wanted)) {
        int64_t before = now_ms();
        for (int i = 0; i < 20; i++)
            EXPECT(c, "value", "GET shared");
        if (now_ms() - before > slowest)
            slowest = now_ms() - before;
        cr_assert(now_ms() < until, "still not %d", wanted);
    }
    redisFree(c);
    return slowest;
}

Test(blocked, a_thousand_at_once, .timeout = 120)
{
    struct shared s = shared();
    static redisContext *c[MANY];
    compare_clean(&s);
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    redisContext *pusher = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(pusher, "+OK", "SET shared value");
    long upstreams = gauge(&s, "upstreams"), sessions = gauge(&s, "sessions");
    for (int i = 0; i < MANY; i++) {
        c[i] = proxy_client(&s.proxy, i % 2 ? PROXY_MASTER : PROXY_SPLIT);
        cr_assert(!c[i]->err, "client %d", i);
        say(c[i], "CLIENT ID");
        say(c[i], "BLPOP blocked:%d 60", i % (MANY / 2)); /* two a key */
    }
    for (int i = 0; i < MANY; i++)
        say_now(c[i]);
    int64_t slowest = read_until_blocked(&s, node, MANY);
    cr_expect(slowest < 2000, "%ld ms for 20 GETs", (long)slowest);
    cr_expect_geq(gauge(&s, "upstreams"), MANY);

    long long id = atoll(hear(c[7]) + 1);
    EXPECT(pusher, ":1", "CLIENT UNBLOCK %lld", id);
    HEAR(c[7], "(nil)");
    cr_assert(wait_until(5000, blocked(node, MANY - 1)));

    for (int i = 0; i < MANY; i++)
        say(pusher, "RPUSH blocked:%d %d", i % (MANY / 2), i);
    say_now(pusher);
    slowest = read_until_blocked(&s, node, 0);
    cr_expect(slowest < 2000, "%ld ms for 20 GETs", (long)slowest);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(hear(pusher)[0], ':');
    for (int i = 0; i < MANY; i++) {
        char wanted[32];
        if (i != 7) {
            cr_assert_eq(hear(c[i])[0], ':', "client %d", i);
            snprintf(wanted, sizeof(wanted), "[blocked:%d, ", i % (MANY / 2));
            cr_assert_eq(strncmp(hear(c[i]), wanted, strlen(wanted)), 0, "client %d", i);
        }
        EXPECT(c[i], "value", "GET shared");
    }
    EXPECT(pusher, ":1", "LLEN blocked:7"); /* the one that was unblocked took none */
    /* Each worker may have a connection to each node that asks whether newcomers are let in. */
    long most = upstreams + (IDLE_LEASES + 3) * proxy_workers() + 2;
    cr_expect(wait_until(5000, gauge(&s, "upstreams") <= most), "%ld left, at most %ld are due",
              gauge(&s, "upstreams"), most);
    for (int i = 0; i < MANY; i++)
        redisFree(c[i]);
    cr_expect(wait_until(5000, gauge(&s, "sessions") == sessions), "%ld", gauge(&s, "sessions"));
    redisFree(pusher);
    redisFree(node);
}
