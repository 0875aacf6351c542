/*
 * strangers_http: connections to the web server that send their request slowly, never, or read no answer, do not keep
 * a probe from being answered: kubelet waits for a second, and kills then.
 */
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOW_MAX = 500, PROBES = 10, PROBE_MS = 1000, DEADLINE_MS = 10000, CUT_MS = 20000 };

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

/* A byte now and then does not put the deadline off. */
Test(strangers_http, drops_have_a_deadline, .timeout = 120)
{
    struct shared s = shared();
    int64_t before = now_ms();
    open_slow(&s.proxy, 0, "GET /healthz HTTP/1.1\r\nX: ");
    cr_expect(wait_until(CUT_MS, (pause_ms(100), raw_send_text(slow[0], "x"), is_cut(slow[0]))),
              "it is not cut");
    cr_expect_geq(now_ms() - before, DEADLINE_MS - 100);
    close(slow[0]);
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
