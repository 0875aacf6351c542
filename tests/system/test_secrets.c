/*
 * secrets: where a client's password is, and when it is gone. The proxy's memory is searched from
 * outside (/proc/PID/mem): while a session or an upstream needs the password it stands in locked memory
 * and nowhere else, afterwards nowhere; and at no time in the log, which is at its most talkative here.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN "own-Wn7rT2vQ9xKd"
#define TEN "Jq5xWz8LpT"
/* More than a request, a first buffer or a gathered write holds. */
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONG_ONE "long-" HUNDRED HUNDRED HUNDRED
#define SHORT_ONE "short-Hb4mYc6Rz1Ns"
#define WRONG_ONE "wrong-Vd3kFg8Pu5Xe"

const struct suite suite = {.trio = {.min_replicas = 1,
                                     .password = OWN,
                                     .node_lines = "user alice on >" SHORT_ONE " ~* &* +@all\n"
                                                   "user bob on >" LONG_ONE " ~* &* +@all\n"},
                            .proxy = {.proxy_lines = "log = debug\n"}};

struct found {
    int locked, open; /* in mappings that are locked, and in others */
    char where[200];  /* the last of the others */
};

/* Searches `len` bytes at `at`, of which those that are not there are left out. */
static int count_in(int memory, unsigned long at, size_t len, const char *needle)
{
    size_t size = strlen(needle), have = 0;
    int count = 0;
    char *bytes = malloc(len);
    while (have < len) {
        ssize_t n = pread(memory, bytes + have, len - have, (off_t)(at + have));
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    for (char *from = bytes, *hit;
         (hit = memmem(from, have - (size_t)(from - bytes), needle, size)); from = hit + 1)
        count += hit == bytes || hit[-1] != '='; /* but for the variable of the harness */
    free(bytes);
    return count;
}

static struct found search(const struct shared *s, const char *needle)
{
    struct found found = {0};
    char path[40], line[400], name[200] = "";
    unsigned long begin = 0, end = 0;
    int here = 0;
    snprintf(path, sizeof(path), "/proc/%d/mem", s->proxy.pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0)
        cr_skip_test("the proxy's memory cannot be read: run this as root");
    snprintf(path, sizeof(path), "/proc/%d/smaps", s->proxy.pid);
    FILE *maps = fopen(path, "r");
    while (fgets(line, sizeof(line), maps)) {
        unsigned long from, to, kb;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            begin = from;
            end = to;
            snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, "\n"), line);
        } else if (sscanf(line, "Rss: %lu", &kb) == 1) {
            here = kb ? count_in(memory, begin, end - begin, needle) : 0;
        } else if (here && sscanf(line, "Locked: %lu", &kb) == 1) {
            found.locked += kb ? here : 0;
            found.open += kb ? 0 : here;
            if (!kb)
                snprintf(found.where, sizeof(found.where), "%s", name);
        }
    }
    fclose(maps);
    close(memory);
    return found;
}

static void expect_found(const struct shared *s, const char *needle, bool wanted)
{
    struct found found = search(s, needle);
    cr_expect_eq(found.open, 0, "<%.12s...> %d times in %s", needle, found.open, found.where);
    cr_expect_eq(found.locked > 0, wanted, "<%.12s...> %d times in locked memory", needle,
                 found.locked);
}

/* One that searches memory cannot be judged where a sanitizer has terabytes of it, and locks none. */
static struct shared searchable(void)
{
    if (proxy_sanitized())
        cr_skip_test("a sanitizer's memory is too large to be searched");
    return shared();
}

/* Without the proxy's upstreams for clients: the nodes end them. */
static void end_upstreams(const struct shared *s)
{
    for (int i = 0; i < s->trio.options.nodes; i++) {
        redisContext *node = trio_node(&s->trio, i);
        ask(node, "CLIENT KILL USER alice");
        ask(node, "CLIENT KILL USER bob");
        redisFree(node);
    }
}

static void is_gone(const struct shared *s, const char *password)
{
    struct found found = {0};
    end_upstreams(s);
    wait_until(5000, (found = search(s, password), found.open + found.locked == 0));
    expect_found(s, password, false);
}

/* In pieces, and each as its own. */
static void say_piecemeal(int fd, const char *text)
{
    for (size_t len = strlen(text), at = 0, n; at < len; at += n) {
        n = len - at < 17 ? len - at : 17;
        cr_assert(raw_send(fd, text + at, n));
        pause_ms(1);
    }
}

/* All that leads a password through the proxy. */
static void every_way(const struct shared *s, const char *user, const char *password)
{
    char text[2000];
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++) {
        redisContext *c = proxy_client(&s->proxy, port);
        EXPECT(c, "+OK", "AUTH %s %s", user, password);
        EXPECT(c, "+OK", "SELECT 3");
        EXPECT_PREFIX(c, "", "GET a");
        EXPECT(c, user, "ACL WHOAMI");
        EXPECT_PREFIX(c, "[server", "HELLO 2 AUTH %s %s SETNAME me", user, password);
        if (port != PROXY_REPLICA)
            EXPECT(c, "(nil)", "BLPOP nothing 0.01");
        EXPECT(c, "+OK", "WATCH a"); /* on a connection of its own from here */
        EXPECT(c, "+OK", "AUTH %s %s", user, password);
        EXPECT(c, user, "ACL WHOAMI");
        EXPECT(c, "+OK", "MULTI");
        EXPECT(c, "+QUEUED", "AUTH %s %s", user, password);
        EXPECT(c, "[+OK]", "EXEC");
        redisFree(c);
        snprintf(text, sizeof(text), "HELLO 3 AUTH %s %s\r\nGET a\r\n", user, password);
        char *answer = raw_transcript(s->proxy.host, port, text, strlen(text), 0, false);
        cr_assert(answer && answer[0] == '%', "%s", answer);
        free(answer);
        int fd = raw_open(s->proxy.host, port);
        snprintf(text, sizeof(text), "AUTH %s %s\r\nPING\r\n", user, password);
        cr_assert(raw_send_text(fd, text));
        cr_assert(raw_expect(fd, "+OK\r\n+PONG\r\n"));
        say_piecemeal(fd, text);
        cr_assert(raw_expect(fd, "+OK\r\n+PONG\r\n"));
        snprintf(text, sizeof(text), "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
                 strlen(user), user, strlen(password), password);
        say_piecemeal(fd, text);
        cr_assert(raw_expect(fd, "+OK\r\n"));
        cr_assert(raw_send(fd, text, strlen(text) - 5)); /* never whole */
        cr_assert(raw_silent(fd, 50));
        close(fd);
    }
}

static void where_is(const char *user, const char *password)
{
    struct shared s = searchable();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    every_way(&s, user, password);
    EXPECT(c, "+OK", "AUTH %s %s", user, password);
    expect_found(&s, password, true);
    redisFree(c);
    is_gone(&s, password);
}

Test(secrets, a_password_is_locked_while_it_is_needed_and_then_wiped, .timeout = 60)
{
    where_is("alice", SHORT_ONE);
}

Test(secrets, a_long_one_too, .timeout = 60)
{
    where_is("bob", LONG_ONE);
}

Test(secrets, one_that_was_wrong_is_nowhere, .timeout = 60)
{
    struct shared s = searchable();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-WRONGPASS", "AUTH " WRONG_ONE);
    EXPECT_PREFIX(c, "-WRONGPASS", "AUTH alice " WRONG_ONE);
    EXPECT_PREFIX(c, "-WRONGPASS", "HELLO 3 AUTH alice " WRONG_ONE);
    EXPECT_PREFIX(c, "-ERR", "AUTH alice " WRONG_ONE " more");
    EXPECT_PREFIX(c, "-ERR", "HELLO 3 AUTH " WRONG_ONE);
    redisFree(c);
    struct found found = {0};
    wait_until(5000, (found = search(&s, WRONG_ONE), found.open + found.locked == 0));
    expect_found(&s, WRONG_ONE, false);
}

/* For as long as the proxy runs it may have to log in. */
Test(secrets, the_proxys_own_is_in_locked_memory_only, .timeout = 60)
{
    struct shared s = searchable();
    expect_found(&s, OWN, true);
}

Test(secrets, none_is_logged, .timeout = 60)
{
    struct shared s = shared();
    static const char *const secrets[] = {OWN, SHORT_ONE, TEN, WRONG_ONE};
    every_way(&s, "alice", SHORT_ONE);
    every_way(&s, "bob", LONG_ONE);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-WRONGPASS", "AUTH alice " WRONG_ONE);
    redisFree(c);
    char *log = file_text(s.proxy.log);
    cr_assert(strstr(log, "level=debug"));
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        cr_expect(!strstr(log, secrets[i]), "%s", secrets[i]);
    free(log);
}
