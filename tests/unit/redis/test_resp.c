/*
 * resp: requests and replies end where they should, wherever they are cut.
 *
 * Every fixture is fed whole, cut at every byte, byte by byte, and (short ones)
 * cut at every two bytes. Each piece of a request comes in memory of its own,
 * of exactly its size, whose bytes before the current line are overwritten: so
 * reading too far, keeping a pointer, or looking back shows.
 */
#include "redis/resp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) (literal), sizeof(literal) - 1

/* ---- requests ---- */

struct request_case {
    const char *input;
    size_t len;
    const char *error;
    size_t length; /* of the request */
    int argc;
    const char *name, *sub;
};

#define REQUEST(input, ...)                                                                        \
    {                                                                                              \
        TEXT(input), NULL, sizeof(input) - 1, __VA_ARGS__                                          \
    }
#define MALFORMED(input, text)                                                                     \
    {                                                                                              \
        TEXT(input), text, 0, 0, NULL, NULL                                                        \
    }

static const struct request_case requests[] = {
    REQUEST("*1\r\n$4\r\nPING\r\n", 1, "PING", ""),
    REQUEST("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 2, "GET", "k"),
    REQUEST("*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$1\r\n*\r\n", 3, "CONFIG", "GET"),
    REQUEST("*2\r\n$0\r\n\r\n$0\r\n\r\n", 2, "", ""),
    REQUEST("*2\r\n$4\r\nECHO\r\n$12\r\n\r\n$1\r\n*2\r\nxy\r\n", 2, "ECHO", "\r\n$1\r\n*2\r\nxy"),
    REQUEST("*0\r\n", 0, "", ""),
    REQUEST("*-1\r\n", 0, "", ""),
    REQUEST("*-9223372036854775808\r\n", 0, "", ""),
    REQUEST("*11\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n"
            "$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n",
            11, "a", "b"),
    /* nobody looks at these line ends, here or in Redis */
    REQUEST("*1\rx$4\rxPINGxx", 1, "PING", ""),
    /* inline */
    REQUEST("PING\r\n", 1, "", ""),
    REQUEST("PING\n", 1, "", ""),
    REQUEST("\r\n", 0, "", ""),
    REQUEST("\n", 0, "", ""),
    REQUEST(" \t\v\f \r\n", 0, "", ""),
    REQUEST("set k \"v w\"\r\n", 1, "", ""),
    REQUEST("$3\r\n", 1, "", ""),
    /* counts */
    MALFORMED("*\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*x\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*01\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*+1\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*-0\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("* 1\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*1 \r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*1048577\r\n", "Protocol error: invalid multibulk length"),
    MALFORMED("*9223372036854775808\r\n", "Protocol error: invalid multibulk length"),
    /* lengths */
    MALFORMED("*1\r\n$\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*1\r\n$x\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*1\r\n$01\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*1\r\n$1x\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*1\r\n$9999999999\r\n", "Protocol error: invalid bulk length"),
    MALFORMED("*2\r\n$3\r\nGET\r\n$-5\r\n", "Protocol error: invalid bulk length"),
    /* no bulk */
    MALFORMED("*1\r\nfoo\r\n", "Protocol error: expected '$', got 'f'"),
    MALFORMED("*1\r\n\r\n", "Protocol error: expected '$', got ' '"),
    MALFORMED("*1\r\n\nx\r\n", "Protocol error: expected '$', got ' '"),
    MALFORMED("*2\r\n$3\r\nGET\r\n*1\r\n", "Protocol error: expected '$', got '*'"),
};

/* Feeds the bytes up to each of the given ends, ascending, the last of which is their number. */
static enum resp_result feed_request(struct resp_request *request, const char *input,
                                     const size_t *ends, size_t count)
{
    enum resp_result result = RESP_MORE;
    for (size_t i = 0; i < count && result == RESP_MORE; i++) {
        char *piece = malloc(ends[i] ? ends[i] : 1);
        if (ends[i] > 0)
            memcpy(piece, input, ends[i]);
        memset(piece, 'X', request->line_at);
        result = resp_request_parse(request, piece, ends[i]);
        free(piece);
        if (result == RESP_MORE) {
            cr_assert_leq(request->pos, ends[i]);
            cr_assert_geq(resp_request_missing(request, ends[i]), 1);
        }
    }
    return result;
}

static void expect_place(const struct request_case *c, uint32_t at, uint32_t len, const char *text)
{
    cr_assert_eq(len, strlen(text), "%s", c->input);
    cr_assert_eq(memcmp(c->input + at, text, len), 0, "%s", c->input);
}

static void expect_request(const struct request_case *c, const size_t *ends, size_t count)
{
    struct resp_request request = {0};
    enum resp_result result = feed_request(&request, c->input, ends, count);
    if (c->error) {
        cr_assert_eq(result, RESP_ERROR, "%s", c->input);
        cr_assert_str_eq(request.error, c->error);
        return;
    }
    cr_assert_eq(result, RESP_DONE, "%s", c->input);
    cr_assert_eq(request.pos, c->length, "%s: %zu", c->input, request.pos);
    cr_assert_eq(request.argc, c->argc, "%s: %d", c->input, request.argc);
    cr_assert_eq(request.is_inline, c->input[0] != '*');
    expect_place(c, request.name_at, request.name_len, c->name);
    expect_place(c, request.sub_at, request.sub_len, c->sub);
}

/* What was passed over may be dropped after any byte: the end is found where it is. */
Test(resp, the_end_of_a_request_whose_bytes_are_dropped)
{
    static const char input[] =
        "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n$3\r\nab\r\n*1\r\n\r\n$0\r\n\r\n";
    const size_t whole = sizeof(input) - 1;
    for (size_t step = 1; step <= whole; step++) {
        struct resp_request request = {0};
        size_t from = 0, to = 0;
        while (to < whole) {
            to = to + step < whole ? to + step : whole;
            enum resp_result result = resp_request_parse(&request, input + from, to - from);
            cr_assert_eq(result, to == whole ? RESP_DONE : RESP_MORE, "step %zu at %zu", step, to);
            if (result == RESP_MORE)
                from += resp_request_forget(&request, to - from);
            cr_assert(result == RESP_DONE || to - from <= 5, "only a line is kept");
        }
        cr_assert_eq(from + request.pos, whole);
    }
}

Test(resp, requests_cut_anywhere)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct request_case *c = &requests[i];
        size_t each[256];
        for (size_t at = 0; at <= c->len; at++)
            each[at] = at;
        expect_request(c, each, c->len + 1);
        for (size_t first = 0; first <= c->len; first++)
            for (size_t second = first; second <= c->len; second++)
                expect_request(c, (size_t[]){first, second, c->len}, 3);
    }
}

Test(resp, what_follows_a_request_is_not_touched)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct request_case c = requests[i];
        struct buf more = {0};
        buf_append(&more, c.input, c.len);
        buf_append(&more, TEXT("*1\r\n$4\r\nQUIT\r\nPING\r\n"));
        c.input = buf_head(&more);
        c.len = buf_len(&more);
        expect_request(&c, &c.len, 1);
        buf_free(&more);
    }
}

Test(resp, a_partial_request_asks_for_more)
{
    struct resp_request request = {0};
    const char *input = "*2\r\n$3\r\nGET\r\n$100\r\nabc";
    for (size_t len = 0; len <= strlen(input); len++)
        cr_assert_eq(resp_request_parse(&request, input, len), RESP_MORE);
    cr_assert_eq(resp_request_missing(&request, strlen(input)), 99);
}

/* `before`, and a line behind it that begins with `start` and has `len` bytes. */
static struct buf long_line(const char *before, const char *start, size_t len)
{
    struct buf input = {0};
    buf_append(&input, before, strlen(before));
    buf_append(&input, start, strlen(start));
    for (size_t at = strlen(start); at < len; at++)
        buf_append(&input, "1", 1);
    return input;
}

/* As long as it may be: the end of the line is found. */
static void expect_not_too_big(const char *before, const char *start, const char *end,
                               const char *error)
{
    struct buf input = long_line(before, start, RESP_INLINE_MAX);
    struct resp_request request = {0};
    cr_assert_eq(resp_request_parse(&request, buf_head(&input), buf_len(&input)), RESP_MORE);
    buf_append(&input, end, strlen(end));
    enum resp_result result = resp_request_parse(&request, buf_head(&input), buf_len(&input));
    cr_assert_neq(result, RESP_MORE);
    cr_assert(result == RESP_DONE || strcmp(request.error, error) != 0);
    buf_free(&input);
}

/* A byte more, and it is given up: at that byte and not before, in one piece or in many. */
static void expect_too_big(const char *before, const char *start, const char *error)
{
    struct buf input = long_line(before, start, RESP_INLINE_MAX + 1);
    size_t len = buf_len(&input);
    for (size_t step = 1; step <= len; step += RESP_INLINE_MAX / 3) {
        struct resp_request request = {0};
        for (size_t part = 0; part < len; part += step)
            cr_assert_eq(resp_request_parse(&request, buf_head(&input), part), RESP_MORE);
        cr_assert_eq(resp_request_parse(&request, buf_head(&input), len - 1), RESP_MORE);
        cr_assert_eq(resp_request_parse(&request, buf_head(&input), len), RESP_ERROR);
        cr_assert_str_eq(request.error, error);
    }
    buf_free(&input);
}

static void expect_limit(const char *before, const char *start, const char *end, const char *error)
{
    expect_not_too_big(before, start, end, error);
    expect_too_big(before, start, error);
}

Test(resp, lines_are_limited)
{
    expect_limit("", "PING", "\n", "Protocol error: too big inline request");
    expect_limit("", "*", "\r\n", "Protocol error: too big mbulk count string");
    expect_limit("*1\r\n", "$", "\r\n", "Protocol error: too big bulk count string");
    expect_limit("*2\r\n$1\r\nx\r\n", "y", "\r\n", "Protocol error: too big bulk count string");
}

Test(resp, the_largest_bulk_and_count_are_accepted)
{
    struct resp_request request = {0};
    const char *input = "*1048576\r\n$536870912\r\n";
    cr_assert_eq(resp_request_parse(&request, input, strlen(input)), RESP_MORE);
    cr_assert_eq(request.argc, RESP_ARGS_MAX);
    cr_assert_eq(resp_request_missing(&request, strlen(input)), RESP_BULK_MAX + 2);
}

/* ---- replies ---- */

struct reply_case {
    const char *input;
    size_t len;
    char type; /* 0: not RESP */
};

static const struct reply_case replies[] = {
    {TEXT("+OK\r\n"), '+'},
    {TEXT("+\r\n"), '+'},
    {TEXT("+a\rb\r\r\n"), '+'},
    {TEXT("-ERR no\r\n"), '-'},
    {TEXT(":-12\r\n"), ':'},
    {TEXT("$0\r\n\r\n"), '$'},
    {TEXT("$-1\r\n"), '$'},
    {TEXT("$12\r\nabc\r\n:1\r\nxyz\r\n"), '$'},
    {TEXT("*0\r\n"), '*'},
    {TEXT("*-1\r\n"), '*'},
    {TEXT("*3\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n$-1\r\n"), '*'},
    {TEXT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), '*'},
    {TEXT("_\r\n"), '_'},
    {TEXT(",3.14\r\n"), ','},
    {TEXT(",inf\r\n"), ','},
    {TEXT("#t\r\n"), '#'},
    {TEXT("!5\r\nERR x\r\n"), '!'},
    {TEXT("=8\r\ntxt:some\r\n"), '='},
    {TEXT("(3492890328409238509324850943850943825024385\r\n"), '('},
    {TEXT("%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n:2\r\n"), '%'},
    {TEXT("%0\r\n"), '%'},
    {TEXT("~2\r\n+a\r\n+b\r\n"), '~'},
    {TEXT(">2\r\n+message\r\n$1\r\nx\r\n"), '>'},
    {TEXT("|1\r\n+ttl\r\n:10\r\n$1\r\nx\r\n"), '$'},
    {TEXT("|0\r\n+OK\r\n"), '+'},
    {TEXT("|1\r\n*1\r\n+a\r\n%1\r\n+b\r\n+c\r\n|1\r\n+d\r\n+e\r\n:1\r\n"), ':'},
    {TEXT("*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n"), '*'},
    {TEXT("|1\r\n|1\r\n+a\r\n+b\r\n+c\r\n+d\r\n#f\r\n"), '#'},
    {TEXT("?\r\n"), 0},
    {TEXT("\r\n"), 0},
    {TEXT("OK\r\n"), 0},
    {TEXT("$\r\n"), 0},
    {TEXT("$x\r\n"), 0},
    {TEXT("$1x\r\n"), 0},
    {TEXT("$1\r2"), 0},
    {TEXT("$01\r\n"), 0},
    {TEXT("$-0\r\n"), 0},
    {TEXT("$--1\r\n"), 0},
    {TEXT("$1-\r\n"), 0},
    {TEXT("$-2\r\n"), 0},
    {TEXT("$?\r\n"), 0},
    {TEXT("*?\r\n"), 0},
    {TEXT("%-1\r\n"), 0},
    {TEXT("!-1\r\n"), 0},
    {TEXT("$1234567890123456789\r\n"), 0},
    {TEXT("*1\r\nx\r\n"), 0},
    /* more values than can be counted: 10^18 - 1 pairs, ten times, in each other */
    {TEXT("%999999999999999999\r\n%999999999999999999\r\n%999999999999999999\r\n"
          "%999999999999999999\r\n%999999999999999999\r\n%999999999999999999\r\n"
          "%999999999999999999\r\n%999999999999999999\r\n%999999999999999999\r\n"
          "%999999999999999999\r\n"),
     0},
};

/* Feeds the bytes in pieces that end at the given places. Returns how many were used. */
static size_t feed_reply(struct resp_reply *reply, const char *input, const size_t *ends,
                         size_t count, enum resp_result *result)
{
    size_t at = 0;
    *result = RESP_MORE;
    for (size_t i = 0; i < count && *result == RESP_MORE; i++) {
        size_t len = ends[i] - at, used;
        char *piece = malloc(len ? len : 1);
        if (len > 0)
            memcpy(piece, input + at, len);
        *result = resp_reply_parse(reply, piece, len, &used);
        free(piece);
        cr_assert_leq(used, len);
        cr_assert(*result != RESP_MORE || used == len);
        at += used;
    }
    return at;
}

static void expect_reply(const struct reply_case *c, const size_t *ends, size_t count)
{
    struct resp_reply reply = {0};
    enum resp_result result;
    size_t used = feed_reply(&reply, c->input, ends, count, &result);
    if (c->type == 0) {
        cr_assert_eq(result, RESP_ERROR, "%s", c->input);
        return;
    }
    cr_assert_eq(result, RESP_DONE, "%s", c->input);
    cr_assert_eq(used, c->len, "%s", c->input);
    cr_assert_eq(reply.total, c->len, "%s", c->input);
    cr_assert_eq(reply.type, c->type, "%s: %c", c->input, reply.type);
}

Test(resp, replies_cut_anywhere)
{
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        const struct reply_case *c = &replies[i];
        size_t each[512];
        for (size_t at = 0; at <= c->len; at++)
            each[at] = at;
        expect_reply(c, each, c->len + 1);
        for (size_t first = 0; first <= c->len; first++)
            for (size_t second = first; second <= c->len; second += c->len > 80 ? 7 : 1)
                expect_reply(c, (size_t[]){first, second, c->len}, 3);
    }
}

Test(resp, what_follows_a_reply_is_not_used)
{
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        const struct reply_case *c = &replies[i];
        struct buf more = {0};
        buf_append(&more, c->input, c->len);
        buf_append(&more, TEXT("\r\n+OK"));
        struct resp_reply reply = {0};
        size_t used;
        enum resp_result result = resp_reply_parse(&reply, buf_head(&more), buf_len(&more), &used);
        cr_assert_eq(result, c->type ? RESP_DONE : RESP_ERROR, "%s", c->input);
        cr_assert(!c->type || used == c->len, "%s", c->input);
        buf_free(&more);
    }
}

Test(resp, the_type_is_unknown_while_attributes_last)
{
    struct resp_reply reply = {0};
    size_t used;
    cr_assert_eq(resp_reply_parse(&reply, TEXT("|1\r\n+a\r\n*1\r\n:1\r\n"), &used), RESP_MORE);
    cr_assert_eq(reply.type, 0);
    cr_assert_eq(resp_reply_parse(&reply, TEXT("%"), &used), RESP_MORE);
    cr_assert_eq(reply.type, '%');
}

Test(resp, depth_costs_nothing)
{
    struct resp_reply reply = {0};
    size_t used;
    for (int i = 0; i < 1000000; i++)
        cr_assert_eq(resp_reply_parse(&reply, TEXT("*2\r\n:1\r\n"), &used), RESP_MORE);
    cr_assert_eq(resp_reply_parse(&reply, TEXT(":1\r\n"), &used), RESP_DONE);
    cr_assert_eq(reply.total, 8000004);
}

Test(resp, a_payload_beyond_4_gb_is_counted)
{
    struct resp_reply reply = {0};
    static const char piece[1 << 20];
    size_t used;
    cr_assert_eq(resp_reply_parse(&reply, TEXT("$5368709120\r\n"), &used), RESP_MORE);
    for (int i = 0; i < 5 * 1024; i++)
        cr_assert_eq(resp_reply_parse(&reply, piece, sizeof(piece), &used), RESP_MORE);
    cr_assert_eq(resp_reply_parse(&reply, TEXT("\r\n"), &used), RESP_DONE);
}

/* Redis looks for the end of a line with strchr(), and waits for more. tests/fuzz/fuzz_inline.c compares it. */
Test(resp, a_line_with_nul_never_ends)
{
    static const char *const lines[] = {"\0\r\nSET x 1\r\n", "a\0\r\nSET x 1\r\n",
                                        "*\0\r\n$4\r\nPING\r\n", "*1\r\n\0x\r\n",
                                        "*1\r\n$\0\r\nPING\r\n"};
    static const size_t lens[] = {12, 13, 14, 9, 14};
    char *many = calloc(1, RESP_INLINE_MAX + 20);
    struct resp_request request = {0};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(&request, 0, sizeof(request));
        for (size_t len = 1; len <= lens[i]; len++)
            cr_assert_eq(resp_request_parse(&request, lines[i], len), RESP_MORE);
        memset(&request, 0, sizeof(request));
        cr_assert_eq(resp_request_parse(&request, lines[i], lens[i]), RESP_MORE);
    }
    memset(&request, 0, sizeof(request));
    memcpy(many, "\0\r\nSET x 1\r\n", 12);
    cr_assert_eq(resp_request_parse(&request, many, RESP_INLINE_MAX), RESP_MORE);
    cr_assert_eq(resp_request_parse(&request, many, RESP_INLINE_MAX + 1), RESP_ERROR);
    cr_assert_str_eq(request.error, "Protocol error: too big inline request");
    free(many);
}

/* It is not kept, but who keeps it would have no end of it. */
Test(resp, a_line_without_an_end_is_no_reply)
{
    static char text[65536];
    struct resp_reply reply = {0};
    size_t used, sent = 0;
    enum resp_result result = resp_reply_parse(&reply, TEXT("*2\r\n+a\r\n-"), &used);
    memset(text, 'x', sizeof(text));
    while (result == RESP_MORE && sent < 2 * RESP_LINE_MAX) {
        result = resp_reply_parse(&reply, text, sizeof(text), &used);
        sent += sizeof(text);
    }
    cr_assert_eq(result, RESP_ERROR, "after %zu bytes", sent);
    cr_assert_gt(sent, RESP_LINE_MAX);
}

Test(resp, many_lines_have_no_bound_together)
{
    static char line[40000];
    struct resp_reply reply = {0};
    size_t used;
    memset(line, 'x', sizeof(line));
    line[0] = '+';
    line[sizeof(line) - 2] = '\r';
    line[sizeof(line) - 1] = '\n';
    cr_assert_eq(resp_reply_parse(&reply, TEXT("*100\r\n"), &used), RESP_MORE);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(resp_reply_parse(&reply, line, 30000, &used), RESP_MORE);
        cr_assert_eq(resp_reply_parse(&reply, line + 30000, sizeof(line) - 30000, &used),
                     i == 99 ? RESP_DONE : RESP_MORE);
    }
}

Test(resp, a_length_of_26_digits_is_no_reply)
{
    static const char *const begins[] = {"$", "*", "%", "=", "*1\r\n$", "|"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        struct resp_reply reply = {0};
        char text[60];
        size_t used;
        snprintf(text, sizeof(text), "%s99999999999999999999999999\r\n", begins[i]);
        cr_assert_eq(resp_reply_parse(&reply, text, strlen(text), &used), RESP_ERROR, "%s", text);
    }
}
