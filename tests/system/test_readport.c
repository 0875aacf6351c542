/*
 * readport: a write that strays to the read port is refused by the proxy, in whatever form it
 * comes, whatever the nodes are at that moment. Even the commands that carry no write flag, and
 * would turn a replica into something else.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/observer.h"
#include "harness/raw.h"
#include "harness/servers.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REFUSED "-READONLY You can't write against a read only replica."

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

static const char *const strays[] = {
    "SET stray 1",
    "set stray 1",
    "SeT stray 1",
    "DEL stray",
    "INCR stray",
    "RPUSH stray x",
    "BLPOP stray 1",
    "EXPIRE stray 10",
    "GETDEL stray",
    "GETEX stray EX 1",
    "SORT stray STORE other",
    "GEORADIUS stray 0 0 1 m STORE other",
    "BITFIELD stray SET u8 0 1",
    "PFADD stray x",
    "XADD stray * f v",
    "XREADGROUP GROUP g c STREAMS stray >",
    "MIGRATE 127.0.0.1 6379 stray 0 100",
    "RESTORE stray 0 x",
    "PUBLISH stray x",
    "SPUBLISH stray x",
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "CONFIG SET maxmemory 1",
    "CONFIG RESETSTAT",
    "CONFIG REWRITE",
    "REPLICAOF NO ONE",
    "replicaof no one",
    "SLAVEOF NO ONE",
    "FAILOVER",
    "SHUTDOWN NOSAVE",
    "DEBUG SLEEP 1",
    "DEBUG SET-ACTIVE-EXPIRE 0",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 1000",
    "ACL SETUSER stray on",
    "ACL DELUSER stray",
    "ACL LOAD",
    "ACL SAVE",
    "ACL LOG RESET",
    "acl log reset",
    "SLOWLOG RESET",
    "LATENCY RESET",
    "MODULE UNLOAD x",
    "CLUSTER FAILOVER",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "FUNCTION FLUSH",
    "FUNCTION LOAD x",
    "MODULE LOAD /tmp/x.so",
    "CLUSTER RESET",
    "BGSAVE",
    "SAVE",
    "BGREWRITEAOF",
};
enum { STRAYS = sizeof(strays) / sizeof(strays[0]) };

/* What the commands would have changed, on every node. */
static void check_unchanged(struct shared *s)
{
    for (int i = 0; i < s->trio.options.nodes; i++) {
        redisContext *c = trio_node(&s->trio, i);
        EXPECT(c, ":0", "EXISTS stray other");
        EXPECT(c, "[maxmemory, 0]", "CONFIG GET maxmemory");
        EXPECT(c, "x", "GET kept");
        EXPECT(c, "(nil)", "ACL GETUSER stray");
        redisFree(c);
    }
    cr_assert(trio_wait_whole(&s->trio) == 0);
}

static void keep_a_key(struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET kept x");
    cr_assert(atoi(ask(c, "WAIT 2 5000") + 1) == 2);
    redisFree(c);
}

/* Every form once, on one session, which lives on. */
static void stray_everywhere(redisContext *c)
{
    for (int i = 0; i < STRAYS; i++) {
        EXPECT(c, REFUSED, strays[i], NULL);
        EXPECT(c, "+PONG", "PING");
    }
    EXPECT(c, "+OK", "MULTI");
    EXPECT(c, REFUSED, "SET stray 1");
    EXPECT(c, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    EXPECT(c, "+OK", "MULTI");
    EXPECT(c, "+QUEUED", "GET kept");
    EXPECT(c, REFUSED, "CONFIG SET maxmemory 1");
    EXPECT(c, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    EXPECT_PREFIX(c, "-", "EVAL %s 1 stray", "return redis.call('SET', KEYS[1], 1)");
    EXPECT_PREFIX(c, "-", "EVAL_RO %s 1 stray", "return redis.call('SET', KEYS[1], 1)");
    EXPECT_PREFIX(c, "-", "FCALL stray 1 stray");
    EXPECT(c, "+PONG", "PING");
}

static void stray_inline(const struct shared *s)
{
    int fd = raw_open(s->proxy.host, PROXY_REPLICA);
    for (int i = 0; i < STRAYS; i++) {
        raw_send_text(fd, strays[i]);
        raw_send_text(fd, "\r\n");
        cr_assert(raw_expect(fd, REFUSED "\r\n"), "%s", strays[i]);
    }
    raw_send_text(fd, "  \"SET\" 'stray'  1\r\nMULTI\r\nSET stray 1\r\nEXEC\r\nPING\r\n");
    cr_assert(raw_expect(fd, REFUSED "\r\n+OK\r\n" REFUSED "\r\n-EXECABORT Transaction discarded "
                                     "because of previous errors.\r\n+PONG\r\n"));
    close(fd);
}

Test(readport, strays_are_refused, .timeout = 60)
{
    struct shared s = shared();
    keep_a_key(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    stray_everywhere(c);
    redisFree(c);
    stray_inline(&s);
    check_unchanged(&s);
}

Test(readport, what_is_allowed, .timeout = 60)
{
    struct shared s = shared();
    keep_a_key(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(c, "x", "GET kept");
    EXPECT(c, "[x, (nil)]", "MGET kept nothing");
    if (servers_have(7, 0)) { /* otherwise: test_versions */
        EXPECT(c, "x", "EVAL %s 1 kept", "return redis.call('GET', KEYS[1])");
        EXPECT(c, "x", "EVAL_RO %s 1 kept", "return redis.call('GET', KEYS[1])");
    }
    EXPECT(c, "+OK", "MULTI");
    EXPECT(c, "+QUEUED", "GET kept");
    EXPECT(c, "[x]", "EXEC");
    EXPECT(c, "+OK", "SELECT 1");
    EXPECT(c, "(nil)", "GET kept");
    EXPECT(c, "+OK", "SELECT 0");
    EXPECT_PREFIX(c, "# Server", "INFO");
    EXPECT(c, "+OK", "CLIENT SETNAME reader");
    EXPECT_PREFIX(c, "[slave, ", "ROLE");
    EXPECT(c, ":1", "DBSIZE");
    EXPECT(c, "[subscribe, ch, :1]", "SUBSCRIBE ch");
    EXPECT(c, "[unsubscribe, ch, :0]", "UNSUBSCRIBE ch");
    EXPECT(c, "+OK", "QUIT");
    redisFree(c);
}

/* What only tells something, and what is nothing at all, is answered as the node answers it. */
static const char *const questions[] = {
    "MODULE LIST",
    "ACL LIST",
    "ACL USERS",
    "ACL GETUSER default",
    "ACL GETUSER nobody",
    "ACL LOG",
    "ACL LOG 5",
    "ACL CAT nosuch",
    "ACL WHOAMI",
    "CLUSTER INFO",
    "CLUSTER NODES",
    "CLUSTER MYID",
    "COMMAND COUNT",
    "SLOWLOG LEN",
    "LATENCY LATEST",
    "MEMORY DOCTOR",
    "CONFIG GET maxmemory",
    "ACL DRYRUN x GET",
    "NOSUCH",
    "nosuch.set stray 1",
    "JSON.SET stray $ 1",
    "CONFIG NOSUCH x",
    "client nosuch",
    "ACL NOSUCH",
    "CONFIG",
    "CLUSTER",
    "acl",
    "MODULE NOSUCH",
    "PUBSUB NOSUCH",
    "FUNCTION NOSUCH x",
    "nosuch",
    "SCRIPT nosuch a b",
};

Test(readport, questions_and_nonsense, .timeout = 60)
{
    struct shared s = shared();
    if (!servers_have(7, 0))
        return; /* others have other words */
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    redisContext *node = trio_node(&s.trio, trio_replica(&s.trio));
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        char wanted[4096];
        snprintf(wanted, sizeof(wanted), "%s", ask(node, questions[i], NULL));
        EXPECT_PREFIX(c, wanted, questions[i], NULL);
    }
    static const char *const odd[][4] = {{"no\r\nsuch", "a\r\nb", "", "'x'"},
                                         {"NOSUCH",
                                          "a long argument: 0123456789 0123456789 0123456789 "
                                          "0123456789 0123456789 0123456789 0123456789 0123456789 "
                                          "0123456789 0123456789",
                                          "another one", "a third"}};
    for (int i = 0; i < 2; i++) {
        redisReply *a = redisCommandArgv(node, 4, (const char **)odd[i], NULL);
        redisReply *b = redisCommandArgv(c, 4, (const char **)odd[i], NULL);
        cr_assert_str_eq(b->str, a->str);
        freeReplyObject(a);
        freeReplyObject(b);
    }
    EXPECT(c, "+OK", "MULTI");
    EXPECT_PREFIX(c, "-ERR unknown command", "NOSUCH");
    EXPECT(c, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    redisFree(node);
    EXPECT(c, "+OK", "MONITOR");
    node = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(node, "+OK", "SET kept monitored");
    cr_assert_not_null(strstr(hear(c), "\"SET\" \"kept\" \"monitored\""));
    redisFree(node);
    redisFree(c);
    keep_a_key(&s);
}

/* A reader fills nobody's memory but that of the nodes that it reads from. */
Test(readport, scripts_are_for_the_replicas, .timeout = 60)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    char sha[48];
    if (!servers_have(7, 0))
        return;
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    snprintf(sha, sizeof(sha), "%s", ask(c, "SCRIPT LOAD %s", "return 'a reader was here'"));
    cr_assert_eq(strlen(sha), 40, "%s", sha);
    for (int i = 0; i < s.trio.options.nodes; i++) {
        redisContext *node = trio_node(&s.trio, i);
        EXPECT(node, i == master ? "[:0]" : "[:1]", "SCRIPT EXISTS %s", sha);
        redisFree(node);
    }
    EXPECT(c, "a reader was here", "EVALSHA %s 0", sha);
    EXPECT(c, "a reader was here", "EVALSHA_RO %s 0", sha);
    EXPECT(c, REFUSED, "SCRIPT FLUSH");
    redisFree(c);
}

/* New and old sessions stray without a pause while the roles change under them. */
Test(readport, strays_during_a_switchover, .timeout = 90)
{
    struct shared s = shared();
    enum { OLD = 4 };
    redisContext *old[OLD];
    struct switchover seen;
    keep_a_key(&s);
    for (int i = 0; i < OLD; i++)
        old[i] = proxy_client(&s.proxy, PROXY_REPLICA);
    struct observer *observer = observer_start(&s.trio);
    int64_t asked = now_us();
    cr_assert(trio_failover(&s.trio) == 0);
    for (int rounds = 0; now_us() - asked < 3000000 || rounds < 10; rounds++) {
        stray_everywhere(old[rounds % OLD]);
        stray_inline(&s);
        EXPECT(old[(rounds + 1) % OLD], "x", "GET kept");
    }
    cr_assert(observer_switchover(observer, asked, &seen) == 0);
    observer_stop(observer);
    for (int i = 0; i < OLD; i++) {
        stray_everywhere(old[i]);
        redisFree(old[i]);
    }
    check_unchanged(&s);
}
