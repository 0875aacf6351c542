/*
 * hold: requests that wait for a master. There is none here until a test starts the Sentinels:
 * nodes alone make no group.
 */
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.alone = true};

static struct trio trio;
static struct proxy proxy;

static void start(const char *master_lines)
{
    cr_assert(trio_start(&trio, &(struct trio_options){.nodes = 2, .sentinels_later = true}) == 0);
    cr_assert(proxy_start(&proxy, &trio, &(struct proxy_options){.master_lines = master_lines}) ==
              0);
}

static void stop(void)
{
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}

#define MASTERDOWN(ms) "-MASTERDOWN redisproxy: no master for mymaster within " #ms " ms"

Test(hold, the_timeout_and_its_text, .timeout = 60)
{
    start("hold_timeout = 1500ms\n");
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    int64_t started = now_ms();
    say(c, "SET a 1");
    say(c, "GET a");
    HEAR(c, MASTERDOWN(1500));
    cr_expect(now_ms() - started >= 1450 && now_ms() - started < 3000);
    HEAR(c, MASTERDOWN(1500));
    redisFree(c);
    stop();
}

/* A client that gave up and comes back must not find its write done twice. */
Test(hold, a_client_that_leaves_takes_its_requests_along, .timeout = 60)
{
    start("hold_timeout = 30s\n");
    for (int i = 0; i < 20; i++) {
        redisContext *c = proxy_client(&proxy, i % 2 ? PROXY_MASTER : PROXY_SPLIT);
        say(c, "SET ghost:%d 1", i);
        say(c, "RPUSH ghosts %d", i);
        if (i % 4 == 0)
            say(c, "MULTI");
        say_now(c);
        cr_assert(!heard(c, 20));
        redisFree(c);
    }
    redisContext *stays = proxy_client(&proxy, PROXY_MASTER);
    say(stays, "SET stays 1");
    say_now(stays);
    cr_assert(trio_start_sentinels(&trio) == 0);
    HEAR(stays, "+OK");
    EXPECT(stays, ":0", "EXISTS ghosts ghost:0 ghost:1 ghost:19");
    EXPECT(stays, ":1", "DBSIZE");
    redisFree(stays);
    stop();
}

/* Released in the order of arrival within each session. */
Test(hold, order_survives, .timeout = 60)
{
    enum { SESSIONS = 10, EACH = 50 };
    redisContext *c[SESSIONS];
    start("hold_timeout = 30s\n");
    for (int i = 0; i < SESSIONS; i++) {
        c[i] = proxy_client(&proxy, i % 2 ? PROXY_MASTER : PROXY_SPLIT);
        for (int k = 0; k < EACH; k++)
            say(c[i], "RPUSH held:%d %d", i, k);
        say(c[i], "LRANGE held:%d 0 2", i);
        say(c[i], "SELECT 0");
        say_now(c[i]);
    }
    cr_assert(!heard(c[0], 200));
    cr_assert(trio_start_sentinels(&trio) == 0);
    for (int i = 0; i < SESSIONS; i++) {
        for (int k = 0; k < EACH; k++)
            cr_assert_eq(atoi(hear(c[i]) + 1), k + 1);
        HEAR(c[i], "[0, 1, 2]");
        HEAR(c[i], "+OK");
        redisFree(c[i]);
    }
    stop();
}

Test(hold, memory_is_bounded, .timeout = 60)
{
    enum { SESSIONS = 40, SIZE = 100 * 1000 };
    redisContext *c[SESSIONS];
    static char value[SIZE + 1];
    int refused = 0, done = 0;
    memset(value, 'x', SIZE);
    start("hold_timeout = 30s\nhold_memory = 1mb\n");
    for (int i = 0; i < SESSIONS; i++) {
        c[i] = proxy_client(&proxy, PROXY_MASTER);
        say(c[i], "SET big:%d %s", i, value);
        say_now(c[i]);
    }
    /* 4 MB do not fit into 1 MB: the surplus is refused at once, not after the timeout */
    cr_assert(heard(c[SESSIONS - 1], 5000));
    cr_assert(trio_start_sentinels(&trio) == 0);
    for (int i = 0; i < SESSIONS; i++) {
        const char *reply = hear(c[i]);
        done += strcmp(reply, "+OK") == 0;
        refused += strcmp(reply, MASTERDOWN(30000)) == 0;
        EXPECT(c[i], strcmp(reply, "+OK") == 0 ? ":1" : ":0", "EXISTS big:%d", i);
        redisFree(c[i]);
    }
    cr_expect(done >= 5 && done <= 11, "%d of 40 were held", done);
    cr_expect_eq(done + refused, SESSIONS);
    stop();
}

/* What needs no node is answered, in order, as far as order allows. */
Test(hold, a_session_can_still_quit, .timeout = 60)
{
    start("hold_timeout = 2s\n");
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    say(c, "SET a 1");
    say(c, "QUIT");
    HEAR(c, MASTERDOWN(2000));
    HEAR(c, "+OK");
    HEAR(c, "(closed)");
    redisFree(c);
    stop();
}

/* The master's connection is lost while a write is in flight; Sentinel is not there to help. */
Test(hold, a_lost_write_is_unknown_and_a_lost_read_is_repeated, .timeout = 60)
{
    start("hold_timeout = 30s\n");
    cr_assert(trio_start_sentinels(&trio) == 0);
    redisContext *w = proxy_client(&proxy, PROXY_MASTER), *r = proxy_client(&proxy, PROXY_MASTER);
    redisContext *direct = trio_node(&trio, 0);
    EXPECT(w, "+OK", "SET k 1");
    EXPECT(r, "1", "GET k");
    say(direct, "DEBUG SLEEP 1");
    say(direct, "CLIENT KILL TYPE normal SKIPME yes");
    say_now(direct);
    say(w, "INCR k");
    say_now(w);
    say(r, "GET other");
    say_now(r);
    HEAR(direct, "+OK");
    hear(direct);
    const char *answer = hear(w);
    cr_expect(strcmp(answer, ":2") == 0 ||
                  strcmp(answer, "-ERR redisproxy: outcome unknown, the connection to the master "
                                 "was lost after the command was sent") == 0,
              "%s", answer);
    HEAR(r, "(nil)");
    EXPECT(w, "+OK", "SET after 1");
    redisFree(w);
    redisFree(r);
    redisFree(direct);
    stop();
}
