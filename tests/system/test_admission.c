/*
 * admission: a connection that is older than a password is shared only by those who were let in when it
 * was. What is set at a node, behind the proxy's back, counts for new clients within two seconds; what
 * goes by the proxy, and what a refused password tells it, counts at once, for all its workers.
 *
 * The default user needs no password here; the proxy has a user of its own, whom nobody changes.
 */
#include "harness/client.h"
#include "harness/servers.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOAUTH "-NOAUTH "
#define WITHIN_MS 2000
#define ROUNDS 10

const struct suite suite = {
    .trio = {.min_replicas = 1,
             .node_lines = "user proxy on >proxy-secret ~* &* +@all\n"
                           "user admin on >admin-secret ~* &* +@all\n"
                           "user alice on >alice-secret ~* &* +@all\n"},
    .proxy = {.master_lines = "username = proxy\npassword = proxy-secret\n"},
};

/* Connections to the nodes that stay whatever becomes of the default user. */
struct nodes {
    redisContext *c[3];
};

static void tell_nodes(const struct nodes *nodes, const char *command)
{
    for (int i = 0; i < 3; i++)
        EXPECT(nodes->c[i], "+OK", command);
}

/* What a client that comes now hears first. */
static const char *newcomer(const struct shared *s, int port, const char *command)
{
    redisContext *c = proxy_client(&s->proxy, port);
    const char *answer = ask(c, command);
    redisFree(c);
    return answer;
}

static bool is_refused(const char *answer)
{
    return strncmp(answer, NOAUTH, sizeof(NOAUTH) - 1) == 0;
}

/* Opens the door again, and waits until newcomers know it. */
static void open_again(const struct shared *s, const struct nodes *nodes)
{
    for (int i = 0; i < 3; i++)
        EXPECT(nodes->c[i], "+OK", "CONFIG SET requirepass %s", "");
    tell_nodes(nodes, "ACL SETUSER default on nopass ~* &* +@all");
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++)
        cr_assert(wait_until(WITHIN_MS, !is_refused(newcomer(s, port, "GET a"))));
    pause_ms(150); /* a refusal counts for 100 ms, so that a flood of those costs little */
}

static struct nodes open_nodes(const struct shared *s)
{
    struct nodes nodes;
    for (int i = 0; i < 3; i++) {
        nodes.c[i] = client_open(s->trio.host[i], s->trio.port[i]);
        EXPECT(nodes.c[i], "+OK", "AUTH admin admin-secret");
    }
    tell_nodes(&nodes, "ACL SETUSER alice on resetpass >alice-secret");
    open_again(s, &nodes);
    return nodes;
}

static redisContext *admin_of(const struct shared *s, int worker)
{
    redisContext *c = worker < 0 ? proxy_client(&s->proxy, PROXY_MASTER)
                                 : proxy_client_of(&s->proxy, PROXY_MASTER, worker);
    EXPECT(c, "+OK", "AUTH admin admin-secret");
    return c;
}

/* Somebody who shares, and somebody who had a connection of his own, which waits for the next one. */
static redisContext *warm(const struct shared *s, int port)
{
    redisContext *c = proxy_client(&s->proxy, port);
    cr_assert(!is_refused(ask(c, "GET a")));
    if (port != PROXY_REPLICA) {
        EXPECT(c, "(nil)", "BLPOP nothing 0.01");
        EXPECT(c, "+OK", "SELECT 3");
        EXPECT(c, "(nil)", "GET a");
        EXPECT(c, "+OK", "SELECT 0");
    }
    return c;
}

/* Newcomers come all the time, to every worker: after a while all are refused. */
static void counts_for_newcomers(const struct shared *s)
{
    int64_t since = now_ms(), last = 0, ms;
    while ((ms = now_ms() - since) < WITHIN_MS + 200)
        for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++)
            if (!is_refused(newcomer(s, port, "GET a")))
                last = ms;
    cr_expect_lt(last, WITHIN_MS);
    cr_log_info("the last one was let in after %d ms", (int)last);
}

static void set_at_the_nodes(const char *closes)
{
    static const char *const commands[] = {
        "GET a", "BLPOP nothing 0.01", "SELECT 3", "CLIENT LIST", "HELLO 3", "CLIENT SETNAME me"};
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    redisContext *old[3];
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++)
        old[port - PROXY_MASTER] = warm(&s, port);
    tell_nodes(&nodes, closes);
    counts_for_newcomers(&s);
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++) {
        redisContext *here = old[port - PROXY_MASTER];
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
            if (port != PROXY_REPLICA || strncmp(commands[i], "BLPOP", 5) != 0)
                cr_expect(is_refused(newcomer(&s, port, commands[i])), "port %d: %s", port,
                          commands[i]);
        EXPECT(here, "(nil)", "GET a"); /* as with Redis, who was let in stays */
        EXPECT(here, "+RESET", "RESET");
        EXPECT_PREFIX(here, NOAUTH, "GET a"); /* and this is, as with Redis, the way out */
        EXPECT(here, "+OK", "AUTH alice alice-secret");
        EXPECT(here, "(nil)", "GET a");
        redisFree(here);
    }
    open_again(&s, &nodes);
    for (int i = 0; i < 3; i++)
        redisFree(nodes.c[i]);
}

Test(admission, a_password_that_is_set_at_the_nodes, .timeout = 60)
{
    set_at_the_nodes("CONFIG SET requirepass secret");
}

Test(admission, a_default_user_that_is_switched_off_at_the_nodes, .timeout = 60)
{
    set_at_the_nodes("ACL SETUSER default off");
}

/* Through the proxy: the first newcomer of every worker hears of it. */
static void set_through_the_proxy(const char *const *closes)
{
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    for (int round = 0; round < ROUNDS; round++) {
        redisContext *old[8], *fresh[8], *admin = admin_of(&s, round % proxy_workers());
        int workers = proxy_workers() < 8 ? proxy_workers() : 8;
        for (int i = 0; i < workers; i++) {
            old[i] = proxy_client_of(&s.proxy, PROXY_MASTER, i);
            EXPECT(old[i], "(nil)", "GET a");
            fresh[i] = proxy_client_of(&s.proxy, PROXY_MASTER, i);
            EXPECT(fresh[i], "+RESET", "RESET");
        }
        for (int i = 0; closes[i]; i++)
            cr_assert_neq(ask(admin, closes[i])[0], '-');
        for (int i = 0; i < workers; i++) {
            EXPECT_PREFIX(fresh[i], NOAUTH, "GET a");
            EXPECT(old[i], "(nil)", "GET a");
            redisFree(fresh[i]);
            redisFree(old[i]);
        }
        open_again(&s, &nodes);
        redisFree(admin);
    }
    for (int i = 0; i < 3; i++)
        redisFree(nodes.c[i]);
}

Test(admission, a_password_that_is_set_through_the_proxy, .timeout = 60)
{
    set_through_the_proxy((const char *const[]){"CONFIG SET requirepass secret", NULL});
}

Test(admission, a_default_user_that_is_switched_off_through_the_proxy, .timeout = 60)
{
    set_through_the_proxy((const char *const[]){"ACL SETUSER default off", NULL});
}

Test(admission, one_that_is_set_in_a_transaction, .timeout = 60)
{
    set_through_the_proxy(
        (const char *const[]){"MULTI", "PING", "CONFIG SET requirepass secret", "EXEC", NULL});
}

/* Somebody's password is refused: so something has changed. */
Test(admission, what_a_refusal_tells, .timeout = 60)
{
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    for (int round = 0; round < ROUNDS; round++) {
        redisContext *old = warm(&s, PROXY_MASTER);
        EXPECT_PREFIX(old, "-WRONGPASS ", "AUTH alice wrong"); /* two in a row count together... */
        pause_ms(150);                                         /* ... within 100 ms */
        cr_assert(!is_refused(newcomer(&s, PROXY_MASTER, "GET a")));
        tell_nodes(&nodes, "CONFIG SET requirepass secret");
        EXPECT_PREFIX(old, "-WRONGPASS ", "AUTH default another");
        for (int i = 0; i < 4; i++) { /* every worker's */
            const char *answer = newcomer(&s, PROXY_MASTER, "GET a");
            cr_assert(is_refused(answer), "round %d, %d: %s", round, i, answer);
        }
        open_again(&s, &nodes);
        redisFree(old);
    }
    for (int i = 0; i < 3; i++)
        redisFree(nodes.c[i]);
}

/* A password is shown to the master, and reads go to a replica, which may think otherwise by now. */
Test(admission, a_user_whom_the_replicas_do_not_let_in, .timeout = 60)
{
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    int master = trio_master(&s.trio);
    redisContext *old = proxy_client(&s.proxy, PROXY_SPLIT);
    EXPECT(old, "+OK", "AUTH alice alice-secret");
    EXPECT(old, "(nil)", "GET a");
    redisContext *second = proxy_client(&s.proxy, PROXY_SPLIT); /* the other replica, or worker */
    EXPECT(second, "+OK", "AUTH alice alice-secret");
    EXPECT(second, "(nil)", "GET a");
    for (int i = 0; i < 3; i++)
        if (i != master)
            EXPECT(nodes.c[i], "+OK", "ACL SETUSER alice off");
    int64_t since = now_ms();
    bool out = false;
    while (!out) {
        redisContext *c = proxy_client(&s.proxy, PROXY_SPLIT);
        EXPECT(c, "+OK", "AUTH alice alice-secret");
        out = strncmp(ask(c, "GET a"), "-WRONGPASS ", 11) == 0;
        redisFree(c);
        cr_assert_lt(now_ms() - since, WITHIN_MS);
    }
    EXPECT(old, "(nil)", "GET a");
    redisFree(old);
    redisFree(second);
    tell_nodes(&nodes, "ACL SETUSER alice on");
    for (int i = 0; i < 3; i++)
        redisFree(nodes.c[i]);
}

/* Any password is right for a user without one, and then no longer. */
Test(admission, a_user_who_gets_a_password, .timeout = 60)
{
    struct shared s = shared();
    struct nodes nodes = open_nodes(&s);
    tell_nodes(&nodes, "ACL SETUSER alice nopass");
    redisContext *old = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(old, "+OK", "AUTH alice whatever");
    EXPECT(old, "(nil)", "GET a");
    tell_nodes(&nodes, "ACL SETUSER alice resetpass >alice-secret");
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-WRONGPASS ", "AUTH alice whatever");
    EXPECT_PREFIX(c, "-WRONGPASS ", "HELLO 2 AUTH alice whatever");
    EXPECT(old, "alice", "ACL WHOAMI");
    redisFree(c);
    redisFree(old);
    for (int i = 0; i < 3; i++)
        redisFree(nodes.c[i]);
}
