/*
 * versions: commands that the proxy's table does not know, and what some servers have and others lack.
 * It runs on any redis-server: what the one here does not know must be told in its own words.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/servers.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED "-READONLY You can't write against a read only replica."

const struct suite suite = {.trio = {.node_lines = "loadmodule " TINY_MODULE "\n"}};

static long long id_of(const char *answer)
{
    cr_assert(answer[0] == ':', "%s", answer);
    return atoll(answer + 1);
}

static bool server_knows(const struct shared *s, const char *command)
{
    redisContext *c = trio_node(&s->trio, 0);
    bool yes = strcmp(ask(c, "COMMAND INFO %s", command), "[(nil)]") != 0;
    redisFree(c);
    return yes;
}

/* ---- a module's ---- */

/* A lease that goes back to the pool serves the next client. */
Test(versions, module_commands_on_keys_keep_no_connection, .timeout = 30)
{
    struct shared s = shared();
    compare_clean(&s);
    redisContext *a = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *b = proxy_client_of(&s.proxy, PROXY_MASTER, proxy_worker_of(a));
    long long id = id_of(ask(a, "TINY.READ k"));
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(id_of(ask(b, "TINY.WRITE k")), id);
        cr_assert_eq(id_of(ask(a, "tiny.read k")), id);
    }
    EXPECT(a, "5", "GET k");
    EXPECT(a, "+OK", "MULTI");
    EXPECT(a, "+QUEUED", "TINY.WRITE k");
    EXPECT(a, "+QUEUED", "GET k");
    cr_assert_not_null(strstr(ask(a, "EXEC"), ", 6]"));
    EXPECT_PREFIX(b, "-ERR wrong number of arguments", "TINY.WRITE");
    redisFree(a);
    redisFree(b);
}

Test(versions, any_other_module_command_keeps_its_connection, .timeout = 30)
{
    struct shared s = shared();
    redisContext *a = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *b = proxy_client(&s.proxy, PROXY_MASTER);
    long long id_a = id_of(ask(a, "TINY.KEEP")), id_b = id_of(ask(b, "TINY.KEEP"));
    cr_assert_neq(id_a, id_b);
    cr_assert_eq(id_of(ask(a, "TINY.KEEP")), id_a);
    cr_assert_eq(id_of(ask(a, "TINY.READ k")), id_a);
    cr_assert_eq(id_of(ask(b, "TINY.KEEP")), id_b);
    redisFree(a);
    redisFree(b);
}

Test(versions, the_read_port_knows_a_modules_reads_from_its_writes, .timeout = 30)
{
    struct shared s = shared();
    compare_clean(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(c, REFUSED, "TINY.WRITE k");
    EXPECT(c, REFUSED, "TINY.KEEP");
    EXPECT_PREFIX(c, ":", "TINY.READ k");
    EXPECT(c, "(nil)", "GET k");
    redisFree(c);
}

/* ---- newer servers' ---- */

/* Commands of which no table of an older server knows, on a key of their own. */
static const struct {
    const char *write, *written, *read, *read_answer;
} newer[] = {
    {"VADD v1 VALUES 2 1 1 one", ":1", "VCARD v1", ":1"},      /* Redis 8 */
    {"HSETEX h1 FIELDS 1 f v", ":1", "HGET h1 f", "v"},        /* Redis 8, Valkey 9 */
    {"MSETEX 1 m1 v", ":1", "GET m1", "v"},                    /* Valkey 9.1 */
    {"XGROUP CREATE x1 g 0 MKSTREAM", "+OK", "XLEN x1", ":0"}, /* all */
    {"SET l1 ab", "+OK", "STRALGO LCS KEYS l1 l1", "ab"},      /* 6.2 */
};

static void word_of(const char *line, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(line, " "), line);
}

static void try_newer(const struct shared *s, size_t i)
{
    redisContext *master = proxy_client(&s->proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&s->proxy, PROXY_REPLICA);
    redisContext *split = proxy_client(&s->proxy, PROXY_SPLIT);
    EXPECT(reader, REFUSED, newer[i].write, NULL);
    EXPECT(master, newer[i].written, newer[i].write, NULL);
    cr_assert_geq(id_of(ask(master, "WAIT 2 5000")), 2);
    EXPECT(master, newer[i].read_answer, newer[i].read, NULL);
    EXPECT(reader, newer[i].read_answer, newer[i].read, NULL);
    EXPECT(split, newer[i].read_answer, newer[i].read, NULL);
    redisFree(master);
    redisFree(reader);
    redisFree(split);
}

Test(versions, newer_commands_are_told_reads_from_writes, .timeout = 60)
{
    struct shared s = shared();
    char write[32], read[32];
    compare_clean(&s);
    for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) {
        word_of(newer[i].write, write, sizeof(write));
        word_of(newer[i].read, read, sizeof(read));
        if (server_knows(&s, write) && server_knows(&s, read))
            try_newer(&s, i);
    }
}

/* Whatever this server knows or does not know of it, it says so itself. */
Test(versions, what_a_server_lacks_it_says_itself, .timeout = 100)
{
    struct shared s = shared();
    static const char *const scripts[] = {
        "HGETEX h FIELDS 1 f\nHPEXPIRE h 1000 FIELDS 1 f\nHGETDEL h FIELDS 1 f\nGET a\n",
        "CLIENT CAPA redirect\nCLIENT CAPA\nCLIENT CAPA a b c\nSET a 1\nGET a\n",
        "CLIENT NO-TOUCH ON\nCLIENT NO-EVICT ON\nCLIENT NO-TOUCH MAYBE\nGET a\nCLIENT "
        "TRACKINGINFO\n",
        "SCRIPT SHOW 1234567890123456789012345678901234567890\nCOMMANDLOG LEN slow\nCOMMANDLOG x\n",
        "SSUBSCRIBE a\nSUNSUBSCRIBE a\nSPUBLISH a x\nPUBSUB SHARDCHANNELS\nGET a\n",
        "FCALL f 0\nFCALL_RO f 0\nEVAL_RO return(1) 0\nFUNCTION LIST\nGET a\n",
        "DELIFEQ a b\nSET a 1\nDELIFEQ a 1\nGET a\nLCS a a\nSTRALGO LCS KEYS a a\nGET a\n",
        "OBJECT FREQ a\nEXPIRE a 10 NX\nXAUTOCLAIM a b c 0 0\nBLMPOP 0.01 1 l LEFT\nVCARD v\n",
        "MULTI\nHGETEX h FIELDS 1 f\nFCALL f 0\nEXEC\nGET a\n",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        compare_script(&s, PROXY_MASTER, scripts[i], false);
}

/* A node that knows CLIENT CAPA would send such a client from a replica to the master. */
Test(versions, nobody_is_redirected, .timeout = 30)
{
    struct shared s = shared();
    compare_clean(&s);
    redisContext *master = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(master, "+OK", "SET k v");
    cr_assert_geq(id_of(ask(master, "WAIT 2 5000")), 2);
    bool known = server_knows(&s, "client|capa");
    EXPECT_PREFIX(c, known ? "+OK" : "-ERR ", "CLIENT CAPA redirect");
    EXPECT(c, "v", "GET k");
    EXPECT(c, "+OK", "MULTI");
    ask(c, "CLIENT CAPA redirect");
    EXPECT(c, "+QUEUED", "GET k");
    ask(c, "DISCARD");
    EXPECT(c, "v", "GET k");
    redisFree(master);
    redisFree(c);
}

/* Who knows what a script would write, on a node that cannot be told to keep it from that? */
Test(versions, scripts_on_the_read_port, .timeout = 30)
{
    struct shared s = shared();
    bool can = servers_have(7, 0);
    compare_clean(&s);
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(c, can ? ":7" : REFUSED, "EVAL return(7) 0");
    EXPECT_PREFIX(c, can ? "-NOSCRIPT" : REFUSED, "EVALSHA %040d 0", 0);
    EXPECT_PREFIX(c, can ? "-ERR Function not found" : REFUSED, "FCALL f 0");
    EXPECT(c, "+OK", "MULTI");
    EXPECT(c, can ? "+QUEUED" : REFUSED, "EVAL return(7) 0");
    EXPECT_PREFIX(c, can ? "[:7]" : "-EXECABORT", "EXEC");
    EXPECT(c, "(nil)", "GET k");
    redisFree(c);
}
