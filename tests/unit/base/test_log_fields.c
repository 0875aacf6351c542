/*
 * log_fields: whatever a value holds, it is one value of one field, and what a reader of logfmt makes of it is the
 * value again.
 */
#include "base/log_fields.h"

#include "base/log_line.h"
#include "base/log_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT_FIELDS(wanted, ...)                                                                 \
    do {                                                                                           \
        char got_[LOG_LINE_MAX];                                                                   \
        size_t len_ = log_fields(got_, sizeof(got_), __VA_ARGS__);                                 \
        cr_expect_str_eq(got_, wanted);                                                            \
        cr_expect_eq(len_, strlen(got_));                                                          \
    } while (0)

Test(log_fields, plain_values_stay_as_they_are)
{
    EXPECT_FIELDS("group=mymaster node=127.0.0.1:6379 after_ms=-12 share=0.50 bytes=7",
                  "group=%s node=%s:%u after_ms=%d share=%.2f bytes=%zu", "mymaster", "127.0.0.1",
                  6379u, -12, 0.5, (size_t)7);
}

Test(log_fields, what_needs_quotes_gets_them)
{
    EXPECT_FIELDS("error=\"no route\" next=\"\" path=\"a=b\" last=\"x\\\"y\\\\z\"",
                  "error=%s next=%s path=%s last=%s", "no route", "", "a=b", "x\"y\\z");
}

Test(log_fields, quotes_of_the_format_stay)
{
    EXPECT_FIELDS("of=\"noise\" why=\"a \\\"b\\\" c\"", "of=\"%s\" why=\"%s\"", "noise",
                  "a \"b\" c");
}

Test(log_fields, what_is_quoted_already_stays)
{
    char quoted[64];
    EXPECT_FIELDS("reason=\"it's \\\"so\\\"\" n=1", "reason=%s n=%d",
                  log_quote(quoted, sizeof(quoted), "it's \"so\""), 1);
}

Test(log_fields, a_text_that_looks_like_a_number_is_a_text)
{
    EXPECT_FIELDS("version=\"1.0\" user=\"123\" node=1234abcd count=123",
                  "version=%s user=%s node=%s count=%d", "1.0", "123", "1234abcd", 123);
}

Test(log_fields, a_value_cannot_begin_another_field)
{
    EXPECT_FIELDS("host=\"x level=error msg=\\\"all lost\\\"\" n=1", "host=%s n=%d",
                  "x level=error msg=\"all lost\"", 1);
    EXPECT_FIELDS("host=\"\\\" fake=1 \\\"\" n=1", "host=\"%s\" n=%d", "\" fake=1 \"", 1);
    EXPECT_FIELDS("host=\"\\\"a\\\" b=\\\"c\\\"\" n=1", "host=%s n=%d", "\"a\" b=\"c\"", 1);
}

Test(log_fields, fields_that_were_written_before_are_taken_over)
{
    EXPECT_FIELDS("a=1 b=\"2 3\" c=4", "a=%d %s c=%d", 1, "b=\"2 3\"", 4);
    EXPECT_FIELDS("", "%s", "");
}

Test(log_fields, no_control_and_no_broken_utf8)
{
    EXPECT_FIELDS("v=\"\\u001b[2J\\r\\n\\t\\u007f\\ufffd\"", "v=%s", "\x1b[2J\r\n\t\x7f\xff");
}

Test(log_fields, what_has_no_room_is_cut_inside_of_its_quotes)
{
    char out[40];
    size_t len = log_fields(out, sizeof(out), "a=%d text=%s more=%d", 1,
                            "0123456789012345678901234567890123456789", 2);
    cr_expect_leq(len, sizeof(out) - 1);
    cr_expect_eq(strncmp(out, "a=1 text=\"0123", 14), 0, "%s", out);
    cr_expect_str_eq(out + len - 4, "...\"");
    cr_expect_null(strstr(out, "more"));
}

/* A sanitizer sees a byte too many. */
Test(log_fields, any_size_will_do)
{
    for (size_t size = 0; size < 80; size++) {
        char *out = malloc(size + 1);
        size_t len = log_fields(out, size, "key=%s \"=%d other=\"%s\"", "a \n\x01\"value\"", 12,
                                "\xff\xfe\\\\");
        cr_expect(size == 0 ? len == 0 : len == strlen(out) && len < size, "size %zu: %zu", size,
                  len);
        free(out);
    }
}

/* ---- log_text ---- */

static const char *escaped(const char *text, size_t len)
{
    static char out[256];
    const char *at = text;
    out[log_text_escape(out, sizeof(out) - 1, &at, text + len)] = '\0';
    cr_expect_eq(at, text + len);
    return out;
}

Test(log_text, escapes)
{
    cr_expect_str_eq(escaped("\0\x1b\x7f\n\r\t\"\\", 8), "\\u0000\\u001b\\u007f\\n\\r\\t\\\"\\\\");
    cr_expect_str_eq(escaped("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15),
                     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    cr_expect_str_eq(escaped("\xc2\x9b", 2), "\\u009b"); /* a terminal's command, too */
}

Test(log_text, what_is_no_utf8_is_said_to_be_none)
{
    cr_expect_str_eq(escaped("a\xff", 2), "a\\ufffd");
    cr_expect_str_eq(escaped("\xc3", 1), "\\ufffd");                       /* cut off */
    cr_expect_str_eq(escaped("\xc0\x80", 2), "\\ufffd\\ufffd");            /* too long for 0 */
    cr_expect_str_eq(escaped("\xed\xa0\x80", 3), "\\ufffd\\ufffd\\ufffd"); /* half of a pair */
    cr_expect_str_eq(escaped("\xf4\x90\x80\x80", 4), "\\ufffd\\ufffd\\ufffd\\ufffd");
}

static bool is_number(const char *text)
{
    return log_text_is_number(text, strlen(text));
}

Test(log_text, numbers_are_those_of_json)
{
    static const char *const good[] = {"0", "-0", "12", "-1.50", "1e9", "1E-9", "0.1e+2"};
    static const char *const bad[] = {"", "-", "01", "1.", ".5", "+1", "1e", "0x10", "nan", "1 "};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        cr_expect(is_number(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_expect(!is_number(bad[i]), "%s", bad[i]);
}

static bool is_quoted(const char *text)
{
    return log_text_is_quoted(text, strlen(text));
}

Test(log_text, what_counts_as_quoted)
{
    cr_expect(is_quoted("\"\"") && is_quoted("\"a \\\" \\u12aF\""));
    cr_expect(!is_quoted("\"") && !is_quoted("a") && !is_quoted("\"a"));
    cr_expect(!is_quoted("\"a\"b\"") && !is_quoted("\"\\\"") && !is_quoted("\"\\x41\""));
    cr_expect(!is_quoted("\"\\u12\"") && !is_quoted("\"\n\"") && !is_quoted("\"\xff\""));
}
