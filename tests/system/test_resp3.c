/*
 * resp3: HELLO 3 and what follows it: every type of reply, nulls of the proxy's own, pushes in
 * between, beside sessions that speak RESP2. Answers are compared with Redis' own to the byte.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

Test(resp3, answers_are_redis_own, .timeout = 200)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        "HELLO 3\nHELLO\nHELLO 2\nHELLO\nHELLO 3 SETNAME me\nCLIENT GETNAME\nRESET\nHELLO\n",
        "HELLO 3\nHSET h a 1\nHGETALL h\nSADD s a\nSMEMBERS s\nZADD z 1.5 a\nZSCORE z a\nZRANGE z "
        "0 -1 "
        "WITHSCORES\nGET nothing\nLPOP nothing 1\nCLIENT GETNAME\nCONFIG GET maxmemory\n",
        "HELLO 3\nDEBUG PROTOCOL STRING\nDEBUG PROTOCOL INTEGER\nDEBUG PROTOCOL DOUBLE\n"
        "DEBUG PROTOCOL NULL\nDEBUG PROTOCOL ARRAY\nDEBUG PROTOCOL SET\nDEBUG PROTOCOL MAP\n"
        "DEBUG PROTOCOL BIGNUM\nDEBUG PROTOCOL TRUE\nDEBUG PROTOCOL FALSE\n"
        "DEBUG PROTOCOL VERBATIM\nDEBUG PROTOCOL ATTRIB\n",
        "HELLO 3\nMULTI\nHSET h a 1\nHGETALL h\nGET nothing\nEXEC\nWATCH w\nSET w 1\nMULTI\nGET "
        "w\nEXEC\n",
        "HELLO 3\nBLPOP q 0.05\nXREAD BLOCK 50 STREAMS s $\nRPUSH q 1\nBLPOP q 0\n",
        "HELLO 3\nSUBSCRIBE a b\nGET x\nSET x 1\nPING\nPING hi\nPUBLISH a x\nUNSUBSCRIBE "
        "a\nPSUBSCRIBE "
        "a*\nPUBLISH a y\nPUNSUBSCRIBE\nUNSUBSCRIBE\nUNSUBSCRIBE\nGET x\n",
        "HELLO 3\nSUBSCRIBE a\nMULTI\nSET x 1\nEXEC\nHELLO 3\nSELECT 1\nGET x\nSELECT 0\nGET x\n",
        "HELLO 3\nSUBSCRIBE a\nHELLO 2\nSUBSCRIBE b c\nPUBLISH a x\nUNSUBSCRIBE a b\nHELLO 3\n"
        "SSUBSCRIBE d\nUNSUBSCRIBE\nSUNSUBSCRIBE\nHELLO 2\nSUBSCRIBE b c\nUNSUBSCRIBE\nGET x\n",
        "HELLO 3 AUTH nobody x\nHELLO 3 NOSUCH\nHELLO 3 SETNAME\nHELLO 4\nHELLO\n",
        "HELLO 3\nSELECT 3\nSET k 1\nGET k\nHELLO 2\nGET k\nGET nothing\nSELECT 0\nGET k\n",
        "HELLO 3\nEVAL return(redis.setresp(3)) 0\nEVAL return({double=3.5}) 0\nEVAL "
        "return({map={a=1}}) 0\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        compare_script(&s, PROXY_MASTER, scripts[i], false);
    compare_script(&s, PROXY_MASTER, "HELLO 3\nQUIT\n", true);
}

/* hiredis of Debian 12 reads RESP2 only: so it is bytes. */
static void hears(int fd, const char *wanted)
{
    cr_assert(raw_expect(fd, wanted));
}

static void tells(int fd, const char *line)
{
    raw_send_text(fd, line);
    raw_send_text(fd, "\r\n");
}

/* A client that has said HELLO 3. Nothing of the answer is looked at but its end. */
static int resp3_client(const struct shared *s, int port)
{
    int fd = raw_open(s->proxy.host, port);
    char got[2048] = "", byte[2];
    size_t len = 0;
    tells(fd, "HELLO 3");
    tells(fd, "PING");
    while (!strstr(got, "+PONG\r\n")) {
        cr_assert_eq(raw_read(fd, byte, 1, 5000), 1, "after %s", got);
        got[len++] = byte[0];
        cr_assert_lt(len, sizeof(got) - 1);
    }
    cr_assert_eq(strncmp(got, "%7\r\n", 4), 0, "%s", got);
    return fd;
}

/* The same on the read port, where a replica answers: but for what it refuses. */
Test(resp3, on_the_read_port, .timeout = 60)
{
    struct shared s = shared();
    redisContext *master = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *replica = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(master, ":1", "HSET readport a 1");
    cr_assert(wait_until(5000, strcmp(ask(replica, "HGET readport a"), "1") == 0));
    int fd = resp3_client(&s, PROXY_REPLICA);
    tells(fd, "HSET readport a 2");
    hears(fd, "-READONLY ");
    close(fd);
    fd = resp3_client(&s, PROXY_REPLICA);
    tells(fd, "CLIENT GETNAME");
    hears(fd, "_\r\n");
    redisFree(master);
    redisFree(replica);
    close(fd);
}

/* A switch in between: the proxy's next connections speak as the session does. */
Test(resp3, goes_on_after_a_switchover, .timeout = 100)
{
    struct shared s = shared();
    int c = resp3_client(&s, PROXY_MASTER), sub = resp3_client(&s, PROXY_MASTER);
    tells(sub, "SUBSCRIBE news");
    hears(sub, ">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    int before = trio_master(&s.trio);
    cr_assert_eq(trio_failover(&s.trio), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_neq(trio_master(&s.trio), before);
    tells(c, "HSET over a 1");
    hears(c, ":1\r\n");
    tells(c, "HGETALL over");
    hears(c, "%1\r\n$1\r\na\r\n$1\r\n1\r\n");
    tells(c, "PUBLISH news x");
    hears(c, ":1\r\n");
    hears(sub, ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
    close(sub);
    close(c);
}

/* ---- client-side caching ---- */

#define INVALIDATE(key, len) ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" len "\r\n" key "\r\n"

Test(resp3, tracking_goes_on_after_a_switchover, .timeout = 100)
{
    struct shared s = shared();
    redisContext *other = proxy_client(&s.proxy, PROXY_MASTER);
    int c = resp3_client(&s, PROXY_MASTER), before = trio_master(&s.trio);
    EXPECT(other, "+OK", "SET cached 1");
    tells(c, "CLIENT TRACKING ON");
    hears(c, "+OK\r\n");
    tells(c, "GET cached");
    hears(c, "$1\r\n1\r\n");
    EXPECT(other, "+OK", "SET cached 2");
    hears(c, INVALIDATE("cached", "6"));
    cr_assert_eq(trio_failover(&s.trio), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    cr_assert_neq(trio_master(&s.trio), before);
    hears(c, ">2\r\n$10\r\ninvalidate\r\n_\r\n"); /* all of it */
    tells(c, "GET cached");
    hears(c, "$1\r\n2\r\n");
    EXPECT(other, "+OK", "SET cached 3");
    hears(c, INVALIDATE("cached", "6"));
    tells(c, "CLIENT TRACKING OFF");
    hears(c, "+OK\r\n");
    tells(c, "GET cached");
    hears(c, "$1\r\n3\r\n");
    EXPECT(other, "+OK", "SET cached 4");
    tells(c, "PING");
    hears(c, "+PONG\r\n");
    redisFree(other);
    close(c);
}

/* RESP2: the messages go to another client, which is named by the id that it has here. */
Test(resp3, tracking_redirected_to_another_client, .timeout = 100)
{
    struct shared s = shared();
    redisContext *other = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *listener = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    char id[32];
    snprintf(id, sizeof(id), "%s", ask(listener, "CLIENT ID") + 1);
    EXPECT(listener, "[subscribe, __redis__:invalidate, :1]", "SUBSCRIBE __redis__:invalidate");
    EXPECT(c, "+OK", "CLIENT TRACKING ON REDIRECT %s", id);
    cr_assert_str_eq(ask(c, "CLIENT GETREDIR") + 1, id);
    EXPECT(c, "(nil)", "GET redirected");
    EXPECT(other, "+OK", "SET redirected 1");
    HEAR(listener, "[message, __redis__:invalidate, [redirected]]");
    cr_assert_eq(trio_failover(&s.trio), 0);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    HEAR(listener, "[message, __redis__:invalidate, (nil)]");
    EXPECT(c, "1", "GET redirected");
    EXPECT(other, "+OK", "SET redirected 2");
    HEAR(listener, "[message, __redis__:invalidate, [redirected]]");
    cr_assert_str_eq(ask(c, "CLIENT GETREDIR") + 1, id);
    redisFree(c);
    redisFree(listener);
    redisFree(other);
}

/* Redis lets a client name itself, and name anybody who is there when it stops. */
Test(resp3, tracking_redirected_to_itself, .timeout = 30)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    char id[32];
    snprintf(id, sizeof(id), "%s", ask(c, "CLIENT ID") + 1);
    EXPECT(c, "+OK", "CLIENT TRACKING OFF REDIRECT %s", id);
    EXPECT(c, "+OK", "CLIENT TRACKING ON REDIRECT %s", id);
    EXPECT(c, ask(c, "CLIENT ID"), "CLIENT GETREDIR");
    EXPECT(c, "+OK", "CLIENT TRACKING OFF REDIRECT %s", id);
    EXPECT_PREFIX(c, "-ERR The client ID you want redirect to does not exist",
                  "CLIENT TRACKING ON REDIRECT 99999999");
    redisFree(c);
}
