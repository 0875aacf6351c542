/*
 * strangers_http: connections to the web server that send their request slowly, never, or read no answer, do not keep
 * a probe from being answered: kubelet waits for a second, and kills then.
 */
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SLOW_MAX = 500,
    PROBES = 10,
    PROBE_MS = 1000,
    DEADLINE_MS = 10000,
    CUT_MS = 20000,
    PAGE_STREAMS = 16
};

const struct suite suite = {.trio = {.nodes = 2, .sentinels = 1}};

static int slow[SLOW_MAX];

static void expect_probe(const struct proxy *p, const char *while_)
{
    /* A sanitizer costs time. */
    int64_t limit = proxy_sanitized() ? 3 * PROBE_MS : PROBE_MS, before = now_ms();
    char body[4096];
    int status = http_get(p->host, PROXY_HTTP, "/healthz", body, sizeof(body));
    int64_t ms = now_ms() - before;
    cr_assert_eq(status, 200, "%s: %d after %lld ms", while_, status, (long long)ms);
    cr_assert_leq(ms, limit, "%s: after %lld ms", while_, (long long)ms);
}

static void open_slow(const struct proxy *p, int i, const char *text)
{
    slow[i] = raw_open(p->host, PROXY_HTTP);
    cr_assert_geq(slow[i], 0);
    if (text)
        raw_send_text(slow[i], text);
}

static bool is_cut(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void close_slow(int number)
{
    for (int i = 0; i < number; i++)
        close(slow[i]);
}

static void check_slow(int number, const char *text)
{
    struct shared s = shared();
    char what[64];
    snprintf(what, sizeof(what), "%d slow ones", number);
    for (int i = 0; i < number; i++)
        open_slow(&s.proxy, i, text);
    /* Those that are cut come again, at once. */
    for (int k = 0; k < PROBES; k++) {
        expect_probe(&s.proxy, what);
        for (int i = 0; i < number; i++) {
            if (!is_cut(slow[i]))
                continue;
            close(slow[i]);
            open_slow(&s.proxy, i, text);
        }
    }
    close_slow(number);
}

Test(strangers_http, slow_requests_64, .timeout = 120)
{
    check_slow(64, "GET /metrics HTTP/1.1\r\nHost: slo");
}

Test(strangers_http, slow_requests_500, .timeout = 120)
{
    check_slow(SLOW_MAX, "GET /metrics HTTP/1.1\r\nHost: slo");
}

Test(strangers_http, silent_ones_500, .timeout = 120)
{
    check_slow(SLOW_MAX, NULL);
}

Test(strangers_http, slow_uploads_500, .timeout = 120)
{
    check_slow(SLOW_MAX,
               "POST /metrics HTTP/1.1\r\nHost: slow\r\nContent-Length: 1000000\r\n\r\nslow");
}

/* Whole requests, and nobody reads the answers. */
Test(strangers_http, unread_answers, .timeout = 120)
{
    struct shared s = shared();
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: slow\r\n\r\n";
    static char requests[1000 * (sizeof(request) - 1)];
    for (size_t at = 0; at < sizeof(requests); at += sizeof(request) - 1)
        memcpy(requests + at, request, sizeof(request) - 1);
    for (int i = 0; i < 128; i++) {
        open_slow(&s.proxy, i, NULL);
        for (int k = 0; k < 100; k++)
            (void)!send(slow[i], requests, sizeof(requests), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    for (int k = 0; k < PROBES; k++)
        expect_probe(&s.proxy, "128 that read no answer");
    close_slow(128);
}

/* A stream whose reader has room for an event or two, and reads nothing. */
static int open_unread_stream(const struct proxy *p)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PROXY_HTTP)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), little = 1;
    inet_pton(AF_INET, p->host, &to.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    raw_send_text(fd, "GET /events HTTP/1.1\r\nHost: slow\r\n\r\n");
    return fd;
}

/* The web server has ended it: its end may not have come yet, behind what nobody reads. */
static bool has_streams(const struct proxy *p, int count)
{
    char command[200];
    snprintf(command, sizeof(command),
             "test $(ss -Htn state established src %s sport = :%d | wc -l) -gt %d", p->host,
             PROXY_HTTP, count);
    return system(command) == 0;
}

/* A byte now and then does not put the deadline off; and events that are not read have one, too. As many as there may be at
 * once do not keep a probe waiting. */
Test(strangers_http, drops_have_a_deadline, .timeout = 120)
{
    struct shared s = shared();
    int streams[PAGE_STREAMS];
    for (int i = 0; i < PAGE_STREAMS; i++)
        streams[i] = open_unread_stream(&s.proxy);
    int64_t before = now_ms();
    open_slow(&s.proxy, 0, "GET /healthz HTTP/1.1\r\nX: ");
    expect_probe(&s.proxy, "streams that are not read");
    cr_expect(has_streams(&s.proxy, PAGE_STREAMS), "the streams do not stand");
    cr_expect(wait_until(CUT_MS, (pause_ms(100), raw_send_text(slow[0], "x"), is_cut(slow[0]))),
              "it is not cut");
    cr_expect_geq(now_ms() - before, DEADLINE_MS - 100);
    close(slow[0]);
    cr_expect(wait_until(CUT_MS, !has_streams(&s.proxy, 0)), "streams that are not read go on");
    expect_probe(&s.proxy, "after them");
    for (int i = 0; i < PAGE_STREAMS; i++)
        close(streams[i]);
}

/* What is not slow may stay. */
Test(strangers_http, one_connection_asks_twice)
{
    struct shared s = shared();
    int fd = raw_open(s.proxy.host, PROXY_HTTP);
    for (int i = 0; i < 2; i++) {
        raw_send_text(fd, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
        cr_expect(raw_expect(fd, "HTTP/1.1 404 Not Found\r\n"));
        char rest[1024];
        size_t len = 0;
        rest[0] = 0;
        while (len < sizeof(rest) - 1 && !strstr(rest, "/metrics\n")) {
            cr_assert_eq(raw_read(fd, rest + len, 1, 5000), 1);
            rest[++len] = '\0';
        }
    }
    close(fd);
}
