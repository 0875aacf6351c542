/*
 * operations: what comes with the proxy for Prometheus and Grafana: rules and queries are good, each alert fires when it
 * should and not otherwise (promtool), has its paragraph in docs/operations.md, and nothing names a metric that the
 * running proxy does not have.
 */
#include "harness/process.h"
#include "harness/raw.h"
#include "harness/suite.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.nodes = 2, .sentinels = 1}};

#define ALERTS "conf/alerts.yml"
#define DASHBOARD "conf/grafana-dashboard.json"

/* Runs it in the shell; it has to succeed. */
static void succeeds(const char *command)
{
    struct scratch scratch;
    char whole[600], path[128];
    cr_assert_eq(scratch_open(&scratch), 0);
    snprintf(path, sizeof(path), "%s/said", scratch.dir);
    snprintf(whole, sizeof(whole), "{ %s; } >%s 2>&1", command, path);
    int status = system(whole);
    char *said = file_text(path);
    cr_expect_eq(status, 0, "%s: %s", command, said);
    free(said);
    scratch_close(&scratch);
}

Test(operations, the_rules_are_good)
{
    succeeds("promtool check rules " ALERTS);
}

Test(operations, each_alert_fires_on_what_is_bad_and_not_on_what_is_good)
{
    succeeds("promtool test rules tests/alerts/alerts_test.yml");
}

/* ---- the alerts and their paragraphs ---- */

static void each_alert(const char *text, void (*check)(const char *name, void *data), void *data)
{
    char name[100];
    int count = 0;
    for (const char *at = text; (at = strstr(at, "- alert: ")); count++) {
        at += strlen("- alert: ");
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "\n"), at);
        check(name, data);
    }
    cr_expect_geq(count, 10);
}

static void is_told(const char *name, void *data)
{
    char head[120], link[160], low[100] = "";
    for (size_t i = 0; name[i]; i++)
        low[i] = (char)tolower((unsigned char)name[i]);
    snprintf(head, sizeof(head), "\n### %s\n", name);
    char *text = file_text("docs/operations.md"), *at = strstr(text, head);
    cr_expect(at && strcspn(at + strlen(head), "#") > 150, "docs/operations.md tells nothing of %s",
              name);
    free(text);
    snprintf(link, sizeof(link), "runbook: docs/operations.md#%s\n", low);
    cr_expect(strstr(data, link), "%s has no %s", name, link);
}

static void is_tried(const char *name, void *data)
{
    char bad[120], good[120];
    (void)data;
    snprintf(bad, sizeof(bad), "- name: %s, bad\n", name);
    snprintf(good, sizeof(good), "- name: %s, good\n", name);
    char *text = file_text("tests/alerts/alerts_test.yml");
    cr_expect(strstr(text, bad) && strstr(text, good), "%s is not tried", name);
    free(text);
}

Test(operations, each_alert_has_its_paragraph_and_its_test)
{
    char *text = file_text(ALERTS);
    each_alert(text, is_told, text);
    each_alert(text, is_tried, text);
    free(text);
}

/* ---- names ---- */

/* Whether the answer has this family; of a histogram it may be one of its lines. */
static bool has_family(const char *answer, const char *name, size_t len)
{
    static const char *const ends[] = {"", "_bucket", "_sum", "_count"};
    char line[160];
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t tail = strlen(ends[i]);
        if (len <= tail || strncmp(name + len - tail, ends[i], tail) != 0)
            continue;
        snprintf(line, sizeof(line), "\n# TYPE %.*s%s", (int)(len - tail), name,
                 tail ? " histogram\n" : " ");
        if (strstr(answer, line))
            return true;
    }
    return false;
}

static int check_names(const char *answer, const char *text, const char *prefix)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, prefix)); at += strlen(prefix)) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_'))
            continue;
        cr_expect(has_family(answer, at, len), "the proxy has no %.*s", (int)len, at);
        count++;
    }
    return count;
}

Test(operations, every_metric_that_is_named_is_there)
{
    struct shared s = shared();
    static const char *const files[] = {ALERTS, DASHBOARD, "docs/operations.md", "docs/limits.md",
                                        "docs/tls.md"};
    char *answer = http_get_whole(s.proxy.host, PROXY_HTTP, "/metrics", "");
    cr_assert_not_null(answer);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *text = file_text(files[i]);
        int count =
            check_names(answer, text, "redisproxy_") + check_names(answer, text, "process_");
        cr_expect_gt(count, 2, "%s: %d names", files[i], count);
        free(text);
    }
    free(answer);
}

/* ---- the dashboard's queries ---- */

/* With something for Grafana's variables. */
static void put_query(FILE *out, const char *expr)
{
    fputs("      - record: a:query\n        expr: '", out);
    while (*expr) {
        if (strncmp(expr, "$__rate_interval", 16) == 0) {
            fputs("5m", out);
            expr += 16;
        } else if (*expr == '$') {
            fputs(".*", out);
            expr += 1 + strspn(expr + 1, "abcdefghijklmnopqrstuvwxyz_");
        } else {
            cr_assert_neq(*expr, '\'');
            fputc(*expr++, out);
        }
    }
    fputs("'\n", out);
}

static int put_queries(FILE *out, const cJSON *node)
{
    int count = 0;
    const cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        if (cJSON_IsString(child) && child->string && strcmp(child->string, "expr") == 0) {
            put_query(out, child->valuestring);
            count++;
        }
        count += put_queries(out, child);
    }
    return count;
}

Test(operations, the_dashboards_queries_are_good)
{
    struct scratch scratch;
    char path[128], command[200];
    char *text = file_text(DASHBOARD);
    cJSON *dashboard = cJSON_Parse(text);
    cr_assert_not_null(dashboard, DASHBOARD " is no JSON");
    cr_assert_eq(scratch_open(&scratch), 0);
    snprintf(path, sizeof(path), "%s/rules.yml", scratch.dir);
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    fputs("groups:\n  - name: dashboard\n    rules:\n", out);
    cr_expect_gt(put_queries(out, dashboard), 40);
    fclose(out);
    snprintf(command, sizeof(command), "promtool check rules --lint=none %s", path);
    succeeds(command);
    scratch_close(&scratch);
    cJSON_Delete(dashboard);
    free(text);
}
