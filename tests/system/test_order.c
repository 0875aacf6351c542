/*
 * order: a session's requests are executed in the order in which they were sent, not only answered
 * in it. Each test is a sequence that goes wrong in a proxy that has several connections to choose
 * from and no barriers: the later request travels another way than the earlier one, and is faster.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1}};

/* A script that keeps the master busy for about 100 ms, and writes at its very end. */
#define SLOW_SET "for i = 1, 10000000 do end return redis.call('SET', KEYS[1], ARGV[1])"

static bool blocked(struct shared *s, int wanted)
{
    redisContext *c = trio_node(&s->trio, trio_master(&s->trio));
    bool yes = atoi(info_field(c, "clients", "blocked_clients")) == wanted;
    redisFree(c);
    return yes;
}

/* On each route that can write. */
static const int writing_ports[] = {PROXY_MASTER, PROXY_SPLIT};
#define EACH_WRITING_PORT(port)                                                                    \
    for (int port##_i = 0, port = writing_ports[0]; port##_i < 2;                                  \
         port = writing_ports[++port##_i % 2])

Test(order, a_read_waits_for_a_blocked_command, .timeout = 60)
{
    struct shared s = shared();
    EACH_WRITING_PORT(port)
    {
        compare_clean(&s);
        redisContext *a = proxy_client(&s.proxy, port), *b = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(b, "+OK", "SET k old");
        say(a, "BLPOP q 20");
        say(a, "GET k");
        say_now(a);
        cr_assert(wait_until(5000, blocked(&s, 1)));
        EXPECT(b, "+OK", "SET k new");
        cr_assert(atoi(ask(b, "WAIT 2 5000") + 1) == 2);
        EXPECT(b, ":1", "RPUSH q x");
        HEAR(a, "[q, x]");
        HEAR(a, "new");
        redisFree(a);
        redisFree(b);
    }
}

Test(order, a_blocked_command_waits_for_writes, .timeout = 60)
{
    struct shared s = shared();
    EACH_WRITING_PORT(port)
    {
        compare_clean(&s);
        redisContext *a = proxy_client(&s.proxy, port);
        for (int i = 0; i < 50; i++) {
            say(a, "RPUSH q %d", i);
            say(a, "BLPOP q 5");
        }
        for (int i = 0; i < 50; i++) {
            HEAR(a, ":1");
            cr_assert_eq(atoi(hear(a) + 4), i);
        }
        redisFree(a);
    }
}

Test(order, barriers, .timeout = 120)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        "SET k 1\nSELECT 1\nGET k\nSET k 2\nSELECT 0\nGET k\nSELECT 1\nGET k\n",
        "SET a 1\nINCR a\nMULTI\nINCR a\nGET a\nEXEC\nGET a\nMULTI\nSET a 9\nDISCARD\nGET a\n",
        "SET w 1\nWATCH w\nMULTI\nINCR w\nEXEC\nGET w\n",
        "WATCH w\nSET w 5\nMULTI\nINCR w\nEXEC\nGET w\n",
        "SET k 1\nSUBSCRIBE c\nUNSUBSCRIBE c\nGET k\nINCR k\nPSUBSCRIBE p*\nPUNSUBSCRIBE p*\nGET "
        "k\n",
        "SET k 1\nAUTH default wrong\nINCR k\nAUTH wrong wrong\nGET k\nHELLO 9\nINCR k\n",
        "SET k 1\nBLPOP nothing 0.1\nINCR k\nBLPOP nothing 0.1\nGET k\n",
        "EVAL return(redis.call(ARGV[1],KEYS[1],ARGV[2])) 1 k SET 5\nINCR k\nEVAL "
        "return(redis.call(ARGV[1],KEYS[1])) 1 k GET\n",
        "SCRIPT LOAD return(7)\nEVALSHA bc70ae583496ef68242126e5f723b4224435af02 0\nSET k "
        "1\nSCRIPT FLUSH\nGET k\n",
        "SET k 1\nRESET\nINCR k\nSELECT 3\nSET k 5\nRESET\nGET k\n",
        "SET k 1\nCLIENT SETNAME me\nINCR k\nCLIENT GETNAME\nGET k\nCLIENT REPLY SKIP\nINCR k\nGET "
        "k\n",
        "CLIENT REPLY OFF\nSET k 1\nINCR k\nCLIENT REPLY ON\nGET k\n",
        "SET k 1\nSWAPDB 0 1\nGET k\nSELECT 1\nGET k\nFLUSHDB\nGET k\nSELECT 0\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        EACH_WRITING_PORT(port)
    compare_script(&s, port, scripts[i], false);
}

Test(order, quit_comes_after_everything, .timeout = 60)
{
    struct shared s = shared();
    compare_script(&s, PROXY_MASTER, "SET k 1\nINCR k\nBLPOP nothing 0.1\nGET k\nQUIT\n", true);
    compare_script(&s, PROXY_SPLIT, "SET k 1\nINCR k\nGET k\nQUIT\n", true);
}

Test(order, split_reads_see_the_writes_before_them, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_SPLIT);
    for (int i = 0; i < 500; i++) {
        say(c, "SET k %d", i);
        say(c, "GET k");
        say(c, "APPEND k x");
        say(c, "STRLEN k");
        say_now(c);
        HEAR(c, "+OK");
        cr_assert_eq(atoi(hear(c)), i);
        const char *appended = hear(c);
        HEAR(c, appended);
    }
    redisFree(c);
}

Test(order, split_reads_wait_for_a_slow_write, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_SPLIT);
    EXPECT(c, "+OK", "SET k 0");
    for (int i = 1; i <= 5; i++) {
        say(c, "EVAL %s 1 k %d", SLOW_SET, i);
        say(c, "GET k");
        say(c, "MGET k k");
        HEAR(c, "+OK");
        cr_assert_eq(atoi(hear(c)), i);
        cr_assert_eq(atoi(hear(c) + 1), i);
    }
    redisFree(c);
}

Test(order, split_writes_wait_for_the_reads_before_them, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_SPLIT);
    EXPECT(c, "+OK", "SET k 0");
    for (int i = 1; i <= 500; i++) {
        say(c, "GET k");
        say(c, "SET k %d", i);
        int seen = atoi(hear(c));
        cr_assert(seen < i, "read %d before writing %d", seen, i);
        HEAR(c, "+OK");
    }
    redisFree(c);
}

Test(order, a_lease_waits_for_shared_writes_and_back, .timeout = 60)
{
    struct shared s = shared();
    EACH_WRITING_PORT(port)
    {
        redisContext *c = proxy_client(&s.proxy, port);
        EXPECT(c, "+OK", "SET k 0");
        for (int i = 1; i <= 5; i++) {
            say(c, "EVAL %s 1 k %d", SLOW_SET, i);
            say(c, "MULTI");
            say(c, "GET k");
            say(c, "INCR k");
            say(c, "EXEC");
            say(c, "GET k");
            say(c, "SELECT 0");
            say(c, "GET k");
            HEAR(c, "+OK");
            HEAR(c, "+OK");
            HEAR(c, "+QUEUED");
            HEAR(c, "+QUEUED");
            cr_assert_eq(atoi(hear(c) + 1), i);
            /* behind a barrier, split may read a replica that does not have it yet */
            int after_lease = atoi(hear(c));
            HEAR(c, "+OK");
            int after_select = atoi(hear(c));
            cr_assert(port == PROXY_SPLIT || (after_lease == i + 1 && after_select == i + 1));
        }
        redisFree(c);
    }
}

Test(order, wait_counts_the_sessions_own_writes, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 20; i++) {
        say(c, "SET k %d", i);
        say(c, "WAIT 2 5000");
        say(c, "GET k");
        HEAR(c, "+OK");
        HEAR(c, ":2");
        cr_assert_eq(atoi(hear(c)), i);
        redisContext *r = trio_node(&s.trio, trio_replica(&s.trio));
        cr_assert_eq(atoi(ask(r, "GET k")), i);
        redisFree(r);
    }
    redisFree(c);
}

Test(order, interleaved_sessions_keep_their_own, .timeout = 60)
{
    struct shared s = shared();
    enum { SESSIONS = 20, ROUNDS = 50 };
    redisContext *c[SESSIONS];
    compare_clean(&s);
    for (int i = 0; i < SESSIONS; i++)
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SESSIONS; i++) {
            say(c[i], "SELECT %d", i % 4);
            say(c[i], "INCR own:%d", i);
            say(c[i], round % 5 == 0 ? "BLPOP nothing:%d 0.01" : "ECHO %d", i);
            say(c[i], "GET own:%d", i);
            say_now(c[i]);
        }
        for (int i = 0; i < SESSIONS; i++) {
            HEAR(c[i], "+OK");
            cr_assert_eq(atoi(hear(c[i]) + 1), round + 1);
            hear(c[i]);
            cr_assert_eq(atoi(hear(c[i])), round + 1);
        }
    }
    for (int i = 0; i < SESSIONS; i++)
        redisFree(c[i]);
}
