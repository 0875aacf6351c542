/*
 * page: what / and /status tell, and the stream of what changes: every field is in docs/status.md, and the other way round; no
 * password is in any of it; a switchover is told at once; streams have a bound. tests/page/ has it in a browser.
 */
#include "harness/client.h"
#include "harness/process.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "harness/wait.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OWN "own-Wn7rT2vQ9xKd"
#define ALICES "alice-Hb4mYc6Rz1Ns"
#define WRONG "wrong-Vd3kFg8Pu5Xe"

enum { STREAMS = 3, ANSWER_MS = 5000, TOLD_MS = 1000, SWITCH_MS = 20000, PAGE_MAX = 60 * 1024 };

const struct suite suite = {.trio = {.min_replicas = 1,
                                     .fast = true,
                                     .password = OWN,
                                     .node_lines = "user alice on >" ALICES " ~* &* +@all\n"},
                            .proxy = {.proxy_lines = "page_streams = 3\n"}};

/* ---- /status ---- */

static char *get(const struct proxy *p, const char *path)
{
    char *answer = http_get_whole(p->host, PROXY_HTTP, path, "");
    cr_assert(answer && strncmp(answer, "HTTP/1.", 7) == 0, "%s: %s", path,
              answer ? answer : "no answer");
    return answer;
}

static int status_of(const struct proxy *p, const char *path)
{
    char body[256];
    return http_get(p->host, PROXY_HTTP, path, body, sizeof(body));
}

static cJSON *status(const struct proxy *p)
{
    char *answer = get(p, "/status");
    cr_expect(strstr(answer, "\r\nContent-Type: application/json\r\n"));
    cJSON *json = cJSON_Parse(strstr(answer, "\r\n\r\n"));
    cr_assert(cJSON_IsObject(json), "%s", answer);
    free(answer);
    return json;
}

static const cJSON *at(const cJSON *object, const char *name)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
    cr_assert(found != NULL, "there is no %s", name);
    return found;
}

static const char *text_at(const cJSON *object, const char *name)
{
    const char *found = cJSON_GetStringValue(at(object, name));
    cr_assert(found != NULL, "%s is no text", name);
    return found;
}

static double number_at(const cJSON *object, const char *name)
{
    cr_assert(cJSON_IsNumber(at(object, name)), "%s is no number", name);
    return at(object, name)->valuedouble;
}

static const cJSON *group_of(const cJSON *json)
{
    return cJSON_GetArrayItem(at(json, "groups"), 0);
}

/* Milliseconds since 1970 of a time as /status tells it. */
static int64_t time_of(const char *ts)
{
    struct tm utc = {0};
    const char *rest = strptime(ts, "%Y-%m-%dT%H:%M:%S", &utc);
    cr_assert(rest && *rest == '.', "%s", ts);
    return (int64_t)timegm(&utc) * 1000 + atoi(rest + 1);
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- fields ---- */

/* Their paths, as docs/status.md writes them. */
struct paths {
    char text[200][80];
    int count;
};

static bool has_path(const struct paths *paths, const char *path)
{
    for (int i = 0; i < paths->count; i++)
        if (strcmp(paths->text[i], path) == 0)
            return true;
    return false;
}

static void add_path(struct paths *paths, const char *path)
{
    if (has_path(paths, path))
        return;
    cr_assert_lt(paths->count, 200);
    snprintf(paths->text[paths->count++], sizeof(paths->text[0]), "%s", path);
}

/* A line's fields are whatever the line has. */
static bool is_open(const char *path)
{
    return strcmp(path, "log[].fields") == 0;
}

static void collect(struct paths *paths, const cJSON *json, const char *path)
{
    const cJSON *child;
    char next[80];
    if (*path && !cJSON_IsObject(json))
        add_path(paths, path);
    if (is_open(path)) {
        add_path(paths, path);
        return;
    }
    cJSON_ArrayForEach(child, json)
    {
        if (cJSON_IsArray(json))
            snprintf(next, sizeof(next), "%s", path);
        else
            snprintf(next, sizeof(next), "%s%s%s%s", path, *path ? "." : "", child->string,
                     cJSON_IsArray(child) ? "[]" : "");
        collect(paths, child, next);
    }
}

/* The rows of the table of fields: "| `a`, `b` | ... |". */
static void read_documented(struct paths *paths)
{
    char *text = file_text("docs/status.md"), *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *end = strstr(line, " | "), *from = line;
        if (strncmp(line, "| `", 3) != 0 || !end)
            continue;
        *end = '\0';
        while ((from = strchr(from, '`')) != NULL) {
            char *to = strchr(from + 1, '`');
            cr_assert(to != NULL, "%s", line);
            *to = '\0';
            add_path(paths, from + 1);
            from = to + 1;
        }
    }
    free(text);
    cr_assert_gt(paths->count, 50, "docs/status.md has no table of fields");
}

/* ---- streams ---- */

struct stream {
    int fd;
    char *bytes; /* that are not taken yet */
    size_t len, size;
    int updates; /* events of that name that were taken */
};

/* What has come, or comes within `ms`. */
static void stream_read(struct stream *s, int ms)
{
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};
    cr_assert_lt(s->len, s->size - 1);
    if (poll(&fd, 1, ms) <= 0)
        return;
    ssize_t n = recv(s->fd, s->bytes + s->len, s->size - 1 - s->len, 0);
    s->len += n > 0 ? (size_t)n : 0;
    s->bytes[s->len] = '\0';
}

/* Returns the status. */
static int stream_open(struct stream *s, const struct proxy *p)
{
    int answer = 0;
    *s = (struct stream){.fd = raw_open_plain(p->host, PROXY_HTTP), .size = (size_t)1 << 20};
    s->bytes = calloc(1, s->size);
    cr_assert(s->fd >= 0 && s->bytes);
    cr_assert(raw_send_text(s->fd, "GET /events HTTP/1.0\r\nHost: a\r\n\r\n"));
    cr_assert(wait_until(ANSWER_MS, (stream_read(s, 100), strstr(s->bytes, "\r\n\r\n"))));
    sscanf(s->bytes, "HTTP/1.%*d %d", &answer);
    return answer;
}

static void stream_close(struct stream *s)
{
    close(s->fd);
    free(s->bytes);
}

/* Where the next event ends; NULL: not all of it is there. */
static char *event_end(struct stream *s)
{
    char *data = strstr(s->bytes, "\ndata: ");
    return data ? strstr(data, "\n\n") : NULL;
}

/* The next event, whose name is this (NULL: whatever; who is slow to acknowledge one gets everything anew); to be deleted.
 * Fails the test when there is none within `ms`. */
static cJSON *stream_next(struct stream *s, const char *name, int ms)
{
    char *end;
    cr_assert(wait_until(ms, (end = event_end(s)) || (stream_read(s, 100), false)), "no event");
    *end = '\0';
    cr_expect(!name || strstr(s->bytes, text("\nevent: %s\n", name)), "%.80s", s->bytes);
    s->updates += strstr(s->bytes, "\nevent: update\n") != NULL;
    cJSON *json = cJSON_Parse(strstr(s->bytes, "\ndata: ") + 7);
    cr_assert(json != NULL);
    cr_expect_eq(number_at(json, "version"), 1);
    s->len -= (size_t)(end + 2 - s->bytes);
    memmove(s->bytes, end + 2, s->len + 1);
    return json;
}

/* A phase may be over before it is told. */
static bool is_brief(const char *path)
{
    return strncmp(path, "groups[].switching.phases_ms.", 29) == 0;
}

/* ---- tests ---- */

Test(page, status_tells_the_group)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH alice " ALICES);
    for (int i = 0; i < 20; i++)
        EXPECT(c, "+OK", "SET told %d", i);
    cJSON *json = status(&s.proxy);
    const cJSON *proxy = at(json, "proxy"), *group = group_of(json), *node;
    cr_expect_eq(number_at(json, "version"), 1);
    cr_expect_str_eq(text_at(proxy, "status"), "ready");
    cr_expect_eq(number_at(proxy, "pid"), s.proxy.pid);
    cr_expect_geq(number_at(proxy, "sessions"), 1);
    cr_expect_lt(llabs(time_of(text_at(proxy, "now")) - wall_ms()), ANSWER_MS);
    cr_expect_str_eq(text_at(group, "group"), TRIO_GROUP);
    cr_expect_str_eq(text_at(group, "master"),
                     text("%s:%d", s.trio.host[trio_named(&s.trio)], TRIO_PORT));
    cr_expect_eq(number_at(group, "votes"), 3);
    cr_expect_eq(cJSON_GetArraySize(at(json, "nodes")), 3);
    cr_expect_eq(cJSON_GetArraySize(at(json, "sentinels")), 3);
    cr_expect_eq(cJSON_GetArraySize(at(json, "listeners")), 3);
    double sent = 0;
    cJSON_ArrayForEach(node, at(json, "nodes"))
    {
        sent += number_at(node, "sent_bytes_total");
        cr_expect_eq(strcmp(text_at(node, "role"), "master") == 0,
                     strcmp(text_at(node, "node"), text_at(group, "master")) == 0);
    }
    cr_expect_gt(sent, 20 * strlen("SET told 1"), "bytes to nodes are not counted");
    redisFree(c);
    cJSON_Delete(json);
}

/* The samples see the requests, at the latest a second or two afterwards. */
static double answered(const struct proxy *p)
{
    double sum = 0;
    const cJSON *sample;
    cJSON *json = status(p);
    cJSON_ArrayForEach(sample, at(json, "samples"))
    {
        sum += number_at(sample, "requests_per_s");
    }
    cJSON_Delete(json);
    return sum;
}

Test(page, samples_see_the_requests)
{
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH alice " ALICES);
    double before = answered(&s.proxy);
    for (int i = 0; i < 500; i++)
        EXPECT(c, "+OK", "SET sampled %d", i);
    /* A sample's time is not exactly a second. */
    cr_expect(wait_until(ANSWER_MS, answered(&s.proxy) - before > 400));
    redisFree(c);
}

static void expect_no_secret(const char *where, const char *text_)
{
    const char *const secrets[] = {OWN, ALICES, WRONG};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
        cr_expect(!strstr(text_, secrets[i]), "%s has %s", where, secrets[i]);
}

Test(page, no_secret_is_told)
{
    struct shared s = shared();
    struct stream stream;
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-WRONGPASS", "AUTH alice " WRONG);
    EXPECT(c, "+OK", "AUTH alice " ALICES);
    EXPECT(c, "+OK", "SET secret 1");
    EXPECT_PREFIX(c, "-", "SET " WRONG);
    const char *const paths[] = {"/", "/status"};
    for (size_t i = 0; i < 2; i++) {
        char *answer = get(&s.proxy, paths[i]);
        cr_expect(strstr(answer, "master elected"), "%s has no log", paths[i]);
        expect_no_secret(paths[i], answer);
        free(answer);
    }
    cr_assert_eq(stream_open(&stream, &s.proxy), 200);
    char *told = cJSON_Print(stream_next(&stream, "status", ANSWER_MS));
    expect_no_secret("/events", told);
    free(told);
    stream_close(&stream);
    redisFree(c);
}

Test(page, headers_and_size)
{
    struct shared s = shared();
    char *page = get(&s.proxy, "/");
    const char *const wanted[] = {
        "HTTP/1.1 200",
        "\r\nContent-Type: text/html; charset=utf-8\r\n",
        "\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-",
        "connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nReferrer-Policy: no-referrer\r\n",
        "\r\nCache-Control: no-store\r\n"};
    for (size_t i = 1; i < sizeof(wanted) / sizeof(*wanted); i++)
        cr_expect(strstr(page, wanted[i]), "%s is missing", wanted[i]);
    cr_expect(!strstr(page, "unsafe-inline"));
    cr_expect_lt(strlen(strstr(page, "\r\n\r\n")), PAGE_MAX);
    cr_expect(strstr(page, text("<th scope=\"row\">%s:%d</th>", s.trio.host[0], TRIO_PORT)),
              "its tables are not filled in");
    cr_expect(!strstr(page, "src=\"page.js\"") && strstr(page, "new EventSource"));
    free(page);
    for (const char *const *path = (const char *const[]){"/status", "/healthz", "/no", NULL}; *path;
         path++) {
        char *answer = get(&s.proxy, *path);
        cr_expect(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"), "%s", *path);
        cr_expect(strstr(answer, "\r\nContent-Security-Policy: default-src 'none'; frame-"));
        free(answer);
    }
    cr_expect_eq(status_of(&s.proxy, "/status/"), 404);
    cr_expect_eq(status_of(&s.proxy, "/../status"), 404);
    cr_expect_eq(status_of(&s.proxy, "/status?x=%00<script>&x="), 200);
}

/* Only GET and HEAD are answered, and of a stream there is no head without it. */
Test(page, methods)
{
    struct shared s = shared();
    const char *const asked[][2] = {{"POST /status", "405"},
                                    {"PUT /", "405"},
                                    {"HEAD /events", "405"},
                                    {"HEAD /", "200"},
                                    {"HEAD /status", "200"}};
    for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
        char got[4096];
        int fd = raw_open_plain(s.proxy.host, PROXY_HTTP);
        raw_send_text(fd, text("%s HTTP/1.0\r\nHost: a\r\n\r\n", asked[i][0]));
        raw_read(fd, got, sizeof(got) - 1, ANSWER_MS);
        cr_expect(strstr(got, text(" %s ", asked[i][1])), "%s: %.60s", asked[i][0], got);
        close(fd);
    }
}

Test(page, a_switchover_is_told_at_once_and_every_field_is_documented)
{
    struct shared s = shared();
    struct stream stream;
    struct paths told = {0}, documented = {0};
    int64_t late = -1;
    bool ended = false;
    cr_assert_eq(stream_open(&stream, &s.proxy), 200);
    cJSON *first = stream_next(&stream, "status", ANSWER_MS);
    char *old = strdup(text_at(group_of(first), "master"));
    collect(&told, first, "");
    cJSON_Delete(first);
    cr_assert_eq(trio_failover(&s.trio), 0);
    int64_t until = now_ms() + SWITCH_MS;
    while (!ended && now_ms() < until) {
        cJSON *json = stream_next(&stream, NULL, ANSWER_MS);
        const cJSON *going = at(group_of(json), "switching");
        if (late < 0 && cJSON_IsObject(going)) {
            late = wall_ms() - time_of(text_at(going, "ts"));
            cr_expect_str_eq(text_at(going, "from"), old);
        }
        collect(&told, json, "");
        ended = cJSON_GetArraySize(at(json, "switchovers")) == 1;
        cJSON_Delete(json);
    }
    cr_assert(ended, "its end is not told");
    cr_expect_gt(stream.updates, 0);
    cr_expect(late >= 0 && late < TOLD_MS, "it is told %lld ms after its beginning",
              (long long)late);
    cJSON *last = status(&s.proxy);
    const cJSON *one = cJSON_GetArrayItem(at(last, "switchovers"), 0);
    cr_expect_str_eq(text_at(one, "from"), old);
    cr_expect_str_eq(text_at(one, "to"), text_at(group_of(last), "master"));
    cr_expect_str_eq(text_at(one, "result"), "new");
    collect(&told, last, "");
    cJSON_Delete(last);
    read_documented(&documented);
    for (int i = 0; i < told.count; i++)
        cr_expect(has_path(&documented, told.text[i]), "docs/status.md does not have %s",
                  told.text[i]);
    for (int i = 0; i < documented.count; i++)
        cr_expect(has_path(&told, documented.text[i]) || is_brief(documented.text[i]),
                  "nothing has %s", documented.text[i]);
    stream_close(&stream);
    free(old);
}

Test(page, streams_have_a_bound)
{
    struct shared s = shared();
    struct stream streams[STREAMS], more;
    for (int i = 0; i < STREAMS; i++) {
        /* Those of the tests before are noticed to be gone. */
        cr_assert(wait_until(ANSWER_MS, stream_open(&streams[i], &s.proxy) == 200 ||
                                            (stream_close(&streams[i]), false)));
        cJSON_Delete(stream_next(&streams[i], "status", ANSWER_MS));
    }
    cr_expect_eq(stream_open(&more, &s.proxy), 503);
    cr_expect(strstr(more.bytes, "\r\nRetry-After: 10\r\n"), "%s", more.bytes);
    stream_close(&more);
    cr_expect_eq(status_of(&s.proxy, "/status"), 200);
    cr_expect_eq(status_of(&s.proxy, "/healthz"), 200);
    stream_close(&streams[0]);
    cr_expect(
        wait_until(ANSWER_MS, stream_open(&more, &s.proxy) == 200 || (stream_close(&more), false)),
        "the place of one that has gone is not free");
    stream_close(&more);
    for (int i = 1; i < STREAMS; i++) {
        cJSON_Delete(stream_next(&streams[i], NULL, ANSWER_MS));
        stream_close(&streams[i]);
    }
}

/* The file that the proxy reads: beside its log. */
static const char *config_of(const struct proxy *p)
{
    return text("%.*s.conf", (int)strlen(p->log) - 4, p->log);
}

/* The line that ends like this ends like that. Returns the whole text as it was, to be freed. */
static char *rewrite(const struct proxy *p, const char *old, const char *line)
{
    char *before = file_text(config_of(p)), *at = strstr(before, old);
    cr_assert(at != NULL, "%s", before);
    const char *after = text("%.*s%s%s", (int)(at - before), before, line, strchr(at, '\n'));
    cr_assert_eq(file_write(config_of(p), after), 0);
    return before;
}

/* A reload that takes the page away ends its streams; and brings it back. */
Test(page, it_can_be_off)
{
    struct shared s = shared();
    struct stream stream;
    cr_assert(wait_until(ANSWER_MS,
                         stream_open(&stream, &s.proxy) == 200 || (stream_close(&stream), false)));
    cJSON_Delete(stream_next(&stream, "status", ANSWER_MS));
    char *before = rewrite(&s.proxy, "page_streams = 3\n", "page = no");
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_expect(raw_ended(stream.fd, ANSWER_MS), "the stream goes on");
    for (const char *const *path = (const char *const[]){"/", "/status", "/events", NULL}; *path;
         path++)
        cr_expect_eq(status_of(&s.proxy, *path), 404, "%s", *path);
    cr_expect_eq(status_of(&s.proxy, "/healthz"), 200);
    cr_assert_eq(file_write(config_of(&s.proxy), before), 0);
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_expect_eq(status_of(&s.proxy, "/"), 200);
    stream_close(&stream);
    free(before);
}

/* A web server that ends, here since its address is another one, does not wait for who watches. */
Test(page, streams_end_with_the_web_server)
{
    struct shared s = shared();
    struct stream stream;
    cr_assert(wait_until(ANSWER_MS,
                         stream_open(&stream, &s.proxy) == 200 || (stream_close(&stream), false)));
    cJSON_Delete(stream_next(&stream, "status", ANSWER_MS));
    char *before = rewrite(&s.proxy, text(":%d\n", PROXY_HTTP), ":8899");
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_expect(raw_ended(stream.fd, ANSWER_MS), "the stream goes on");
    cr_expect_eq(status_of(&s.proxy, "/"), 0);
    stream_close(&stream);
    cr_assert_eq(file_write(config_of(&s.proxy), before), 0);
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_expect_eq(status_of(&s.proxy, "/"), 200);
    free(before);
}
