/*
 * identity: users of different rights and databases share upstreams only with their own kind. Who a
 * connection is, is asked of Redis (ACL WHOAMI), and proved by what it may do.
 *
 * The default user has a password here, so the proxy's own connections are logged in: a client that
 * is not must never ride on them.
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

#define PASSWORD "trio-secret"

const struct suite suite = {
    .since = 7, /* %R~ */
    .trio = {.min_replicas = 1,
             .password = PASSWORD,
             .node_lines =
                 "user alice on >alice-secret ~alice:* ~shared &alice* +@all -@dangerous\n"
                 "user bob on >bob-secret ~bob:* ~shared &bob* +@all -@dangerous -set\n"
                 "user carol on >carol-secret ~carol:* &carol* +@all -@dangerous\n"
                 "user reader on >reader-secret %R~* &* -@all +@read +@connection\n"},
};

static const struct login {
    const char *user, *password;
} alice = {"alice", "alice-secret"}, bob = {"bob", "bob-secret"}, carol = {"carol", "carol-secret"},
  standard = {"default", PASSWORD};

static redisContext *log_in(struct shared *s, int port, const struct login *who)
{
    redisContext *c = proxy_client(&s->proxy, port);
    EXPECT(c, "+OK", "AUTH %s %s", who->user, who->password);
    return c;
}

Test(identity, answers_are_redis_own, .timeout = 120)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        "GET a\nSET a 1\nPING\nMULTI\nSUBSCRIBE x\nCLIENT ID\nSELECT 1\nNOSUCH\nAUTH wrong\n"
        "AUTH alice wrong\nAUTH nobody wrong\nGET a\nHELLO 2 AUTH alice wrong\nHELLO\nQUIT\n",
        "AUTH " PASSWORD "\nSET a 1\nGET a\nAUTH default wrong\nGET a\nACL WHOAMI\nQUIT\n",
        "AUTH alice alice-secret\nACL WHOAMI\nSET alice:a 1\nGET alice:a\nGET bob:a\nSET b "
        "1\nFLUSHALL\n"
        "CONFIG GET x\nSUBSCRIBE bob\nPUBLISH bob x\nMGET alice:a bob:a\nQUIT\n",
        "AUTH bob bob-secret\nSET bob:a 1\nAPPEND bob:a 1\nAUTH alice wrong\nACL WHOAMI\nAPPEND "
        "bob:a 2\n"
        "AUTH alice alice-secret\nACL WHOAMI\nAPPEND bob:a 3\nQUIT\n",
        "AUTH alice alice-secret\nMULTI\nSET alice:a 1\nGET bob:a\nEXEC\nMULTI\nSET alice:a "
        "2\nEXEC\nQUIT\n",
        "AUTH alice alice-secret\nSELECT 3\nSET alice:a 1\nRESET\nGET alice:a\nAUTH " PASSWORD
        "\nGET alice:a\nSELECT 3\nGET alice:a\nQUIT\n",
        "AUTH reader reader-secret\nGET a\nSET a 1\nMULTI\nEVAL return(1) 0\nQUIT\n",
        "AUTH alice alice-secret\nBLPOP bob:q 1\nBLPOP alice:q 0.05\nEVAL "
        "return(redis.call(ARGV[1],ARGV[2])) 0 GET bob:a\n"
        "WATCH bob:a\nWATCH alice:a\nQUIT\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        compare_script(&s, PROXY_MASTER, scripts[i], true);
}

/* Log in as everybody first, so that every kind of upstream exists and is idle. */
Test(identity, nobody_rides_on_a_warm_connection, .timeout = 30)
{
    struct shared s = shared();
    redisContext *warm[3] = {log_in(&s, PROXY_MASTER, &alice), log_in(&s, PROXY_MASTER, &bob),
                             log_in(&s, PROXY_MASTER, &standard)};
    for (int i = 0; i < 3; i++)
        ask(warm[i], "GET shared");
    EXPECT(warm[2], "(nil)", "BLPOP nothing 0.01");
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++)
        for (int i = 0; i < 10; i++) {
            redisContext *c = proxy_client(&s.proxy, port);
            EXPECT(c, "-NOAUTH Authentication required.", "GET shared");
            if (port != PROXY_REPLICA) /* which refuses it before asking who it is */
                EXPECT(c, "-NOAUTH Authentication required.", "BLPOP q 1");
            EXPECT(c, "-NOAUTH Authentication required.", "ROLE");
            redisFree(c);
        }
    for (int i = 0; i < 3; i++)
        redisFree(warm[i]);
}

/* A client's rights are its own, on commands that the proxy itself needs too. */
Test(identity, the_proxys_rights_are_not_the_clients, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = log_in(&s, PROXY_MASTER, &alice);
    EXPECT_PREFIX(c, "-NOPERM", "ROLE");
    EXPECT_PREFIX(c, "-NOPERM", "INFO");
    EXPECT_PREFIX(c, "-NOPERM", "CONFIG GET requirepass");
    EXPECT_PREFIX(c, "-NOPERM", "CLIENT KILL ID 1");
    EXPECT_PREFIX(c, "-NOPERM", "ACL LIST");
    EXPECT(c, "+OK", "SET alice:still here");
    redisFree(c);
}

struct actor {
    redisContext *c;
    const struct login *who;
    int database, writes;
};

/* One round: pipelined, so that all actors have requests in flight at once. */
static void act(struct actor *a, int number)
{
    say(a->c, "ACL WHOAMI");
    say(a->c, "APPEND %s:%d x", a->who->user, number);
    say(a->c, "GET %s:secret", a->who == &alice ? "bob" : "alice");
    say(a->c, "STRLEN %s:%d", a->who->user, number);
    say_now(a->c);
}

static void check(struct actor *a)
{
    char length[16];
    snprintf(length, sizeof(length), ":%d", ++a->writes);
    HEAR(a->c, a->who->user);
    HEAR(a->c, length);
    if (a->who == &standard)
        HEAR(a->c, "(nil)");
    else
        cr_assert_eq(strncmp(hear(a->c), "-NOPERM ", 8), 0);
    HEAR(a->c, length);
}

Test(identity, identities_never_mix, .timeout = 60)
{
    struct shared s = shared();
    enum { ACTORS = 24, ROUNDS = 60 };
    static const struct login *const who[] = {&alice, &bob, &standard};
    struct actor actor[ACTORS];
    compare_clean(&s);
    for (int i = 0; i < ACTORS; i++) {
        actor[i] = (struct actor){.who = who[i % 3], .database = i / 3 % 4};
        actor[i].c = log_in(&s, i % 2 ? PROXY_MASTER : PROXY_SPLIT, actor[i].who);
        EXPECT(actor[i].c, "+OK", "SELECT %d", actor[i].database);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < ACTORS; i++)
            act(&actor[i], i);
        for (int i = 0; i < ACTORS; i++)
            check(&actor[i]);
    }
    /* each key exists in its actor's database, and in no other */
    redisContext *c = trio_node(&s.trio, trio_master(&s.trio));
    for (int i = 0; i < ACTORS; i++)
        for (int database = 0; database < 4; database++) {
            EXPECT(c, "+OK", "SELECT %d", database);
            EXPECT(c, database == actor[i].database ? ":1" : ":0", "EXISTS %s:%d",
                   actor[i].who->user, i);
        }
    redisFree(c);
    for (int i = 0; i < ACTORS; i++)
        redisFree(actor[i].c);
}

Test(identity, a_session_changes_its_identity, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 12;
         i++) { /* few: each wrong password makes the next one wait (nodes/logins.h) */
        static const struct login *const who[] = {&alice, &bob, &standard};
        const struct login *now = who[i % 3];
        say(c, "AUTH %s %s", now->user, now->password);
        say(c, "ACL WHOAMI");
        say(c, "SELECT %d", i % 5);
        say(c, "INCR %s:n", now->user);
        say(c, "HELLO 2 AUTH %s wrong", now->user);
        say(c, "ACL WHOAMI");
        HEAR(c, "+OK");
        HEAR(c, now->user);
        HEAR(c, "+OK");
        cr_assert(hear(c)[0] == ':');
        HEAR(c, "-WRONGPASS invalid username-password pair or user is disabled.");
        HEAR(c, now->user);
    }
    redisFree(c);
}

/* A password that was right once is no password any more. */
Test(identity, a_changed_password_counts_at_once, .timeout = 30)
{
    struct shared s = shared();
    cr_assert(trio_tell_all(&s.trio, "ACL SETUSER eve on >first ~* +@all"));
    const struct login eve = {"eve", "first"};
    redisContext *old = log_in(&s, PROXY_MASTER, &eve);
    EXPECT(old, "eve", "ACL WHOAMI");
    cr_assert(trio_tell_all(&s.trio, "ACL SETUSER eve resetpass >second"));
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-WRONGPASS", "AUTH eve first");
    EXPECT(c, "+OK", "AUTH eve second");
    EXPECT(c, "eve", "ACL WHOAMI");
    redisFree(c);
    redisFree(old);
}

/* What a user may do counts for the next command, on shared connections and on one of its own. */
Test(identity, a_right_that_is_taken_counts_at_once, .timeout = 30)
{
    struct shared s = shared();
    const struct login dave = {"dave", "dave-secret"};
    static const int ports[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};
    redisContext *c[3], *own;
    cr_assert(trio_tell_all(&s.trio, "ACL SETUSER dave on >dave-secret ~* &* +@all"));
    own = log_in(&s, PROXY_MASTER, &dave);
    EXPECT(own, "+OK", "WATCH a");
    for (int i = 0; i < 3; i++) {
        c[i] = log_in(&s, ports[i], &dave);
        EXPECT_PREFIX(c[i], "(nil)", "GET a");
    }
    cr_assert(trio_tell_all(&s.trio, "ACL SETUSER dave -get"));
    for (int i = 0; i < 3; i++) {
        EXPECT_PREFIX(c[i], "-NOPERM ", "GET a");
        EXPECT_PREFIX(c[i], ":0", "EXISTS a");
    }
    EXPECT_PREFIX(own, "-NOPERM ", "GET a");
    cr_assert(trio_tell_all(&s.trio, "ACL SETUSER dave +get"));
    for (int i = 0; i < 3; i++) {
        EXPECT_PREFIX(c[i], "(nil)", "GET a");
        redisFree(c[i]);
    }
    EXPECT(own, "(nil)", "GET a");
    redisFree(own);
}

/* Redis ends the connections of a user that is deleted, and leaves those of one that is switched off:
 * so it is here, but for a session that needs a new connection: it is told, and ended. */
Test(identity, a_user_that_goes_is_out_at_once, .timeout = 30)
{
    struct shared s = shared();
    const struct login dave = {"dave", "dave-secret"};
    static const int ports[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};
    for (int i = 0; i < 6; i++) {
        cr_assert(trio_tell_all(&s.trio, "ACL SETUSER dave on >dave-secret ~* &* +@all"));
        redisContext *c = log_in(&s, ports[i / 2], &dave), *late;
        EXPECT_PREFIX(c, "(nil)", "GET a");
        for (int node = 0; node < 3; node++) {
            redisContext *direct = trio_node(&s.trio, node);
            if (i % 2)
                EXPECT(direct, "+OK", "ACL SETUSER dave off");
            else
                EXPECT(direct, ":1", "ACL DELUSER dave");
            redisFree(direct);
        }
        const char *next = ask(c, "GET a");
        if (i % 2)
            EXPECT_TEXT(next, "(nil)");
        else
            cr_expect(strncmp(next, "-WRONGPASS ", 11) == 0 || strncmp(next, "(closed)", 8) == 0,
                      "port %d: %s", ports[i / 2], next);
        if (i % 2 == 0)
            cr_expect_eq(strncmp(ask(c, "PING"), "(closed)", 8), 0, "port %d", ports[i / 2]);
        late = proxy_client(&s.proxy, ports[i / 2]);
        EXPECT_PREFIX(late, "-WRONGPASS ", "AUTH dave dave-secret");
        EXPECT_PREFIX(late, "-NOAUTH ", "GET a");
        redisFree(late);
        redisFree(c);
    }
}

/* The secret of a client is in no log line, at any level that the test runs at. */
Test(identity, secrets_are_not_logged, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-WRONGPASS", "AUTH alice a-very-visible-secret");
    EXPECT(c, "+OK", "AUTH alice alice-secret");
    redisFree(c);
    char *log = file_text(s.proxy.log);
    cr_assert(log[0]);
    cr_expect(!strstr(log, "a-very-visible-secret") && !strstr(log, "alice-secret") &&
              !strstr(log, PASSWORD));
    free(log);
}

/* A password that is no longer good, amid the traffic of those whom it let in. From 7.2 on Redis says
 * nothing to that when other replies are due: everybody behind it would get another's. */
Test(identity, an_old_password_mixes_nobody, .timeout = 60)
{
    struct shared s = shared();
    enum { GETS = 50, DOORS = 6, ROUNDS = 30 };
    redisContext *master = trio_node(&s.trio, trio_master(&s.trio));
    redisContext *busy = log_in(&s, PROXY_MASTER, &carol), *late[DOORS];
    char wanted[16];
    for (int i = 0; i < GETS; i++)
        EXPECT(busy, "+OK", "MSET carol:%d %d", i, i);
    EXPECT(master, "+OK", "ACL SETUSER carol <carol-secret >carol-new");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DOORS; i++)
            late[i] = proxy_client(&s.proxy, PROXY_MASTER);
        for (int i = 0; i < GETS; i++)
            say(busy, "GET carol:%d", i);
        for (int i = 0; i < DOORS; i++)
            say(late[i], "AUTH carol carol-secret");
        say_now(busy);
        for (int i = 0; i < DOORS; i++)
            say_now(late[i]);
        for (int i = 0; i < GETS; i++) {
            snprintf(wanted, sizeof(wanted), "%d", i);
            HEAR(busy, wanted);
        }
        for (int i = 0; i < DOORS; i++) {
            HEAR(late[i], "-WRONGPASS invalid username-password pair or user is disabled.");
            redisFree(late[i]);
        }
    }
    EXPECT(master, "+OK", "ACL SETUSER carol >carol-secret <carol-new");
    redisFree(master);
    redisFree(busy);
}

/* Since 7.2 only who may SPUBLISH can be counted for (session_counted.c): others are told so. */
Test(identity, who_cannot_be_counted_for_is_told_so, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = log_in(&s, PROXY_MASTER, &alice);
    EXPECT(c, "+OK", "SET alice:k 1");
    EXPECT_PREFIX(c, servers_have(7, 2) ? "-NOPERM redisproxy: " : ":", "WAIT 1 1000");
    EXPECT_PREFIX(c, "-ERR value is not an integer", "WAIT x 1000");
    redisFree(c);
    c = log_in(&s, PROXY_MASTER, &standard);
    EXPECT_PREFIX(c, ":", "WAIT 1 1000");
    redisFree(c);
}
