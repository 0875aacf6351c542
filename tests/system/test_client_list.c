/*
 * client_list: CLIENT LIST, INFO and KILL on real servers: clients of the proxy, not its connections,
 * in exactly the fields that this server's own lists have.
 */
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1}};

/* The line of a list that begins with "id=<id> ", NULL: none; valid until the next call. */
static const char *line_of(const char *list, const char *id)
{
    static char line[2000];
    char key[40];
    const char *at = list;
    snprintf(key, sizeof(key), "id=%s ", id + 1); /* behind the ':' of CLIENT ID's answer */
    while (at && strncmp(at, key, strlen(key)) != 0)
        at = (at = strchr(at, '\n')) ? at + 1 : NULL;
    if (!at)
        return NULL;
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

static void shows(redisContext *c, const char *id, const char *wanted)
{
    const char *line = line_of(ask(c, "CLIENT LIST"), id);
    cr_assert_not_null(line, "%s", id);
    cr_assert_not_null(strstr(line, wanted), "no <%s> in <%s>", wanted, line);
}

static bool is_listed(redisContext *c, const char *id)
{
    return line_of(ask(c, "CLIENT LIST"), id) != NULL;
}

/* "id addr laddr ..." of the first line. */
static void keys_of(const char *list, char *out, size_t size)
{
    size_t len = strcspn(list, "\n"), at = 0;
    for (size_t i = 0; i < len; i++) {
        size_t key = strcspn(list + i, "= ");
        at += (size_t)snprintf(out + at, size - at, "%.*s ", (int)key, list + i);
        i += strcspn(list + i, " \n");
    }
}

static int lines_in(const char *list)
{
    int lines = 0;
    for (; (list = strchr(list, '\n')); list++)
        lines++;
    return lines;
}

static void id_of(redisContext *c, char *out, size_t size)
{
    snprintf(out, size, "%s", ask(c, "CLIENT ID"));
    cr_assert_eq(out[0], ':', "%s", out);
}

Test(client_list, fields_are_the_servers_own, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    char own[1000], ours[1000], id[40];
    id_of(c, id, sizeof(id));
    keys_of(ask(node, "CLIENT LIST"), own, sizeof(own));
    keys_of(line_of(ask(c, "CLIENT LIST"), id), ours, sizeof(ours));
    cr_assert_str_eq(ours, own);
    keys_of(ask(c, "CLIENT INFO"), ours, sizeof(ours));
    cr_assert_str_eq(ours, own);
    redisFree(node);
    redisFree(c);
}

Test(client_list, sessions_and_what_they_do, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *blocks = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *hears = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *opens = proxy_client(&s.proxy, PROXY_MASTER);
    char me[40], id[3][40];
    redisContext *const others[] = {blocks, hears, opens};
    id_of(c, me, sizeof(me));
    for (int i = 0; i < 3; i++)
        id_of(others[i], id[i], sizeof(id[i]));

    EXPECT(blocks, "+OK", "CLIENT SETNAME waits");
    EXPECT(blocks, "+OK", "SELECT 3");
    say(blocks, "BLPOP nothing 0");
    say_now(blocks);
    EXPECT(hears, "[subscribe, a, :1]", "SUBSCRIBE a");
    EXPECT(opens, "+OK", "MULTI");
    EXPECT(opens, "+QUEUED", "PING");
    cr_assert(wait_until(5000, strstr(ask(c, "CLIENT LIST"), " cmd=blpop ")));

    shows(c, me, " cmd=client|list ");
    shows(c, me, " flags=N db=0 sub=0 ");
    shows(c, id[0], " name=waits ");
    shows(c, id[0], " flags=b db=3 ");
    shows(c, id[1], " flags=P db=0 sub=1 ");
    shows(c, id[2], " flags=x ");
    shows(c, id[2], " multi=1 ");
    cr_assert_not_null(line_of(ask(c, "CLIENT LIST TYPE pubsub"), id[1]));
    cr_assert_null(line_of(ask(c, "CLIENT LIST TYPE pubsub"), id[2]));
    cr_assert_eq(lines_in(ask(c, "CLIENT LIST TYPE replica")), 2);
    cr_assert_eq(lines_in(ask(c, "CLIENT LIST ID %s %s", me + 1, id[1] + 1)), 2);
    EXPECT(opens, "[+PONG]", "EXEC");
    shows(c, id[2], " flags=N ");
    shows(c, id[2], " cmd=exec ");
    redisFree(blocks);
    cr_assert(wait_until(5000, !is_listed(c, id[0])));
    redisFree(hears);
    redisFree(opens);
    redisFree(c);
}

Test(client_list, kill, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER), *victim;
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    char id[40], addr[80], line[2000];

    EXPECT(node, "+OK", "ACL SETUSER guest on >pw ~* +@all -client|kill");
    victim = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(victim, "+OK", "AUTH guest pw");
    id_of(victim, id, sizeof(id));
    snprintf(line, sizeof(line), "%s", line_of(ask(c, "CLIENT LIST"), id));
    cr_assert_not_null(strstr(line, " user=guest "), "%s", line);
    cr_assert_eq(sscanf(strstr(line, " addr="), " addr=%79s", addr), 1);
    EXPECT_PREFIX(victim, "-NOPERM ", "CLIENT KILL ADDR %s", addr);
    EXPECT(c, ":0", "CLIENT KILL ADDR %s USER default", addr);
    EXPECT(c, ":0", "CLIENT KILL ADDR %s TYPE pubsub", addr);
    EXPECT_PREFIX(c, "-ERR No such user ", "CLIENT KILL ADDR %s USER nobody", addr);
    EXPECT(victim, "guest", "ACL WHOAMI");
    EXPECT(c, "+OK", "CLIENT KILL %s", addr);
    EXPECT_PREFIX(victim, "(closed)", "PING");
    EXPECT(c, "-ERR No such client", "CLIENT KILL %s", addr);
    redisFree(victim);

    victim = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(victim, "+OK", "AUTH guest pw");
    EXPECT(c, ":1", "CLIENT KILL USER guest TYPE normal");
    EXPECT_PREFIX(victim, "(closed)", "PING");
    redisFree(victim);
    cr_assert(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 1));
    EXPECT(c, ":1", "CLIENT KILL SKIPME no");
    EXPECT_PREFIX(c, "(closed)", "PING");
    redisFree(c);
    EXPECT(node, ":1", "ACL DELUSER guest");
    redisFree(node);
}

/* Until the marker: whether a line has that word. */
static bool monitored(redisContext *c, const char *word, const char *marker)
{
    bool found = false;
    for (;;) {
        const char *line = hear(c);
        cr_assert_eq(line[0], '+', "%s", line);
        found |= strstr(line, word) != NULL;
        if (strstr(line, marker))
            return found;
    }
}

/* The handshake of a new upstream is in the node's own MONITOR, and not in the client's. */
Test(client_list, monitor_shows_clients, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *through = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    EXPECT(through, "+OK", "MONITOR");
    EXPECT(node, "+OK", "MONITOR");
    EXPECT(c, "+OK", "SELECT 9");
    EXPECT(c, "+OK", "SET marker 1");
    cr_assert(monitored(node, "\"Select\" \"9\"", "\"SET\" \"marker\""));
    EXPECT_TEXT(strstr(hear(through), "\"SELECT\""), "\"SELECT\" \"9\"");
    EXPECT_TEXT(strstr(hear(through), "\"SET\""), "\"SET\" \"marker\" \"1\"");
    redisFree(node);
    redisFree(through);
    redisFree(c);
}
