/*
 * routes: what goes where. Where a command was executed is asked of the nodes themselves: their
 * commandstats, reset before each count.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1}};

static void reset_stats(struct shared *s)
{
    cr_assert(trio_tell_all(&s->trio, "CONFIG RESETSTAT"));
}

/* How often a node executed a command since reset_stats(). */
static long calls(struct shared *s, int node, const char *command)
{
    char name[64];
    snprintf(name, sizeof(name), "cmdstat_%s", command);
    redisContext *c = trio_node(&s->trio, node);
    const char *stat = info_field(c, "commandstats", name);
    long n = strncmp(stat, "calls=", 6) == 0 ? atol(stat + 6) : 0;
    redisFree(c);
    return n;
}

/* Writes a key through the proxy and waits until every replica has it. */
static void set_everywhere(struct shared *s, const char *key, const char *value)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET %s %s", key, value);
    redisFree(c);
    for (int i = 0; i < s->trio.options.nodes; i++) {
        c = trio_node(&s->trio, i);
        cr_assert(wait_until(5000, strcmp(ask(c, "GET %s", key), value) == 0));
        redisFree(c);
    }
}

Test(routes, master_takes_reads_and_writes, .timeout = 30)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    reset_stats(&s);
    for (int i = 0; i < 20; i++) {
        EXPECT(c, "+OK", "SET m:%d %d", i, i);
        cr_assert_eq(atoi(ask(c, "GET m:%d", i)), i);
    }
    cr_expect_eq(calls(&s, master, "set"), 20);
    cr_expect_eq(calls(&s, master, "get"), 20);
    EXPECT_TEXT(info_field(c, "replication", "role"), "master");
    redisFree(c);
}

Test(routes, replica_reads_from_replicas, .timeout = 30)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    set_everywhere(&s, "r:key", "value");
    reset_stats(&s);
    for (int i = 0; i < 10; i++) {
        redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
        for (int k = 0; k < 4; k++)
            EXPECT(c, "value", "GET r:key");
        redisFree(c);
    }
    cr_expect_eq(calls(&s, master, "get"), 0);
    for (int i = 0; i < s.trio.options.nodes; i++)
        if (i != master)
            cr_expect(calls(&s, i, "get") >= 12, "node %d was read %ld times of 40", i,
                      calls(&s, i, "get"));
}

Test(routes, sessions_that_live_at_once_are_spread, .timeout = 30)
{
    struct shared s = shared();
    enum { SESSIONS = 20 };
    redisContext *c[SESSIONS];
    set_everywhere(&s, "r:key", "value");
    reset_stats(&s);
    for (int i = 0; i < SESSIONS; i++) {
        c[i] = proxy_client(&s.proxy, i % 2 ? PROXY_REPLICA : PROXY_SPLIT);
        EXPECT(c[i], "value", "GET r:key");
    }
    for (int i = 0; i < SESSIONS; i++)
        redisFree(c[i]);
    for (int i = 0; i < s.trio.options.nodes; i++)
        if (i != trio_master(&s.trio))
            cr_expect(calls(&s, i, "get") >= 8 && calls(&s, i, "get") <= 12, "%ld of 20 reads",
                      calls(&s, i, "get"));
}

Test(routes, a_session_stays_on_its_replica, .timeout = 30)
{
    struct shared s = shared();
    for (int i = 0; i < 4; i++) {
        redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
        char first[64];
        snprintf(first, sizeof(first), "%s", info_field(c, "server", "run_id"));
        cr_assert_eq(strlen(first), 40);
        for (int k = 0; k < 20; k++)
            EXPECT_TEXT(info_field(c, "server", "run_id"), first);
        redisFree(c);
    }
}

Test(routes, split_reads_from_replicas_and_writes_to_the_master, .timeout = 30)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    set_everywhere(&s, "s:key", "value");
    reset_stats(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_SPLIT);
    for (int i = 0; i < 20; i++)
        EXPECT(c, "value", "GET s:key");
    cr_expect_eq(calls(&s, master, "get"), 0, "the master was read");
    for (int i = 0; i < 20; i++)
        EXPECT(c, "+OK", "SET s:other %d", i);
    cr_expect_eq(calls(&s, master, "set"), 20);
    EXPECT(c, "+OK", "MULTI");
    EXPECT(c, "+QUEUED", "GET s:key");
    EXPECT(c, "[value]", "EXEC");
    cr_expect_eq(calls(&s, master, "get"), 1, "a transaction stays on the master");
    redisFree(c);
}

Test(routes, split_serves_every_data_command, .timeout = 60)
{
    struct shared s = shared();
    compare_script(
        &s, PROXY_SPLIT,
        "SET k v\nAPPEND k w\nSTRLEN k\nLPUSH l a b c\nRPOP l\nSADD s x\nHSET h f 1\n"
        "HINCRBY h f 41\nZADD z 1 one 2 two\nZPOPMAX z\nINCR k\nTYPE k\nDEL k l s h z nothing\n",
        false);
    /* writes that look like reads, and what tells of keys */
    compare_script(&s, PROXY_SPLIT,
                   "SET k v EX 100\nGETEX k PERSIST\nTTL k\nGETSET k 1\nGETDEL k\nRPUSH l 3 1 2\n"
                   "SORT l\nSORT l STORE m\nLRANGE m 0 -1\nGEOADD g 13.3 38.1 x\n"
                   "GEORADIUS g 13 38 99 km STORE z\nZCARD z\nBITFIELD b GET u8 0\n"
                   "BITFIELD b SET u8 0 9\nOBJECT ENCODING l\nOBJECT REFCOUNT l\nOBJECT FREQ none\n"
                   "OBJECT IDLETIME none\nDEBUG SLEEP 0\nDEBUG NOSUCH\nDEL k l m g z b\n",
                   false);
}

/* Counts the keys of one iteration, and sends a write right before each step, or each but the first. */
enum between { NO_WRITES, WRITES, WRITES_LATER };

static long scan(struct shared *s, int port, enum between between)
{
    redisContext *c = proxy_client(&s->proxy, port);
    char cursor[32] = "0";
    long keys = 0;
    do {
        redisReply *r = NULL;
        bool writes = between == WRITES || (between == WRITES_LATER && strcmp(cursor, "0") != 0);
        if (writes)
            say(c, "SET scan:0 y");
        redisAppendCommand(c, "SCAN %s COUNT 10", cursor);
        if (writes)
            HEAR(c, "+OK");
        cr_assert_eq(redisGetReply(c, (void **)&r), REDIS_OK);
        cr_assert(r->type == REDIS_REPLY_ARRAY && r->elements == 2);
        snprintf(cursor, sizeof(cursor), "%s", r->element[0]->str);
        keys += (long)r->element[1]->elements;
        freeReplyObject(r);
    } while (strcmp(cursor, "0") != 0);
    redisFree(c);
    return keys;
}

/* A cursor is of its node: on another one it would pass keys by. */
Test(routes, an_iteration_stays_on_its_node, .timeout = 30)
{
    struct shared s = shared();
    int master = trio_master(&s.trio);
    compare_clean(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 500; i++)
        say(c, "SET scan:%d x", i);
    for (int i = 0; i < 500; i++)
        HEAR(c, "+OK");
    cr_assert(atoi(ask(c, "WAIT 2 5000") + 1) == 2);
    redisFree(c);
    reset_stats(&s);
    cr_expect_eq(scan(&s, PROXY_REPLICA, NO_WRITES), 500);
    cr_expect_eq(scan(&s, PROXY_SPLIT, NO_WRITES), 500);
    cr_expect_eq(calls(&s, master, "scan"), 0);
    /* what is read behind a write is read from the master: all of it, or none */
    cr_expect_eq(scan(&s, PROXY_SPLIT, WRITES), 500);
    cr_expect_gt(calls(&s, master, "scan"), 40);
    reset_stats(&s);
    cr_expect_eq(scan(&s, PROXY_SPLIT, WRITES_LATER), 500);
    cr_expect_eq(calls(&s, master, "scan"), 0);
}

Test(routes, answers_are_redis_own, .timeout = 120)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        "PING\nPING hello\nECHO hi\nSET a 1\nGET a\nget A\nGeT a\n",
        "SET k v EX 100\nTTL k\nEXISTS k k\nMSET a 1 b 2\nMGET a b c\nINCRBYFLOAT a 0.5\nOBJECT "
        "ENCODING a\n",
        "GET\nSET a\nNOSUCHCOMMAND\nnosuch with args 1 2 3\nCONFIG NOSUCH\nOBJECT\nSET a b c d\n",
        "LPUSH l 1 2 3\nLRANGE l 0 -1\nGET l\nSINTERCARD 2 a b LIMIT 0\nSORT l DESC\nCOPY l "
        "m\nLRANGE m 0 -1\n",
        "XADD s 1-1 f v\nXRANGE s - +\nXREAD COUNT 1 STREAMS s 0\nXGROUP CREATE s g 0\n"
        "XREADGROUP GROUP g c COUNT 1 STREAMS s >\nXACK s g 1-1\n",
        "SETBIT b 7 1\nBITCOUNT b\nPFADD p a b c\nPFCOUNT p\nGEOADD g 13.3 38.1 x\nGEOPOS g x\n",
        "CONFIG GET maxmemory-policy\nDBSIZE\nTIME x\nDEBUG NOSUCH\nCOMMAND "
        "COUNT\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        compare_script(&s, PROXY_MASTER, scripts[i], false);
    static const char odd[] = "\r\n\r\n  PING  \r\nECHO \"a b\\x41\"\r\n*0\r\n*-1\r\nPING\n";
    compare_bytes(&s, PROXY_MASTER, odd, sizeof(odd) - 1, false);
}

Test(routes, binary_and_empty_arguments, .timeout = 30)
{
    struct shared s = shared();
    static const char request[] = "*3\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n"
                                  "*2\r\n$3\r\nGET\r\n$4\r\na\0\r\n\r\n"
                                  "*1\r\n$0\r\n\r\n*2\r\n$6\r\nSTRLEN\r\n$4\r\na\0\r\n\r\n";
    compare_bytes(&s, PROXY_MASTER, request, sizeof(request) - 1, false);
}

Test(routes, large_values, .timeout = 60)
{
    struct shared s = shared();
    size_t size = 20 * 1000 * 1000;
    char *value = malloc(size);
    for (size_t i = 0; i < size; i++)
        value[i] = (char)(i * 31 + i / 251);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    freeReplyObject(redisCommand(c, "SET large %b", value, size));
    cr_assert(atoi(ask(c, "WAIT 2 20000") + 1) == 2);
    redisFree(c);
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++) {
        c = proxy_client(&s.proxy, port);
        redisReply *r = redisCommand(c, "GET large");
        cr_assert(r && r->type == REDIS_REPLY_STRING, "port %d", port);
        cr_expect(r->len == size && memcmp(r->str, value, size) == 0, "port %d", port);
        freeReplyObject(r);
        EXPECT(c, "+PONG", "PING");
        redisFree(c);
    }
    free(value);
    compare_clean(&s);
}

Test(routes, long_pipelines, .timeout = 60)
{
    struct shared s = shared();
    enum { LONG = 20000 };
    compare_clean(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_SPLIT);
    for (int i = 1; i <= LONG; i++)
        say(c, "INCR pipeline");
    for (int i = 1; i <= LONG; i++)
        cr_assert_eq(atoi(hear(c) + 1), i);
    redisFree(c);
}

Test(routes, many_clients, .timeout = 60)
{
    struct shared s = shared();
    enum { MANY = 500 };
    redisContext *c[MANY];
    compare_clean(&s);
    for (int i = 0; i < MANY; i++)
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            say(c[i], "INCR many:%d", i);
            say(c[i], "ECHO %d", i);
            say_now(c[i]);
        }
        for (int i = 0; i < MANY; i++) {
            cr_assert_eq(atoi(hear(c[i]) + 1), round + 1);
            cr_assert_eq(atoi(hear(c[i])), i);
        }
    }
    for (int i = 0; i < MANY; i++)
        redisFree(c[i]);
}
