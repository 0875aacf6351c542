/*
 * stateful: the commands that change their connection or depend on it. Where Redis' answer is the
 * same every time, it is compared to the byte; the rest is asserted one by one.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/servers.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

static bool blocked(struct shared *s, int wanted)
{
    redisContext *c = trio_node(&s->trio, trio_master(&s->trio));
    bool yes = atoi(info_field(c, "clients", "blocked_clients")) == wanted;
    redisFree(c);
    return yes;
}

Test(stateful, answers_are_redis_own, .timeout = 200)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        /* transactions */
        "MULTI\nSET a 1\nINCR a\nLPUSH a x\nEXEC\nEXEC\nDISCARD\nMULTI\nMULTI\nDISCARD\n",
        "MULTI\nSET a\nINCR a\nEXEC\nMULTI\nNOSUCH\nEXEC\nMULTI\nWATCH a\nEXEC\nWATCH\nUNWATCH\n",
        "WATCH a b\nSET a 1\nMULTI\nGET a\nEXEC\nWATCH a\nUNWATCH\nSET a 2\nMULTI\nGET a\nEXEC\n",
        "MULTI\nPING\nECHO x\nSELECT 1\nSET k 1\nEXEC\nGET k\nSELECT 0\nGET k\nMULTI\nEXEC\n",
        "MULTI\nBLPOP q 0\nCLIENT GETNAME\nEXEC\n",
        /* pub/sub in its restricted mode */
        "SUBSCRIBE a b\nGET x\nSET x 1\nPING\nPING hi\nSUBSCRIBE a\nUNSUBSCRIBE "
        "a\nUNSUBSCRIBE\nGET x\n",
        "PSUBSCRIBE a* b*\nSUBSCRIBE a\nMULTI\nPUNSUBSCRIBE\nUNSUBSCRIBE\nPING\n",
        "UNSUBSCRIBE\nPUNSUBSCRIBE\nUNSUBSCRIBE nothing\nSUBSCRIBE\nPUBSUB NUMSUB a\nPUBLISH a x\n",
        "SUBSCRIBE a\nRESET\nGET x\n",
        /* names, databases, protocols */
        "CLIENT GETNAME\nCLIENT SETNAME me\nCLIENT GETNAME\nRESET\nCLIENT GETNAME\n",
        "SELECT 1\nSET k 1\nSELECT 0\nGET k\nSELECT 99\nSELECT x\nSELECT\nSELECT 1\nGET k\n",
        "HELLO 9\nHELLO x\nHELLO 2 NOSUCH\nHELLO 2 AUTH\nAUTH\nAUTH a b c\nAUTH x\nAUTH nobody x\n",
        "CLIENT NOSUCH\nCLIENT\nCLIENT REPLY MAYBE\nCLIENT UNBLOCK 999999999\n"
        "CLIENT UNBLOCK x\nCLIENT KILL ID 999999999\nCLIENT KILL 1.2.3.4:5\n",
        "CLIENT REPLY SKIP\nSET a 1\nGET a\nCLIENT REPLY OFF\nPING\nINCR a\nCLIENT REPLY ON\nGET "
        "a\n",
        /* blocking */
        "BLPOP q 0.05\nBRPOPLPUSH q r 0.05\nBLMOVE q r LEFT LEFT 0.05\nBZPOPMIN z 0.05\nRPUSH q 1 "
        "2\n"
        "BLPOP q 0\nBRPOP x q 0\nBLPOP q -1\nBLPOP q x\nSET q x\nBLPOP q 1\n",
        "XREAD BLOCK 50 STREAMS s $\nXADD s 1-1 f v\nXREAD BLOCK 0 STREAMS s 0\n",
        /* scripts, functions */
        "EVAL return(1) 0\nEVAL return(KEYS[1]) 1 k\nEVALSHA "
        "1234567890123456789012345678901234567890 0\n"
        "SCRIPT LOAD return(7)\nEVALSHA bc70ae583496ef68242126e5f723b4224435af02 0\n"
        "SCRIPT EXISTS bc70ae583496ef68242126e5f723b4224435af02\nSCRIPT FLUSH\n"
        "EVALSHA bc70ae583496ef68242126e5f723b4224435af02 0\nSCRIPT NOSUCH\nEVAL\n",
        "FCALL nosuch 0\nFUNCTION LIST\nFUNCTION DELETE nosuch\nFUNCTION LOAD nonsense\n",
        /* the rest */
        "SCAN 0\nSET a 1\nSCAN 0 COUNT 10\nSCAN x\nWAIT 0 0\nWAIT x 0\nINFO nosuch\nCONFIG SET "
        "nosuch 1\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        compare_script(&s, PROXY_MASTER, scripts[i], false);
    if (servers_have(7, 0)) /* 6.2 has other words for it */
        compare_script(&s, PROXY_MASTER, "CLIENT SETNAME with\tsign\nCLIENT ID x\n", false);
    compare_script(&s, PROXY_MASTER, "SET a 1\nQUIT\n", true);
    compare_script(&s, PROXY_MASTER, "MULTI\nSET a 1\nQUIT\n", true);
    compare_script(&s, PROXY_MASTER, "SUBSCRIBE a\nQUIT\n", true);
}

Test(stateful, watch_notices_another_proxy_client, .timeout = 30)
{
    struct shared s = shared();
    redisContext *a = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *b = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 20; i++) {
        EXPECT(a, "+OK", "WATCH w");
        EXPECT(b, "+OK", "SET w %d", i);
        EXPECT(a, "+OK", "MULTI");
        EXPECT(a, "+QUEUED", "SET w mine");
        EXPECT(a, "(nil)", "EXEC");
        cr_assert_eq(atoi(ask(a, "GET w")), i);
        EXPECT(a, "+OK", "WATCH w");
        EXPECT(b, "+OK", "SET other %d", i);
        EXPECT(a, "+OK", "MULTI");
        EXPECT(a, "+QUEUED", "SET w mine");
        EXPECT(a, "[+OK]", "EXEC");
    }
    redisFree(a);
    redisFree(b);
}

Test(stateful, watch_of_a_dead_client_is_forgotten, .timeout = 30)
{
    struct shared s = shared();
    for (int i = 0; i < 20; i++) {
        redisContext *a = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(a, "+OK", "WATCH w");
        EXPECT(a, "+OK", "MULTI");
        EXPECT(a, "+QUEUED", "SET w never");
        redisFree(a);
        redisContext *b = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(b, "+OK", "SET w %d", i);
        EXPECT(b, "+OK", "MULTI");
        EXPECT(b, "+QUEUED", "GET w");
        char wanted[16];
        snprintf(wanted, sizeof(wanted), "[%d]", i);
        EXPECT(b, wanted, "EXEC");
        redisFree(b);
    }
}

Test(stateful, published_messages_arrive, .timeout = 30)
{
    struct shared s = shared();
    redisContext *sub = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *pattern = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *read_port = proxy_client(&s.proxy, PROXY_REPLICA);
    redisContext *pub = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(sub, "[subscribe, news, :1]", "SUBSCRIBE news");
    EXPECT(pattern, "[psubscribe, n*s, :1]", "PSUBSCRIBE n*s");
    EXPECT(read_port, "[subscribe, news, :1]", "SUBSCRIBE news");
    for (int i = 0; i < 100; i++)
        EXPECT(pub, ":2", "PUBLISH news %d", i);
    for (int i = 0; i < 100; i++) {
        char wanted[48];
        snprintf(wanted, sizeof(wanted), "[message, news, %d]", i);
        HEAR(sub, wanted);
        HEAR(read_port, wanted);
        snprintf(wanted, sizeof(wanted), "[pmessage, n*s, news, %d]", i);
        HEAR(pattern, wanted);
    }
    EXPECT(sub, "[unsubscribe, news, :0]", "UNSUBSCRIBE news");
    EXPECT(sub, "+PONG", "PING");
    EXPECT(sub, "+OK", "SET after subscription");
    EXPECT(pub, ":1", "PUBLISH news more");
    cr_assert(!heard(sub, 100), "a message after UNSUBSCRIBE: %s", hear(sub));
    redisFree(sub);
    redisFree(pattern);
    redisFree(read_port);
    redisFree(pub);
}

Test(stateful, many_blocked_at_once, .timeout = 60)
{
    struct shared s = shared();
    enum { MANY = 100 };
    redisContext *c[MANY], *pusher = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < MANY; i++) {
        c[i] = proxy_client(&s.proxy, i % 2 ? PROXY_MASTER : PROXY_SPLIT);
        say(c[i], "BLPOP blocked:%d 30", i);
        say_now(c[i]);
    }
    cr_assert(wait_until(10000, blocked(&s, MANY)));
    for (int i = MANY - 1; i >= 0; i--)
        EXPECT(pusher, ":1", "RPUSH blocked:%d %d", i, i);
    for (int i = 0; i < MANY; i++) {
        char wanted[48];
        snprintf(wanted, sizeof(wanted), "[blocked:%d, %d]", i, i);
        HEAR(c[i], wanted);
        EXPECT(c[i], "+PONG", "PING");
        redisFree(c[i]);
    }
    cr_assert(wait_until(5000, blocked(&s, 0)));
    redisFree(pusher);
}

Test(stateful, a_dead_client_pops_nothing, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    say(c, "BLPOP orphan 0");
    say_now(c);
    cr_assert(wait_until(5000, blocked(&s, 1)));
    redisFree(c);
    cr_assert(wait_until(5000, blocked(&s, 0)), "the blocked command outlives its client");
    c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, ":1", "RPUSH orphan x");
    EXPECT(c, "x", "LPOP orphan");
    redisFree(c);
}

Test(stateful, client_id_and_unblock, .timeout = 30)
{
    struct shared s = shared();
    redisContext *a = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *b = proxy_client(&s.proxy, PROXY_MASTER);
    long long id_a = atoll(ask(a, "CLIENT ID") + 1), id_b = atoll(ask(b, "CLIENT ID") + 1);
    cr_assert(id_a > 0 && id_b > 0 && id_a != id_b);
    EXPECT(a, "+OK", "SELECT 1");
    cr_assert_eq(atoll(ask(a, "CLIENT ID") + 1), id_a);
    EXPECT(b, ":0", "CLIENT UNBLOCK %lld", id_a);
    say(a, "BLPOP unblock 0");
    say_now(a);
    cr_assert(wait_until(5000, blocked(&s, 1)));
    EXPECT(b, ":1", "CLIENT UNBLOCK %lld", id_a);
    HEAR(a, "(nil)");
    say(a, "BLPOP unblock 0");
    say_now(a);
    cr_assert(wait_until(5000, blocked(&s, 1)));
    EXPECT(b, ":1", "CLIENT UNBLOCK %lld ERROR", id_a);
    HEAR(a, "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    EXPECT(a, "+PONG", "PING");
    redisFree(a);
    redisFree(b);
}

Test(stateful, sessions_do_not_share_their_state, .timeout = 60)
{
    struct shared s = shared();
    enum { SESSIONS = 12 };
    redisContext *c[SESSIONS];
    compare_clean(&s);
    for (int i = 0; i < SESSIONS; i++) {
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(c[i], "+OK", "SELECT %d", i);
        EXPECT(c[i], "+OK", "CLIENT SETNAME name-%d", i);
    }
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < SESSIONS; i++) {
            char wanted[16];
            snprintf(wanted, sizeof(wanted), "name-%d", i);
            cr_assert_eq(atoi(ask(c[i], "INCR isolated") + 1), round + 1);
            EXPECT(c[i], wanted, "CLIENT GETNAME");
            if (round % 4 == 0)
                EXPECT(c[i], "(nil)", "BLPOP nothing 0.01");
        }
    for (int i = 0; i < SESSIONS; i++)
        redisFree(c[i]);
}

Test(stateful, scripts_and_functions_reach_every_node, .timeout = 30)
{
    NEEDS_REDIS(7, 0, "FUNCTION");
    struct shared s = shared();
    compare_clean(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "4e6d8fc8bb01276962cce5371fa795a7763657ae", "SCRIPT LOAD %s",
           "return redis.call('get', KEYS[1])");
    EXPECT(c, "lib", "FUNCTION LOAD %s",
           "#!lua name=lib\nredis.register_function{function_name='peek', callback=function(keys) "
           "return redis.call('GET', keys[1]) end, flags={'no-writes'}}");
    EXPECT(c, "+OK", "SET scripted value");
    cr_assert(atoi(ask(c, "WAIT 2 5000") + 1) == 2);
    for (int i = 0; i < 4; i++) {
        static const int ports[] = {PROXY_MASTER, PROXY_SPLIT, PROXY_REPLICA, PROXY_REPLICA};
        redisContext *r = proxy_client(&s.proxy, ports[i]);
        EXPECT(r, "value", "EVALSHA 4e6d8fc8bb01276962cce5371fa795a7763657ae 1 scripted");
        EXPECT(r, "value", "FCALL peek 1 scripted");
        EXPECT(r, "value", "EVAL %s 1 scripted", "return redis.call('get', KEYS[1])");
        redisFree(r);
    }
    redisFree(c);
}

Test(stateful, wait_after_an_own_write, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 10; i++) {
        EXPECT(c, "+OK", "SET waited %d", i);
        cr_assert(atoi(ask(c, "WAIT 1 1000") + 1) >= 1);
    }
    redisFree(c);
}

/* Both replicas sleep: nobody can have it yet, whichever connection it was written on. */
Test(stateful, wait_counts_nobody_too_early, .timeout = 60)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER), *asleep[3] = {NULL};
    EXPECT(c, "+OK", "SET waited first");
    cr_assert_eq(atoi(ask(c, "WAIT 2 5000") + 1), 2);
    for (int i = 0; i < 3; i++) {
        if (i == master)
            continue;
        asleep[i] = trio_node(&s.trio, i);
        say(asleep[i], "DEBUG SLEEP 1");
        say_now(asleep[i]);
    }
    cr_assert_not(heard(asleep[master ? 0 : 1], 100));
    EXPECT(c, "+OK", "SET waited asleep");
    EXPECT(c, ":0", "WAIT 1 100");
    cr_assert_eq(atoi(ask(c, "WAIT 2 10000") + 1), 2);
    for (int i = 0; i < 3; i++)
        redisFree(asleep[i]);
    redisFree(c);
}

/* The promoted node never saw what was EVALuated on the old master. */
Test(stateful, scripts_outlive_their_node, .timeout = 100)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    int before = trio_master(&s.trio);
    EXPECT(c, ":7", "EVAL return(7) 0");
    cr_assert_eq(trio_failover(&s.trio), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_neq(trio_master(&s.trio), before);
    EXPECT(c, ":7", "EVALSHA bc70ae583496ef68242126e5f723b4224435af02 0");
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    EXPECT(node, "+OK", "SCRIPT FLUSH"); /* somebody's, who meant it */
    EXPECT_PREFIX(c, "-NOSCRIPT", "EVALSHA bc70ae583496ef68242126e5f723b4224435af02 0");
    EXPECT_PREFIX(node, ":", "CLIENT KILL TYPE normal SKIPME yes"); /* as its restart does */
    EXPECT(c, ":7", "EVALSHA bc70ae583496ef68242126e5f723b4224435af02 0");
    EXPECT(c, "+OK", "SCRIPT FLUSH");
    EXPECT_PREFIX(c, "-NOSCRIPT", "EVALSHA bc70ae583496ef68242126e5f723b4224435af02 0");
    redisFree(node);
    redisFree(c);
}

/* Others hear BUSY, as from Redis itself, and can end the script: over connections that are made while
 * it runs, too. */
Test(stateful, a_script_that_does_not_end, .timeout = 60)
{
    struct shared s = shared();
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    redisContext *endless = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *early = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(node, "+OK", "CONFIG SET lua-time-limit 100");
    EXPECT(early, "+OK", "SET busy no");
    say(endless, "EVAL %s 0", "while true do end");
    say_now(endless);
    cr_assert(wait_until(5000, strncmp(ask(node, "PING"), "-BUSY", 5) == 0));
    EXPECT_PREFIX(early, "-BUSY ", "GET busy");
    for (int i = 0; i < 3; i++) {
        redisContext *late = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(late, "+OK", "MULTI");
        EXPECT_PREFIX(late, "-BUSY ", "SET busy yes");
        redisFree(late);
    }
    redisContext *late = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(late, "+OK", "SCRIPT KILL");
    cr_assert(strstr(hear(endless), "killed"));
    EXPECT(late, "no", "GET busy");
    EXPECT(node, "+OK", "CONFIG SET lua-time-limit 5000");
    redisFree(late);
    redisFree(early);
    redisFree(endless);
    redisFree(node);
}

Test(stateful, hello, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "[server, ", "HELLO");
    EXPECT_PREFIX(c, "[server, ", "HELLO 2");
    EXPECT_PREFIX(c, "-NOPROTO", "HELLO 4");
    EXPECT_PREFIX(c, "[server, ", "HELLO 2 SETNAME me");
    EXPECT(c, "me", "CLIENT GETNAME");
    redisFree(c);
}

Test(stateful, refused_commands, .timeout = 30)
{
    struct shared s = shared();
    static const char *const commands[] = {"sync", "psync ? -1", "replconf ACK 0",
                                           "replconf listening-port 1", "replconf GETACK *"};
    for (int i = 0; i < 15; i++) {
        char wanted[128];
        const char *command = commands[i / 3];
        int fd = raw_open(s.proxy.host, PROXY_MASTER + i % 3);
        raw_send_text(fd, command);
        raw_send_text(fd, "\r\nPING\r\n");
        snprintf(wanted, sizeof(wanted),
                 "-ERR redisproxy: '%.*s' is not available through the proxy without "
                 "allow_replication = yes\r\n+PONG\r\n",
                 (int)strcspn(command, " "), command);
        cr_expect(raw_expect(fd, wanted), "%s on %d", command, PROXY_MASTER + i % 3);
        close(fd);
    }
    /* what a browser can be made to send: nothing behind it may be executed */
    static const char *const http[] = {"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET smuggled 1\r\n",
                                       "GET / HTTP/1.1\r\nHost: x\r\n\r\nSET smuggled 1\r\n"};
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (size_t i = 0; i < 2; i++) {
        free(raw_transcript(s.proxy.host, PROXY_MASTER, http[i], strlen(http[i]), 0, true));
        EXPECT(c, ":0", "EXISTS smuggled");
    }
    redisFree(c);
}
