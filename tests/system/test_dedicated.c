/*
 * dedicated: multiplexing = no, where every client has a connection to its node of its own, and
 * allow_replication = yes, where such a connection may become a replica's.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct suite suite = {
    .trio = {.min_replicas = 1, .fast = true},
    .proxy = {.listen_lines = "multiplexing = no\nallow_replication = yes\n"}};

enum { CLIENTS = 20 };

static int clients_of(redisContext *node)
{
    return atoi(info_field(node, "clients", "connected_clients"));
}

Test(dedicated, each_client_has_its_own_connection, .timeout = 60)
{
    struct shared s = shared();
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio)), *c[CLIENTS];
    int before = clients_of(node);
    for (int i = 0; i < CLIENTS; i++) {
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(c[i], "+OK", "SET own:%d %d", i, i);
    }
    int during = clients_of(node);
    cr_assert_geq(during, before + CLIENTS, "%d after %d", during, before);
    for (int i = 0; i < CLIENTS; i++)
        redisFree(c[i]);
    cr_assert(wait_until(5000, clients_of(node) < before + CLIENTS));
    redisFree(node);
}

Test(dedicated, answers_are_redis_own, .timeout = 100)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        "SET a 1\nGET a\nMULTI\nINCR a\nEXEC\nSELECT 3\nGET a\nSELECT 0\nGET a\nPING\nNOSUCH\n",
        "HELLO 3\nGET nothing\nHELLO 2\nGET nothing\nSUBSCRIBE a\nGET a\nUNSUBSCRIBE\nGET a\n",
        "EVAL return(7) 0\nBLPOP q 0.05\nWATCH a\nUNWATCH\nCLIENT SETNAME me\nCLIENT GETNAME\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        compare_script(&s, PROXY_MASTER, scripts[i], false);
}

Test(dedicated, goes_on_after_a_switchover, .timeout = 100)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    int before = trio_master(&s.trio);
    EXPECT(c, "+OK", "SELECT 2");
    EXPECT(c, ":1", "INCR over");
    cr_assert_eq(trio_failover(&s.trio), 0);
    for (int i = 2; i < 200; i++)
        cr_assert_eq(atoi(ask(c, "INCR over") + 1), i);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_neq(trio_master(&s.trio), before);
    EXPECT(c, ":200", "INCR over");
    redisFree(c);
}

/* A page may come over any of them, whichever node each has (test_scan.c has the rest). */
Test(dedicated, an_iteration_over_several_connections, .timeout = 60)
{
    struct shared s = shared();
    enum { KEYS = 1000 };
    redisContext *c[CLIENTS], *master = proxy_client(&s.proxy, PROXY_MASTER);
    bool seen[KEYS] = {false};
    char cursor[32] = "0";
    int found = 0, pages = 0, number;
    for (int i = 0; i < KEYS; i++)
        EXPECT(master, "+OK", "SET iterated:%d x", i);
    cr_assert(atoi(ask(master, "WAIT 2 10000") + 1) == 2);
    for (int i = 0; i < CLIENTS; i++)
        c[i] = proxy_client(&s.proxy, PROXY_REPLICA);
    do {
        redisReply *r = redisCommand(c[pages % CLIENTS], "SCAN %s", cursor);
        cr_assert(r && r->type == REDIS_REPLY_ARRAY);
        snprintf(cursor, sizeof(cursor), "%s", r->element[0]->str);
        for (size_t i = 0; i < r->element[1]->elements; i++)
            if (sscanf(r->element[1]->element[i]->str, "iterated:%d", &number) == 1) {
                found += !seen[number];
                seen[number] = true;
            }
        freeReplyObject(r);
        cr_assert_lt(++pages, 10 * KEYS);
    } while (strcmp(cursor, "0") != 0);
    cr_assert_eq(found, KEYS, "%d of %d, %d pages", found, KEYS, pages);
    for (int i = 0; i < CLIENTS; i++)
        redisFree(c[i]);
    redisFree(master);
}

/* SYNC brings a payload and then what is written, also by others; it ends with the master. */
Test(dedicated, the_replication_stream, .timeout = 100)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET synced 1");
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    char text[65536], *length;
    size_t len = 0;
    raw_send_text(fd, "SYNC\r\n");
    do { /* newlines keep the connection alive until the payload comes, up to 5 s later */
        cr_assert_eq(raw_read(fd, text + len, 1, 20000), 1);
        len = text[0] == '\n' ? 0 : len + 1;
    } while (len < 2 || text[len - 1] != '\n');
    length = text + 1;
    cr_assert(text[0] == '$' && atoi(length) > 0 && atoi(length) < (int)sizeof(text), "%s", text);
    len = (size_t)atoi(length);
    cr_assert_eq(raw_read(fd, text, len, 5000), len);
    cr_assert(memcmp(text, "REDIS", 5) == 0 || memcmp(text, "VALKEY", 6) == 0);
    cr_assert(memmem(text, len, "synced", 6));
    EXPECT(c, "+OK", "SET synced 2");
    static const char written[] = "*3\r\n$3\r\nSET\r\n$6\r\nsynced\r\n$1\r\n2\r\n";
    for (len = 0; len < sizeof(text) - 1 && !memmem(text, len, written, sizeof(written) - 1); len++)
        cr_assert_eq(raw_read(fd, text + len, 1, 5000), 1, "after %s", raw_show(text, len));
    cr_assert_eq(trio_failover(&s.trio), 0);
    cr_assert(raw_ended(fd, 20000));
    close(fd);
    EXPECT(c, "+OK", "SET synced 3");
    /* A Sentinel that asked the old master for INFO meanwhile has taken the stream for a replica, and never forgets it: it
     * counts one more than there are. */
    s.trio.moved = true;
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    redisFree(c);
}
