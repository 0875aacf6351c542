/*
 * carried: what a session has besides its requests, and what becomes of it when the master changes:
 * subscriptions and blocked commands go along, an open transaction too, a
 * WATCH counts as touched. One switchover serves all of it; each session then simply goes on.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/observer.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

enum { BLOCKED = 20 };

static bool blocked(struct shared *s, int wanted)
{
    redisContext *c = trio_node(&s->trio, trio_master(&s->trio));
    bool yes = atoi(info_field(c, "clients", "blocked_clients")) == wanted;
    redisFree(c);
    return yes;
}

static struct observer *begin_switch(struct shared *s, int64_t *asked)
{
    struct observer *observer = observer_start(&s->trio);
    *asked = now_us();
    cr_assert(trio_failover(&s->trio) == 0);
    return observer;
}

static void end_switch(struct observer *observer, int64_t asked)
{
    struct switchover seen;
    cr_assert(observer_switchover(observer, asked, &seen) == 0);
    observer_stop(observer);
}

static void switch_over(struct shared *s)
{
    int64_t asked;
    struct observer *observer = begin_switch(s, &asked);
    end_switch(observer, asked);
}

static void check_blocked(struct shared *s, redisContext **c)
{
    redisContext *pusher = proxy_client(&s->proxy, PROXY_MASTER);
    for (int i = 0; i < BLOCKED; i++)
        cr_assert(!heard(c[i], 0), "a blocked command was answered: %s", hear(c[i]));
    for (int i = 0; i < BLOCKED; i++)
        EXPECT(pusher, ":1", "RPUSH waiting:%d %d", i, i);
    for (int i = 0; i < BLOCKED; i++) {
        char wanted[40];
        snprintf(wanted, sizeof(wanted), "[waiting:%d, %d]", i, i);
        HEAR(c[i], wanted);
        EXPECT(c[i], "+PONG", "PING");
        redisFree(c[i]);
    }
    redisFree(pusher);
}

static void check_subscribed(struct shared *s, redisContext *sub)
{
    redisContext *pub = proxy_client(&s->proxy, PROXY_MASTER);
    cr_assert(!heard(sub, 0), "something came unasked: %s", hear(sub));
    cr_expect(wait_until(5000, strcmp(ask(pub, "PUBLISH news x"), ":2") == 0));
    const char *first = hear(sub), *second = hear(sub);
    cr_expect((strcmp(first, "[message, news, x]") == 0 &&
               strcmp(second, "[pmessage, n*, news, x]") == 0),
              "%s, %s", first, second);
    redisFree(pub);
    redisFree(sub);
}

static void check_transactions(redisContext *open, redisContext *watching, redisContext *watched)
{
    EXPECT(open, "+QUEUED", "INCR carried");
    EXPECT(open, "[+OK, :2]", "EXEC");
    EXPECT(open, "2", "GET carried");
    EXPECT(watching, "+OK", "MULTI");
    EXPECT(watching, "+QUEUED", "SET never 1");
    EXPECT(watching, "(nil)", "EXEC");
    EXPECT_PREFIX(watched, "", "EXEC");
    EXPECT(watched, ":0", "EXISTS never aborted");
    redisContext *all[] = {open, watching, watched};
    for (int i = 0; i < 3; i++) {
        EXPECT(all[i], "+OK", "MULTI");
        EXPECT(all[i], "+QUEUED", "INCR again");
        char wanted[16];
        snprintf(wanted, sizeof(wanted), "[:%d]", i + 1);
        EXPECT(all[i], wanted, "EXEC");
        redisFree(all[i]);
    }
}

Test(carried, through_a_switchover, .timeout = 90)
{
    struct shared s = shared();
    redisContext *waiting[BLOCKED], *sub = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *open = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *watching = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *watched = proxy_client(&s.proxy, PROXY_SPLIT);
    redisContext *named = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < BLOCKED; i++) {
        waiting[i] = proxy_client(&s.proxy, i % 2 ? PROXY_MASTER : PROXY_SPLIT);
        say(waiting[i], "BLPOP waiting:%d %d", i, i % 3 ? 0 : 60);
        say_now(waiting[i]);
    }
    EXPECT(sub, "[subscribe, news, :1]", "SUBSCRIBE news");
    EXPECT(sub, "[psubscribe, n*, :2]", "PSUBSCRIBE n*");
    EXPECT(open, "+OK", "MULTI");
    EXPECT(open, "+QUEUED", "SET carried 1");
    EXPECT(watching, "+OK", "WATCH w");
    EXPECT(watched, "+OK", "WATCH w");
    EXPECT(watched, "+OK", "MULTI");
    EXPECT(watched, "+QUEUED", "SET never 1");
    EXPECT(named, "+OK", "CLIENT SETNAME me");
    EXPECT(named, "+OK", "SELECT 5");
    EXPECT(named, "+OK", "SET mine 1");
    cr_assert(wait_until(10000, blocked(&s, BLOCKED)));
    switch_over(&s);
    EXPECT(named, "1", "GET mine");
    EXPECT(named, "me", "CLIENT GETNAME");
    redisFree(named);
    check_transactions(open, watching, watched);
    check_blocked(&s, waiting);
    check_subscribed(&s, sub);
}

/* A blocked command whose time runs out during the hold, and one whose time goes on after it. */
Test(carried, a_blocked_commands_time_goes_on, .timeout = 90)
{
    struct shared s = shared();
    cr_assert(trio_wait_whole(&s.trio) == 0);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    struct observer *observer;
    int64_t asked, started = now_ms();
    say(c, "BLPOP patience 4");
    say_now(c);
    cr_assert(wait_until(5000, blocked(&s, 1)));
    /* The master is back after 1 s, or after 6 (a full resync): it is answered in time either way.
     */
    observer = begin_switch(&s, &asked);
    HEAR(c, "(nil)");
    cr_expect(now_ms() - started > 3900 && now_ms() - started < 5000, "%ld ms",
              (long)(now_ms() - started));
    end_switch(observer, asked);
    EXPECT(c, "+OK", "SET patient 1");
    redisFree(c);
}

/* Somebody sets a key until all of them have heard of it: after a switch one may not be subscribed yet. */
static void all_hear_of_keys(struct shared *s, redisContext **subs, int count, const char *key)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    char start[80];
    snprintf(start, sizeof(start), "[pmessage, __key*__:*, __keyspace@0__:%s-", key);
    for (int i = 0, set = 0; i < count; i++) {
        while (!heard(subs[i], 300)) {
            cr_assert_lt(set, 30, "subscriber %d hears nothing", i);
            EXPECT(c, "+OK", "SET %s-%d 1", key, set++);
        }
        const char *message = hear(subs[i]);
        cr_expect(strncmp(message, start, strlen(start)) == 0, "%d: %s", i, message);
        while (heard(subs[i], 100))
            hear(subs[i]);
    }
    redisFree(c);
}

/* Each node tells of its own keys, if it is configured so: a subscriber hears it on any route. */
Test(carried, keyspace_notifications, .timeout = 90)
{
    static const int port[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};
    struct shared s = shared();
    redisContext *subs[3];
    cr_assert(trio_wait_whole(&s.trio) == 0);
    cr_assert(trio_tell_all(&s.trio, "CONFIG SET notify-keyspace-events K$"));
    for (int i = 0; i < 3; i++) {
        subs[i] = proxy_client(&s.proxy, port[i]);
        EXPECT(subs[i], "[psubscribe, __key*__:*, :1]", "PSUBSCRIBE __key*__:*");
    }
    all_hear_of_keys(&s, subs, 3, "before");
    switch_over(&s);
    cr_assert(trio_wait_whole(&s.trio) == 0);
    all_hear_of_keys(&s, subs, 3, "after");
    for (int i = 0; i < 3; i++)
        redisFree(subs[i]);
}
