/*
 * resp: arguments, numbers and words are read as Redis reads them, and inline
 * commands split as its sdssplitargs splits them (test_resp_live.c asks a live
 * server about the same lines).
 */
#include "redis/resp.h"
#include "unit/inline_lines.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct slice text(const char *word)
{
    return (struct slice){word, strlen(word)};
}

Test(resp_text, integers)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"-1", true, -1},
        {"1234567890", true, 1234567890},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"-0", false, 0},
        {"00", false, 0},
        {"01", false, 0},
        {"-01", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
        {"--1", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 0;
        cr_assert_eq(resp_parse_integer(text(cases[i].text), &value), cases[i].ok, "'%s'",
                     cases[i].text);
        cr_assert(!cases[i].ok || value == cases[i].value, "'%s'", cases[i].text);
    }
}

Test(resp_text, words)
{
    cr_assert(slice_is(text("block"), "block"));
    cr_assert(slice_is(text("BLoCK"), "block"));
    cr_assert_not(slice_is(text("bloc"), "block"));
    cr_assert_not(slice_is(text("blocks"), "block"));
    cr_assert_not(slice_is((struct slice){"block\0", 6}, "block"));
    cr_assert_not(slice_is((struct slice){"bl\0ck", 5}, "bl"));
    cr_assert_not(slice_is(text("@"), "`"));
    cr_assert(slice_is((struct slice){NULL, 0}, ""));
}

Test(resp_text, arguments_are_walked)
{
    const char *request = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n$1\r\nx\r\n+a\r\nb\r\n";
    size_t len = strlen(request);
    static const char *const expected[] = {"SET", "", "$1\r\nx\r\n+a\r\nb"};
    struct resp_args args = resp_args(request, len);
    struct slice arg;
    for (int i = 0; i < 3; i++) {
        cr_assert(resp_args_next(&args, &arg));
        cr_assert_eq(arg.len, strlen(expected[i]));
        cr_assert_eq(memcmp(arg.data, expected[i], arg.len), 0);
        struct slice same = resp_arg(request, len, i);
        cr_assert(same.data == arg.data && same.len == arg.len);
    }
    cr_assert_not(resp_args_next(&args, &arg));
    cr_assert_null(resp_arg(request, len, 3).data);
    cr_assert_null(resp_arg(request, len, -1).data);
}

Test(resp_text, empty_requests_have_no_arguments)
{
    static const char *const requests[] = {"*0\r\n", "*-1\r\n", "*-99\r\n"};
    for (int i = 0; i < 3; i++) {
        struct resp_args args = resp_args(requests[i], strlen(requests[i]));
        struct slice arg;
        cr_assert_not(resp_args_next(&args, &arg));
    }
}

/* What is written can be read again, by the parser and by the walk. */
Test(resp_text, commands_are_appended)
{
    struct buf out = {0};
    buf_append(&out, "+", 1);
    resp_append_command(&out, 2, (struct slice[]){text("GET"), {NULL, 0}});
    cr_assert_eq(buf_len(&out), strlen("+*2\r\n$3\r\nGET\r\n$0\r\n\r\n"));
    cr_assert_eq(memcmp(buf_head(&out), "+*2\r\n$3\r\nGET\r\n$0\r\n\r\n", buf_len(&out)), 0);
    buf_free(&out);

    struct slice argv[1000];
    char *value = calloc(1, 12345);
    for (int i = 0; i < 1000; i++)
        argv[i] = (struct slice){value, (size_t)i * 12};
    resp_append_command(&out, 1000, argv);
    struct resp_request request = {0};
    cr_assert_eq(resp_request_parse(&request, buf_head(&out), buf_len(&out)), RESP_DONE);
    cr_assert_eq(request.pos, buf_len(&out));
    cr_assert_eq(request.argc, 1000);
    cr_assert_eq(resp_arg(buf_head(&out), buf_len(&out), 999).len, 999 * 12);
    free(value);
    buf_free(&out);
}

Test(resp_text, inline_lines_are_split)
{
    for (size_t i = 0; i < sizeof(inline_lines) / sizeof(inline_lines[0]); i++) {
        const struct inline_line *c = &inline_lines[i];
        struct buf out = {0};
        char line[64];
        /* with a line end and without: the same */
        for (int end = 0; end < 3; end++) {
            int len = snprintf(line, sizeof(line), "%s%s", c->line, &"\r\n"[2 - end]);
            cr_assert_eq(resp_inline_to_multibulk(line, (size_t)len, &out), c->argc, "%s", c->line);
            struct resp_request request = {0};
            if (c->argc > 0) {
                cr_assert_eq(resp_request_parse(&request, buf_head(&out), buf_len(&out)),
                             RESP_DONE);
                cr_assert_eq(request.pos, buf_len(&out));
            } else {
                cr_assert_eq(buf_len(&out), 0);
            }
            for (int j = 0; j < c->argc; j++) {
                struct slice arg = resp_arg(buf_head(&out), buf_len(&out), j);
                cr_assert(arg.len == strlen(c->args[j]) &&
                              memcmp(arg.data, c->args[j], arg.len) == 0,
                          "%s: '%.*s'", c->line, (int)arg.len, arg.data);
            }
            buf_free(&out);
        }
    }
}

Test(resp_text, inline_bytes_beyond_ascii_and_nul)
{
    struct buf out = {0};
    static const char line[] = "ECHO \xff\0\x80 \"\\x00\\xFf\\\xff\\\xfe\"";
    cr_assert_eq(resp_inline_to_multibulk(line, sizeof(line) - 1, &out), 3);
    struct slice raw = resp_arg(buf_head(&out), buf_len(&out), 1);
    struct slice quoted = resp_arg(buf_head(&out), buf_len(&out), 2);
    cr_assert(raw.len == 3 && memcmp(raw.data, "\xff\0\x80", 3) == 0);
    cr_assert(quoted.len == 4 && memcmp(quoted.data, "\0\xff\xff\xfe", 4) == 0);
    buf_free(&out);
}
