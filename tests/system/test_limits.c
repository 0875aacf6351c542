/*
 * limits: the largest that a client may send and fetch. What is large costs the proxy memory only on
 * its way in, where it may have to be sent again; on its way out it is passed on piece by piece,
 * whichever way it comes and however slowly its client reads.
 *
 * The value is of 128 MB, so that this is quick with sanitizers; `make system T=limits LARGE=512` takes
 * Redis' limit.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MB = 1024 * 1024,
    OUT_MAX = 64 * MB,
    PATTERN = 65521,
    ARGUMENTS = 1024 * 1024,
    LONG = 10000
};

const struct suite suite = {.trio = {.min_replicas = 1,
                                     .node_lines = "client-output-buffer-limit replica 0 0 0\n"
                                                   "client-output-buffer-limit pubsub 0 0 0\n"}};

static size_t large(void)
{
    const char *mb = getenv("LARGE");
    return (size_t)(mb && *mb ? atoi(mb) : 128) * MB;
}

/* ---- large values ---- */

/* Its length is prime, so that no piece of the value looks like another one. */
static const char *pattern(void)
{
    static char bytes[2 * PATTERN];
    for (size_t i = 0; !bytes[0] && i < sizeof(bytes); i++)
        bytes[sizeof(bytes) - 1 - i] = (char)('a' + (sizeof(bytes) - 1 - i) % PATTERN * 31 % 26);
    return bytes;
}

static void send_value(int fd, size_t size)
{
    for (size_t at = 0; at < size; at += PATTERN)
        cr_assert(raw_send(fd, pattern(), size - at < PATTERN ? size - at : PATTERN));
}

static void hear_value(int fd, size_t size, int pause)
{
    char *piece = malloc(MB + 1), head[32];
    snprintf(head, sizeof(head), "$%zu\r\n", size);
    cr_assert(raw_expect(fd, head));
    for (size_t at = 0, len; at < size; at += len) {
        len = size - at < MB ? size - at : MB;
        cr_assert_eq(raw_read(fd, piece, len, 20000), len, "after %zu bytes", at);
        for (size_t i = 0, same; i < len; i += same) {
            same = len - i < PATTERN ? len - i : PATTERN;
            cr_assert(memcmp(piece + i, pattern() + (at + i) % PATTERN, same) == 0, "at %zu", at);
        }
        if (pause)
            pause_ms(pause);
    }
    cr_assert(raw_expect(fd, "\r\n"));
    free(piece);
}

static void set_large(const struct shared *s, const char *before)
{
    char head[96];
    int fd = raw_open(s->proxy.host, PROXY_MASTER);
    snprintf(head, sizeof(head), "%s*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%zu\r\n", before, large());
    cr_assert(raw_send_text(fd, head));
    send_value(fd, large());
    cr_assert(raw_send_text(fd, "\r\nWAIT 2 30000\r\n"));
    char answer[8];
    cr_assert_eq(raw_read(fd, answer, 5, 30000), 5);
    cr_assert_str_eq(answer, "+OK\r\n");
    cr_assert_eq(raw_read(fd, answer, 4, 40000), 4);
    cr_assert_str_eq(answer, ":2\r\n");
    close(fd);
}

/* The bytes that it took more than `before`, at most; a sanitizer keeps what was freed. */
static void expect_peak(const struct shared *s, long before, size_t most, const char *what)
{
    long more = proxy_peak(&s->proxy) - before;
    fprintf(stderr, "%s: %ld MB more at most\n", what, more / MB);
    if (!proxy_sanitized())
        cr_expect_leq(more, (long)most, "%s: %ld MB more", what, more / MB);
}

static long settled(const struct shared *s)
{
    long now = proxy_memory(&s->proxy);
    proxy_forget_peak(&s->proxy);
    return now;
}

/* Once, whole: it is sent to the new master if this one goes before a byte of it was written. */
Test(limits, a_large_value_in, .timeout = 120)
{
    struct shared s = shared();
    long before = settled(&s);
    set_large(&s, "");
    expect_peak(&s, before, large() + OUT_MAX, "in");
    cr_expect(proxy_sanitized() || wait_until(5000, proxy_memory(&s.proxy) - before < OUT_MAX),
              "it is kept");
}

static const struct fetch {
    const char *what;
    int port;
    const char *before; /* sent first; ends with an answer of "+PONG" */
    const char *get, *head;
    int values, pause;
} fetches[] = {
    {"from the master", PROXY_MASTER, "PING\r\n", "GET large\r\n", "", 1, 0},
    {"from a replica", PROXY_REPLICA, "PING\r\n", "GET large\r\n", "", 1, 0},
    {"by split", PROXY_SPLIT, "PING\r\n", "GET large\r\n", "", 1, 0},
    {"slowly", PROXY_MASTER, "PING\r\n", "GET large\r\n", "", 1, 3},
    {"slowly from a replica", PROXY_REPLICA, "PING\r\n", "GET large\r\n", "", 1, 3},
    {"twice", PROXY_MASTER, "PING\r\n", "MGET large large\r\n", "*2\r\n", 2, 0},
    {"in a transaction", PROXY_MASTER,
     "MULTI\r\nGET large\r\nGET none\r\nPING\r\nDISCARD\r\nPING\r\n",
     "MULTI\r\nGET large\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*1\r\n", 1, 3},
    {"while tracking", PROXY_MASTER, "HELLO 3\r\nCLIENT TRACKING ON\r\nPING\r\n", "GET large\r\n",
     "", 1, 3},
    {"while subscribed", PROXY_MASTER, "HELLO 3\r\nSUBSCRIBE news\r\nPING\r\n",
     "MGET large large\r\n", "*2\r\n", 2, 3},
};

/* Reads on until the answer to PING has come. */
static void hear_pong(int fd)
{
    char text[4096];
    size_t len = 0;
    while (len < 7 || memcmp(text + len - 7, "+PONG\r\n", 7) != 0) {
        cr_assert(len < sizeof(text) - 1);
        cr_assert_eq(raw_read(fd, text + len, 1, 5000), 1, "after %s", raw_show(text, len));
        len++;
    }
}

static void fetch(const struct shared *s, const struct fetch *f)
{
    int fd = raw_open(s->proxy.host, f->port);
    cr_assert(raw_send_text(fd, f->before));
    hear_pong(fd);
    long before = settled(s);
    cr_assert(raw_send_text(fd, f->get));
    cr_assert(raw_expect(fd, f->head));
    for (int i = 0; i < f->values; i++)
        hear_value(fd, large(), f->pause);
    expect_peak(s, before, OUT_MAX, f->what);
    close(fd);
}

Test(limits, a_large_value_out, .timeout = 200)
{
    struct shared s = shared();
    set_large(&s, "");
    for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++)
        fetch(&s, &fetches[i]);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, ":1", "DEL large");
    redisFree(c);
}

/* ---- many arguments ---- */

/* Puts at most `most` words as arguments; returns how many. */
static int put_words(FILE *out, const char *words, int most)
{
    int count = 0;
    for (; *words && count < most; count++) {
        size_t len = strcspn(words, " ");
        fprintf(out, "$%zu\r\n%.*s\r\n", len, (int)len, words);
        words += len + (words[len] == ' ');
    }
    return count;
}

/* A command with as many arguments as there may be: `fill` is repeated before the last one. The caller
 * frees it. */
static char *filled(const char *begin, const char *fill, const char *last, size_t *len)
{
    char *bytes;
    FILE *out = open_memstream(&bytes, len);
    fprintf(out, "*%d\r\n", ARGUMENTS);
    int count = put_words(out, begin, ARGUMENTS), before_last = ARGUMENTS - 1;
    while (count < before_last)
        count += put_words(out, fill, before_last - count);
    put_words(out, last, 1);
    fclose(out);
    return bytes;
}

/* Those, too, in which the proxy looks for options: none of them takes longer than it has to. One more
 * argument is refused: test_protocol. */
Test(limits, a_million_arguments, .timeout = 200)
{
    struct shared s = shared();
    static const struct {
        const char *begin, *fill, *end;
    } commands[] = {
        {"RPUSH l", "x", "y"},
        {"SUNIONSTORE to", "none", "a"},
        {"MGET a", "none", "a"},
        {"DEL a", "none", "a"},
        {"BLPOP", "none", "0.1"},
        {"XREAD", "COUNT 1", "1"},
        {"XREADGROUP GROUP g c", "COUNT 1", "1"},
        {"HELLO 2", "SETNAME me", "SETNAME"},
        {"CLIENT LIST ID", "4000000", "4000001"},
        {"CLIENT KILL", "ID 4000000", "4000001"},
        {"CLIENT TRACKING ON", "PREFIX p", "p"},
        {"SCRIPT EXISTS", "abc", "abc"},
        {"SUBSCRIBE", "news", "news"},
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        size_t len;
        if (proxy_sanitized() && strcmp(commands[i].begin, "SUBSCRIBE") == 0)
            continue; /* a million answers */
        char *bytes = filled(commands[i].begin, commands[i].fill, commands[i].end, &len);
        int64_t began = now_ms();
        compare_bytes(&s, PROXY_MASTER, bytes, len, false);
        fprintf(stderr, "%s: %ld ms\n", commands[i].begin, (long)(now_ms() - began));
        free(bytes);
    }
    compare_clean(&s);
}

/* ---- half-closed ---- */

static void expect_numbers(int fd, int count)
{
    char wanted[16];
    for (int i = 1; i <= count; i++) {
        snprintf(wanted, sizeof(wanted), ":%d\r\n", i);
        cr_assert(raw_expect(fd, wanted), "answer %d", i);
    }
}

/* A client that has said all closes its side; it gets every answer, in order, and then the end. */
Test(limits, a_client_that_closes_its_side_gets_its_answers, .timeout = 60)
{
    struct shared s = shared();
    char *bytes;
    size_t len;
    FILE *out = open_memstream(&bytes, &len);
    for (int i = 0; i < LONG; i++)
        fputs("*2\r\n$4\r\nINCR\r\n$6\r\nclosed\r\n", out);
    fputs("MULTI\r\nDEL closed\r\nEXEC\r\nINCR closed\r\nGET nothing\r\n", out);
    fclose(out);
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port += PROXY_SPLIT - PROXY_MASTER) {
        compare_clean(&s);
        int fd = raw_open(s.proxy.host, port);
        cr_assert(raw_send(fd, bytes, len));
        cr_assert_eq(shutdown(fd, SHUT_WR), 0);
        expect_numbers(fd, LONG);
        cr_expect(raw_expect(fd, "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n:1\r\n$-1\r\n"), "port %d", port);
        cr_expect(raw_closed(fd, 5000), "port %d", port);
        close(fd);
    }
    free(bytes);
}

/* ---- limits of the node ---- */

static void limit_output(const struct shared *s, const char *limit)
{
    for (int i = 0; i < s->trio.options.nodes; i++) {
        redisContext *node = trio_node(&s->trio, i);
        EXPECT(node, "+OK", "CONFIG SET client-output-buffer-limit %s", limit);
        redisFree(node);
    }
}

static bool ends_instead_of_answering(const char *host, int port)
{
    int fd = raw_open(host, port);
    cr_assert(raw_send_text(fd, "ECHO first\r\n"));
    cr_assert(raw_expect(fd, "$5\r\nfirst\r\n"));
    cr_assert(raw_send_text(fd, "MGET big big big big big big big big\r\n"));
    bool ends = raw_closed(fd, 20000);
    close(fd);
    return ends;
}

/* The node ends the connection instead of answering: as with Redis that is the client's end, and the
 * command is not sent again for ever. */
Test(limits, a_reply_over_the_nodes_own_limit, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    freeReplyObject(redisCommand(c, "SET big %b", pattern(), (size_t)PATTERN));
    cr_assert_eq(atoi(ask(c, "WAIT 2 5000") + 1), 2);
    limit_output(&s, "normal 64kb 0 0");
    /* Valkey 9 counts no bytes that it has not copied. */
    if (ends_instead_of_answering(s.trio.host[trio_master(&s.trio)], TRIO_PORT))
        for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++)
            cr_expect(ends_instead_of_answering(s.proxy.host, port), "port %d", port);
    else
        fprintf(stderr, "skipped: the node itself answers\n");
    limit_output(&s, "normal 0 0 0");
    EXPECT(c, ":1", "DEL big");
    redisFree(c);
}
