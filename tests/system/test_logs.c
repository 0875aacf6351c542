/*
 * logs: what an operator reads. Each line of the log is a JSON object where that is asked for, through a whole switchover;
 * that ends with one line, which says what it cost, and which is on disk as well; slow requests are told with where
 * their time went, and nothing of what they carry; and the system's log gets it all, or stderr while there is none.
 */
#include "harness/client.h"
#include "harness/load.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, SWITCH_MS = 20000 };

const struct suite suite = {.without_proxy = true, .trio = {.min_replicas = 1, .fast = true}};

static struct trio trio;
static struct proxy proxy;

static void start(const char *proxy_lines)
{
    cr_assert(trio_attach(&trio) == 0);
    cr_assert(proxy_start(&proxy, &trio, &(struct proxy_options){.proxy_lines = proxy_lines}) == 0);
    cr_assert(proxy_wait_serving(&proxy, &trio) == 0);
}

static void path_of(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", trio.scratch.dir, name);
}

/* ---- lines ---- */

/* Calls `take` with each line of a file, parsed, and fails where one is no JSON object. Returns how many there are. */
static int each_object(const char *path, void (*take)(void *arg, const cJSON *json), void *arg)
{
    char *text = file_text(path), *rest = text, *line;
    int lines = 0;
    while ((line = strsep(&rest, "\n"))) {
        if (!*line && !rest)
            break; /* behind the last line end */
        cJSON *json = cJSON_ParseWithOpts(line, NULL, true);
        cr_assert(cJSON_IsObject(json), "no JSON object: %s", line);
        lines++;
        if (take)
            take(arg, json);
        cJSON_Delete(json);
    }
    free(text);
    return lines;
}

static const char *text_in(const cJSON *json, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(json, key));
    return text ? text : "";
}

static long number_in(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(json, key);
    cr_assert(cJSON_IsNumber(item), "%s is no number", key);
    return (long)cJSON_GetNumberValue(item);
}

static bool log_has(const char *what)
{
    char *text = file_text(proxy.log);
    bool has = strstr(text, what) != NULL;
    free(text);
    return has;
}

/* The last line of the log with `what` in it, to be freed; NULL: there is none. */
static char *log_line(const char *what)
{
    char *text = file_text(proxy.log), *rest = text, *line, *found = NULL;
    while ((line = strsep(&rest, "\n"))) {
        if (!strstr(line, what))
            continue;
        free(found);
        found = strdup(line);
    }
    free(text);
    return found;
}

/* Of a line in logfmt; -1: there is no such field. */
static long field(const char *line, const char *key)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), " %s=", key);
    const char *at = strstr(line, wanted);
    return at ? atol(at + strlen(wanted)) : -1;
}

/* ---- a switchover ---- */

struct seen {
    int summaries, starts, slow, slow_held;
    long strange;
};

static void check_summary(const cJSON *json)
{
    long sum = number_in(json, "candidate_ms") + number_in(json, "promotion_ms") +
               number_in(json, "majority_ms") + number_in(json, "release_ms");
    cr_expect_eq(sum, number_in(json, "held_ms"));
    cr_expect(sum > 0 && sum < SWITCH_MS, "%ld ms", sum);
    cr_expect_gt(number_in(json, "promotion_ms") + number_in(json, "candidate_ms"), 0);
    cr_expect_str_eq(text_in(json, "result"), "new");
    cr_expect_str_eq(text_in(json, "group"), TRIO_GROUP);
    cr_expect_str_neq(text_in(json, "from"), text_in(json, "to"));
    cr_expect_gt(number_in(json, "held"), 0);
    cr_expect_eq(number_in(json, "unknown"), 0);
    cr_expect_eq(number_in(json, "refused"), 0);
    cr_expect_geq(number_in(json, "retried"), 0);
}

static void look_at(void *arg, const cJSON *json)
{
    struct seen *seen = arg;
    const char *msg = text_in(json, "msg");
    cr_expect(*msg && *text_in(json, "ts") && *text_in(json, "level"));
    seen->starts += strcmp(msg, "redisproxy starts") == 0;
    if (strstr(msg, "are no switchovers"))
        seen->strange = number_in(json, "lines");
    if (strcmp(msg, "a request was slow") == 0) {
        seen->slow++;
        seen->slow_held += number_in(json, "held_ms") > 0;
        cr_expect_eq(number_in(json, "queued_ms") + number_in(json, "held_ms") +
                         number_in(json, "node_ms") + number_in(json, "reply_ms"),
                     number_in(json, "ms"));
    }
    if (strcmp(msg, "switchover ended") == 0) {
        seen->summaries++;
        check_summary(json);
    }
}

static void switch_over_under_load(void)
{
    const struct load_options options = {
        .host = proxy.host, .name = "logs", .write_port = PROXY_MASTER, .writers = 4};
    struct load *load = load_start(&options);
    cr_assert(trio_failover(&trio) == 0);
    cr_expect(wait_until(SWITCH_MS, log_has("switchover ended")));
    load_finish(load);
    load_free(load);
    cr_assert(trio_wait_whole(&trio) == 0);
}

/* What is on disk says the same as the line. */
static void check_history(const char *line, const cJSON *json)
{
    const cJSON *phases = cJSON_GetObjectItem(json, "phases_ms"),
                *requests = cJSON_GetObjectItem(json, "requests");
    cJSON *told = cJSON_Parse(line);
    cr_expect_str_eq(text_in(json, "from"), text_in(told, "from"));
    cr_expect_str_eq(text_in(json, "to"), text_in(told, "to"));
    cr_expect_eq(number_in(json, "held_ms"), number_in(told, "held_ms"));
    cr_expect_eq(number_in(phases, "promotion"), number_in(told, "promotion_ms"));
    cr_expect_eq(number_in(requests, "held"), number_in(told, "held"));
    cJSON_Delete(told);
}

/* Whatever has got into the file before: five lines, of which the last one has no end. */
static void spoil(const char *history)
{
    FILE *file = fopen(history, "w");
    cr_assert_not_null(file);
    fputs("no JSON at all\n{}\n[[[[[[\n{\"ts\":\"2026\",\"group\":7}\n\xff\xfe cut short", file);
    fclose(file);
}

/* The switchover stands behind all that, on a line of its own. */
static void check_file(const char *history, const char *line)
{
    char *text = file_text(history), *end = strstr(text, "cut short\n");
    cr_assert_not_null(end, "%s", text);
    cJSON *json = cJSON_Parse(strchr(end, '\n') + 1);
    cr_assert_not_null(json, "%s", text);
    check_history(line, json);
    cJSON_Delete(json);
    free(text);
}

/* What "ctl history" shows. */
static cJSON *history(void)
{
    static char out[256 * 1024];
    cr_assert_eq(proxy_ctl(&proxy, out, sizeof(out), "history --json"), 0, "%s", out);
    cJSON *json = cJSON_Parse(out), *result = cJSON_GetObjectItem(json, "result");
    cJSON *list = cJSON_DetachItemFromObject(result, "switchovers");
    cr_assert(cJSON_IsArray(list), "%s", out);
    cJSON_Delete(json);
    return list;
}

/* A new process has read the file: the switchover of the one before it is there. */
static void comes_back(const char *lines, const char *line)
{
    start(lines);
    cJSON *list = history(), *told = cJSON_Parse(line);
    cr_expect_eq(cJSON_GetArraySize(list), 1);
    cr_expect_eq(number_in(cJSON_GetArrayItem(list, 0), "held_ms"), number_in(told, "held_ms"));
    cr_expect_str_eq(text_in(cJSON_GetArrayItem(list, 0), "to"), text_in(told, "to"));
    cJSON_Delete(list);
    cJSON_Delete(told);
    cr_expect(proxy_stop(&proxy) == 0);
}

/* Of 130 switchovers the last hundred; how long each took is its number. */
static void the_last_hundred_come_back(const char *path, const char *lines)
{
    enum { ALL = 130, KEPT = 100 };
    FILE *file = fopen(path, "w");
    for (int i = 0; i < ALL; i++)
        fprintf(file,
                "{\"ts\":\"2026-01-02T03:04:05.000Z\",\"group\":\"mymaster\",\"result\":\"new\","
                "\"from\":\"10.0.0.1:6379\",\"to\":\"10.0.0.2:6379\",\"reason\":\"x\","
                "\"epoch\":1,\"provisional\":false,\"held_ms\":%d,\"phases_ms\":{\"candidate\":%d,"
                "\"promotion\":0,\"majority\":0,\"release\":0},\"requests\":{\"held\":1,"
                "\"retried\":0,\"unknown\":0,\"refused\":0}}\n",
                i, i);
    fclose(file);
    start(lines);
    cJSON *list = history();
    long least = ALL, sum = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, list)
    {
        long number = number_in(one, "held_ms");
        least = number < least ? number : least;
        sum += number;
    }
    cr_expect_eq(cJSON_GetArraySize(list), KEPT);
    cr_expect_eq(least, ALL - KEPT);
    cr_expect_eq(sum, KEPT * (ALL - KEPT + ALL - 1) / 2);
    cJSON_Delete(list);
    cr_expect(proxy_stop(&proxy) == 0);
}

Test(logs, a_switchover_in_json_with_its_summary_and_its_history, .timeout = 120)
{
    char path[128], lines[400];
    struct seen seen = {0};
    cr_assert(trio_attach(&trio) == 0);
    path_of(path, "history.json");
    spoil(path);
    snprintf(lines, sizeof(lines),
             "log = debug\nlog_format = json\nslowlog_threshold = 2ms\nhistory_file = %s\n", path);
    start(lines);
    switch_over_under_load();
    char *line = log_line("switchover ended");
    cr_expect(proxy_stop(&proxy) == 0);
    cr_expect_gt(each_object(proxy.log, look_at, &seen), 10);
    cr_expect_eq(seen.summaries, 1);
    cr_expect_eq(seen.starts, 1);
    cr_expect_eq(seen.strange, 5);
    cr_expect_gt(seen.slow_held, 0, "none of %d slow requests was held", seen.slow);
    check_file(path, line);
    comes_back(lines, line);
    the_last_hundred_come_back(path, lines);
    free(line);
}

Test(logs, without_its_file_everything_goes_on, .timeout = 60)
{
    start("history_file = /dev/null\n");
    cr_expect(log_has("the history's file cannot be used"));
    cr_expect(proxy_stop(&proxy) == 0);
}

/* ---- slow requests ---- */

#define LONG_KEY "k234567890123456789012345678901234567890123456789012345678901234-and-more"

/* All that a client sends to the node waits for so long. */
static void pause_master(int ms)
{
    redisContext *master = trio_node(&trio, trio_master(&trio));
    EXPECT(master, "+OK", "CLIENT PAUSE %d ALL", ms);
    redisFree(master);
}

static void expect_slow(const char *what, const char *phase, long least_ms)
{
    cr_assert(wait_until(ANSWER_MS, log_has(what)), "no line with %s", what);
    char *line = log_line(what);
    cr_expect(strstr(line, "msg=\"a request was slow\""), "%s", line);
    cr_expect_geq(field(line, phase), least_ms, "%s", line);
    cr_expect_eq(field(line, "queued_ms") + field(line, "held_ms") + field(line, "node_ms") +
                     field(line, "reply_ms"),
                 field(line, "ms"), "%s", line);
    cr_expect_eq(field(line, "held_ms"), 0, "%s", line);
    free(line);
}

Test(logs, slow_requests_tell_their_phases_and_no_values, .timeout = 60)
{
    enum { PAUSE = 400, LEAST = 250 };
    start("slowlog_threshold = 200ms\n");
    redisContext *writer = proxy_client(&proxy, PROXY_MASTER);
    redisContext *stranger = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(writer, "+OK", "SET " LONG_KEY " fast");
    pause_master(PAUSE);
    say(writer, "SET " LONG_KEY " top-secret-value");
    say(writer, "ACL SETUSER guest >top-secret-password");
    say_now(writer);
    say(stranger, "AUTH top-secret-user top-secret-password");
    say_now(stranger);
    HEAR(writer, "+OK");
    HEAR(writer, "+OK");
    (void)hear(stranger);
    expect_slow("command=set key=\"k23456789012345678901234567890123456789012345678901234567890123"
                "4...\"",
                "node_ms", LEAST);
    /* It needs a connection of its own, and so waited for the one before it. */
    expect_slow("command=acl|setuser key=\"\"", "queued_ms", LEAST);
    EXPECT(writer, ":1", "ACL DELUSER guest");
    EXPECT(writer, "(nil)", "BLPOP nothing 0.3");
    redisFree(writer);
    redisFree(stranger);
    cr_expect(proxy_stop(&proxy) == 0);
    cr_expect(!log_has("top-secret"));
    cr_expect(!log_has("fast"));
    cr_expect(!log_has("command=blpop"));
}

/* ---- the system's log ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unlink(path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

/* The next datagram with `what`, of those that come. */
static const char *hear_line(int fd, const char *what)
{
    static char line[8192];
    ssize_t n;
    while ((n = recv(fd, line, sizeof(line) - 1, 0)) >= 0) {
        line[n] = '\0';
        if (strstr(line, what))
            return line;
    }
    cr_assert_fail("no line with %s comes", what);
    return NULL;
}

/* Is worth a line. */
static void speak_http(void)
{
    int fd = raw_open(proxy.host, PROXY_MASTER);
    raw_send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(raw_ended(fd, ANSWER_MS));
    close(fd);
}

#define HTTP_LINE "an HTTP request on a Redis port was cut off"

Test(logs, the_systems_log_gets_each_line_or_stderr_does, .timeout = 60)
{
    char path[128], lines[300];
    cr_assert(trio_attach(&trio) == 0);
    path_of(path, "log.socket");
    snprintf(
        lines, sizeof(lines),
        "log_target = syslog\nlog_format = json\nsyslog_socket = %s\nsyslog_facility = local0\n",
        path);
    int fd = listen_at(path);
    start(lines);
    const char *line = hear_line(fd, "redisproxy starts");
    cr_expect_eq(strncmp(line, "<134>", 5), 0, "%s", line); /* local0.info */
    cJSON *json = cJSON_ParseWithOpts(strchr(line, '{'), NULL, true);
    cr_expect_str_eq(text_in(json, "msg"), "redisproxy starts");
    cJSON_Delete(json);
    speak_http();
    line = hear_line(fd, HTTP_LINE);
    cr_expect_eq(strncmp(line, "<132>", 5), 0, "%s", line); /* local0.warning */
    cr_expect(!log_has(HTTP_LINE));
    /* It goes, and comes again. */
    close(fd);
    unlink(path);
    speak_http();
    cr_expect(wait_until(ANSWER_MS, log_has(HTTP_LINE)));
    cr_expect(log_has("the system's log cannot be reached"));
    fd = listen_at(path);
    speak_http();
    (void)hear_line(fd, HTTP_LINE);
    cr_expect(proxy_stop(&proxy) == 0);
    (void)hear_line(fd, "redisproxy stopped");
    close(fd);
}
