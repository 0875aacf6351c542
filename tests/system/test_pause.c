/*
 * pause: CLIENT PAUSE on real servers. What Redis keeps waiting waits, and nothing else does: reads go
 * on, on connections that were shared with writes when the pause began, too.
 */
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1}};

enum { WRITERS = 8, AHEAD = 500 };

Test(pause, reads_go_on_while_writes_wait, .timeout = 60)
{
    struct shared s = shared();
    redisContext *admin = proxy_client(&s.proxy, PROXY_MASTER), *w[WRITERS];
    redisContext *reader = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    char last[16];
    EXPECT(admin, "+OK", "SET paused:reads here");
    for (int i = 0; i < WRITERS; i++) {
        w[i] = proxy_client(&s.proxy, PROXY_MASTER);
        for (int n = 0; n < AHEAD; n++)
            say(w[i], "INCR paused:%d", i);
        say_now(w[i]);
    }
    EXPECT(admin, "+OK", "CLIENT PAUSE 60000 WRITE");
    for (int i = 0; i < WRITERS; i++) { /* as many again, of which none may be done */
        for (int n = 0; n < AHEAD; n++)
            say(w[i], "INCR paused:%d", i);
        say_now(w[i]);
    }
    /* How many connections wait is the scheduler's: what reached a worker before the word of the pause did stands
     * behind others' writes on the connection that they shared, and what came later on one of its own. */
    cr_assert(wait_until(10000, clients_blocked_in(node, "incr") > 0));
    for (int i = 0; i < 100; i++) {
        EXPECT(reader, "here", "GET paused:reads");
        EXPECT(reader, "+PONG", "PING");
    }
    for (int i = 0; i < WRITERS; i++) {
        const char *done = ask(node, "GET paused:%d", i);
        cr_assert(!done || atoi(done) <= AHEAD, "%s of writer %d", done, i);
    }
    EXPECT(admin, "+OK", "CLIENT UNPAUSE");
    for (int i = 0; i < WRITERS; i++) {
        for (int n = 1; n <= 2 * AHEAD; n++) {
            snprintf(last, sizeof(last), ":%d", n);
            HEAR(w[i], last);
        }
        redisFree(w[i]);
    }
    cr_assert(wait_until(5000, clients_blocked_in(node, "incr") == 0));
    redisFree(node);
    redisFree(reader);
    redisFree(admin);
}

Test(pause, of_all_commands, .timeout = 60)
{
    struct shared s = shared();
    redisContext *admin = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(admin, "-ERR timeout ", "CLIENT PAUSE soon");
    EXPECT(admin, "+OK", "CLIENT PAUSE 300");
    say(reader, "PING");
    say_now(reader);
    cr_assert_not(heard(reader, 100));
    HEAR(reader, "+PONG");
    EXPECT(admin, "+OK", "SET paused:after 1");
    redisFree(reader);
    redisFree(admin);
}
