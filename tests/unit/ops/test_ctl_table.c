/* ctl_table: what people see of an answer; whatever is in it, a terminal is told nothing. */
#include "ops/ctl_table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char *shown(const char *json)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    cJSON *root = cJSON_Parse(json);
    cr_assert_not_null(root, "%s", json);
    ctl_print(out, root);
    fclose(out);
    cJSON_Delete(root);
    return text;
}

static void expect(const char *json, const char *wanted)
{
    char *text = shown(json);
    cr_expect_str_eq(text, wanted);
    free(text);
}

Test(ctl_table, times_and_sizes_are_readable)
{
    static const struct {
        int64_t number;
        const char *time, *size;
    } cases[] = {{0, "0ms", "0 B"},
                 {999, "999ms", "999 B"},
                 {1024, "1.0s", "1.0 KB"},
                 {59999, "59.9s", "59 KB"},
                 {60000, "1m 0s", "59 KB"},
                 {7500000, "2h 5m", "7.2 MB"},
                 {363600000, "4d 5h", "347 MB"}};
    char text[64];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_str_eq(ctl_format_time(text, sizeof(text), cases[i].number), cases[i].time);
        cr_expect_str_eq(ctl_format_size(text, sizeof(text), cases[i].number), cases[i].size);
    }
}

Test(ctl_table, what_stands_alone_is_aligned)
{
    expect(
        "{\"a\":1,\"held_bytes\":2048,\"since_ms\":1500,\"on\":true,\"none\":\"\",\"null\":null}",
        "a      1\nheld   2.0 KB\nsince  1.5s\non     yes\nnone   -\nnull   -\n");
}

Test(ctl_table, lists_are_tables)
{
    expect("{\"n\":2,\"rows\":[{\"name\":\"x\",\"idle_ms\":5,\"yes\":false},"
           "{\"name\":\"longer\",\"idle_ms\":70000,\"yes\":true}]}",
           "n  2\n\n"
           "NAME      IDLE  YES\n"
           "x          5ms  no\n"
           "longer  1m 10s  yes\n");
    expect("{\"rows\":[]}", "no rows\n");
}

/* A client's name, its library's: strangers choose them. */
Test(ctl_table, a_terminal_is_told_nothing)
{
    char *text =
        shown("{\"name\":\"a\\u001b[2Jb\\u0007\\u009b\",\"rows\":[{\"x\\n\":\"\\r\\n\\u00e9\"}]}");
    for (const char *at = text; *at; at++)
        cr_expect((*at >= ' ' && *at <= '~') || *at == '\n', "%d", *at);
    free(text);
}

/* Rows that lack what the first one has, or have something else there. */
Test(ctl_table, odd_rows_harm_nobody)
{
    free(shown("{\"rows\":[{\"a\":1},{},{\"a\":{\"b\":1}},{\"b\":[1,2]},7,\"text\",null]}"));
    free(shown("{\"rows\":[[1,2],[3]],\"more\":[{},{\"a\":1}]}"));
    free(shown("{}"));
}
