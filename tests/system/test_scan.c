/*
 * scan: the pages of one iteration may travel over any connections, of any workers, to any port of a
 * group, and nothing that was there all the time is missed: not when the node goes that the iteration
 * began on, either.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS = 3000, POOL = 6, PAGES_MAX = 20000 };

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

/* What is iterated, and how the reply names thing number i. */
struct kind {
    const char *command; /* up to the cursor */
    int step;            /* of the elements that name one: HSCAN and ZSCAN tell two for each */
};

static const struct kind kinds[] = {
    {"SCAN", 1}, {"HSCAN scan:h", 2}, {"SSCAN scan:s", 1}, {"ZSCAN scan:z", 2}};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* One iteration, over a pool of connections. */
struct iteration {
    const struct kind *kind;
    redisContext *pool[POOL];
    char cursor[32];
    int pages;
    bool whole_tx; /* each page in a transaction */
    bool seen[THINGS];
};

static void fill(struct shared *s)
{
    compare_clean(s);
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    for (int i = 0; i < THINGS; i++) {
        say(c, "SET thing:%d %d", i, i);
        say(c, "HSET scan:h thing:%d %d", i, i);
        say(c, "SADD scan:s thing:%d", i);
        say(c, "ZADD scan:z %d thing:%d", i, i);
        for (int k = 0; k < 4; k++)
            (void)hear(c);
    }
    cr_assert(atoi(ask(c, "WAIT 2 10000") + 1) == 2);
    redisFree(c);
}

static struct iteration *begin(struct shared *s, int port, const struct kind *kind)
{
    struct iteration *it = calloc(1, sizeof(*it));
    it->kind = kind;
    strcpy(it->cursor, "0");
    for (int i = 0; i < POOL; i++)
        it->pool[i] = proxy_client(&s->proxy, port);
    return it;
}

static bool ended(const struct iteration *it)
{
    return it->pages > 0 && strcmp(it->cursor, "0") == 0;
}

static void take(struct iteration *it, const redisReply *page)
{
    cr_assert(page->type == REDIS_REPLY_ARRAY && page->elements == 2, "%s %s: %s",
              it->kind->command, it->cursor, page->str ? page->str : "?");
    snprintf(it->cursor, sizeof(it->cursor), "%s", page->element[0]->str);
    /* a client may keep it in a double */
    cr_assert_lt(strtoull(it->cursor, NULL, 10), 1ULL << 53);
    for (size_t i = 0; i < page->element[1]->elements; i += (size_t)it->kind->step) {
        int number;
        if (sscanf(page->element[1]->element[i]->str, "thing:%d", &number) == 1)
            it->seen[number] = true;
    }
}

/* The next page, over the next connection. */
static void turn(struct iteration *it)
{
    redisContext *c = it->pool[it->pages % POOL];
    redisReply *r = NULL;
    char command[96];
    snprintf(command, sizeof(command), "%s %s COUNT 10", it->kind->command, it->cursor);
    cr_assert_lt(++it->pages, (int)PAGES_MAX, "it does not end");
    if (it->whole_tx) {
        EXPECT(c, "+OK", "MULTI");
        EXPECT(c, "+QUEUED", "PING");
        EXPECT(c, "+QUEUED", command, NULL);
        r = redisCommand(c, "EXEC");
        cr_assert(r && r->type == REDIS_REPLY_ARRAY && r->elements == 2);
        take(it, r->element[1]);
    } else {
        r = redisCommand(c, command);
        cr_assert(r, "%s", c->errstr);
        take(it, r);
    }
    freeReplyObject(r);
}

static void turns(struct iteration *it, int pages)
{
    for (int i = 0; i < pages && !ended(it); i++)
        turn(it);
}

/* Nothing may be missing. */
static void finish(struct iteration *it)
{
    int missing = 0;
    turns(it, PAGES_MAX);
    for (int i = 0; i < THINGS; i++)
        missing += !it->seen[i];
    cr_expect_eq(missing, 0, "%s: %d of %d are missing after %d pages", it->kind->command, missing,
                 THINGS, it->pages);
    for (int i = 0; i < POOL; i++)
        redisFree(it->pool[i]);
    free(it);
}

Test(scan, pages_travel_over_a_pool, .timeout = 60)
{
    struct shared s = shared();
    fill(&s);
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++)
        for (int k = 0; k < KINDS; k++)
            finish(begin(&s, port, &kinds[k]));
}

Test(scan, options_are_the_nodes, .timeout = 60)
{
    struct shared s = shared();
    fill(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT_PREFIX(c, "[0, [", "SCAN 0 MATCH thing:1* COUNT 10000 TYPE string");
    EXPECT(c, "[0, []]", "SCAN 0 COUNT 10000 TYPE list");
    EXPECT(c, "[0, []]", "HSCAN nothing 0");
    EXPECT_PREFIX(c, "-ERR invalid cursor", "SCAN x");
    EXPECT_PREFIX(c, "-ERR invalid cursor", "SCAN 18446744073709551616");
    EXPECT_PREFIX(c, "-ERR wrong number of arguments", "SCAN");
    EXPECT_PREFIX(c, "-ERR wrong number of arguments", "HSCAN scan:h");
    EXPECT_PREFIX(c, "-ERR syntax error", "SCAN 0 COUNT");
    EXPECT_PREFIX(c, "-WRONGTYPE", "HSCAN scan:s 0");
    redisFree(c);
}

/* A table that grows and shrinks under the iteration. */
Test(scan, tables_that_grow_and_shrink, .timeout = 60)
{
    struct shared s = shared();
    enum { MORE = 40000 };
    fill(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    struct iteration *keys = begin(&s, PROXY_REPLICA, &kinds[0]);
    struct iteration *fields = begin(&s, PROXY_SPLIT, &kinds[1]);
    turns(keys, 100);
    turns(fields, 100);
    for (int i = 0; i < MORE; i++) {
        say(c, "SET more:%d x", i);
        say(c, "HSET scan:h more:%d x", i);
        if (i % 400 == 399) {
            for (int k = 0; k < 800; k++)
                (void)hear(c);
            turns(keys, 1);
            turns(fields, 1);
        }
    }
    for (int i = 0; i < MORE; i++) {
        say(c, "DEL more:%d", i);
        say(c, "HDEL scan:h more:%d", i);
        if (i % 400 == 399) {
            for (int k = 0; k < 800; k++)
                (void)hear(c);
            turns(keys, 1);
            turns(fields, 1);
        }
    }
    finish(keys);
    finish(fields);
    redisFree(c);
}

/* The node with this iteration, by what it was asked. */
static int node_of(struct shared *s, struct iteration *it)
{
    int found = -1;
    cr_assert(trio_tell_all(&s->trio, "CONFIG RESETSTAT"));
    turns(it, 20);
    for (int i = 0; i < s->trio.options.nodes; i++) {
        redisContext *c = trio_node(&s->trio, i);
        const char *stat = info_field(c, "commandstats", "cmdstat_scan");
        if (*stat) {
            cr_assert_eq(found, -1, "one iteration is on nodes %d and %d", found, i);
            cr_assert_eq(strncmp(stat, "calls=20,", 9), 0, "%s", stat);
            found = i;
        }
        redisFree(c);
    }
    cr_assert_neq(found, -1);
    return found;
}

Test(scan, the_replica_goes, .timeout = 100)
{
    struct shared s = shared();
    fill(&s);
    for (int port = PROXY_REPLICA; port <= PROXY_SPLIT; port++) {
        struct iteration *it = begin(&s, port, &kinds[0]);
        turns(it, 150);
        int node = node_of(&s, it);
        cr_assert_neq(node, trio_master(&s.trio));
        trio_kill_node(&s.trio, node);
        turns(it, 20);
        cr_assert_eq(trio_start_node(&s.trio, node), 0);
        turns(it, 20);
        cr_assert_eq(trio_wait_whole(&s.trio), 0);
        finish(it);
        cr_assert_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
    }
}

/* It comes back with another seed for its tables, at the same address. */
Test(scan, the_replica_is_restarted, .timeout = 100)
{
    struct shared s = shared();
    fill(&s);
    struct iteration *it = begin(&s, PROXY_REPLICA, &kinds[0]);
    turns(it, 150);
    int node = node_of(&s, it);
    trio_kill_node(&s.trio, node);
    cr_assert_eq(trio_start_node(&s.trio, node), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
    finish(it);
}

Test(scan, the_master_changes, .timeout = 100)
{
    struct shared s = shared();
    fill(&s);
    struct iteration *it[3][2];
    for (int port = 0; port < 3; port++)
        for (int k = 0; k < 2; k++)
            turns(it[port][k] = begin(&s, PROXY_MASTER + port, &kinds[k]), 150);
    int before = trio_master(&s.trio);
    cr_assert_eq(trio_failover(&s.trio), 0);
    while (trio_master(&s.trio) == before || trio_master(&s.trio) < 0)
        for (int port = 0; port < 3; port++)
            turns(it[port][1], 1); /* some go on while it changes, others only afterwards */
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    for (int port = 0; port < 3; port++)
        for (int k = 0; k < 2; k++)
            finish(it[port][k]);
}

/* Each page in a transaction: on the master, whatever the route but the read port. */
Test(scan, pages_in_transactions, .timeout = 100)
{
    struct shared s = shared();
    fill(&s);
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port += 2) {
        struct iteration *it = begin(&s, port, &kinds[0]);
        it->whole_tx = true;
        turns(it, 150);
        if (port == PROXY_MASTER) {
            cr_assert_eq(trio_failover(&s.trio), 0);
            cr_assert_eq(trio_wait_whole(&s.trio), 0);
        }
        finish(it);
    }
}
