/*
 * metrics_list: the list keeps Prometheus' rules, and docs/metrics.md has what it has.
 */
#include "ops/metrics_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *document(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen("docs/metrics.md", "r");
    cr_assert_not_null(file, "docs/metrics.md: tests are run in the folder of the Makefile");
    cr_assert_gt(getdelim(&text, &size, '\0', file), 0);
    fclose(file);
    return text;
}

Test(metrics_list, the_document_has_every_family)
{
    char *text = document();
    for (int id = 0; id < METRIC_COUNT; id++) {
        char row[200], help[400];
        snprintf(row, sizeof(row), "\n| `%s` | %s | ", metrics_name((enum metric)id),
                 metrics_type((enum metric)id));
        snprintf(help, sizeof(help), " | %s |\n", metrics_help((enum metric)id));
        const char *at = strstr(text, row);
        cr_expect(at && strstr(at, help) && strstr(at, help) < strchr(at + 1, '\n'),
                  "docs/metrics.md has no row%s... %s", row, help);
    }
    free(text);
}

static bool is_a_family(const char *name, size_t len)
{
    for (int id = 0; id < METRIC_COUNT; id++)
        if (strlen(metrics_name((enum metric)id)) == len &&
            strncmp(metrics_name((enum metric)id), name, len) == 0)
            return true;
    return false;
}

Test(metrics_list, the_document_has_no_other_one)
{
    char *text = document();
    for (const char *at = text; (at = strstr(at, "\n| `"));) {
        at += strlen("\n| `");
        size_t len = strcspn(at, "`");
        bool named = strncmp(at, "redisproxy_", 11) == 0 || strncmp(at, "process_", 8) == 0;
        cr_expect(!named || is_a_family(at, len), "docs/metrics.md has %.*s", (int)len, at);
    }
    free(text);
}

static bool ends(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);
    return len > tail && strcmp(name + len - tail, end) == 0;
}

Test(metrics_list, names_are_as_prometheus_asks)
{
    for (int id = 0; id < METRIC_COUNT; id++) {
        const char *name = metrics_name((enum metric)id), *type = metrics_type((enum metric)id);
        cr_expect_eq(ends(name, "_total"), strcmp(type, "counter") == 0, "%s", name);
        for (int other = 0; other < id; other++)
            cr_expect_str_neq(name, metrics_name((enum metric)other));
        cr_expect(ends(metrics_help((enum metric)id), "."), "%s", name);
    }
}
