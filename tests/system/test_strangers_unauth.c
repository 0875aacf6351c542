/*
 * strangers_unauth: what the proxy keeps for those who have not logged in, and what becomes of who asks for more memory
 * than there is. The bounds leave room for what the kernel and the allocator keep besides.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN "own-secret"

enum { MB = 1024 * 1024, STRANGERS = 4, VALUE = 256 * MB, KEPT_MAX = 16 * MB, ROOM = 160 * MB };

const struct suite suite = {.trio = {.min_replicas = 1, .password = OWN}};

/* Sends up to `len` bytes of a value while somebody takes them. Returns how many went. */
static size_t pour(int fd, size_t len)
{
    static char bytes[MB];
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(fd, bytes, len - sent < MB ? len - sent : MB, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    return sent;
}

static int begin_set(const struct shared *s, const char *before)
{
    char head[80];
    int fd = raw_open(s->proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, before));
    if (*before)
        cr_assert(raw_expect(fd, "+OK\r\n"));
    snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n", (int)VALUE);
    cr_assert(raw_send_text(fd, head));
    return fd;
}

static void expect_serving(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH " OWN);
    EXPECT(c, "+OK", "SET small value");
    redisFree(c);
}

/* Redis takes 16 KB of an argument from one who has to log in. */
Test(strangers_unauth, an_unfinished_request_is_not_kept, .timeout = 120)
{
    struct shared s = shared();
    int fds[STRANGERS];
    size_t sent = 0;

    expect_serving(&s);
    long before = proxy_memory(&s.proxy);
    proxy_forget_peak(&s.proxy);
    for (int i = 0; i < STRANGERS; i++)
        fds[i] = begin_set(&s, "");
    for (int i = 0; i < STRANGERS; i++)
        sent += pour(fds[i], VALUE);
    for (int i = 0; i < STRANGERS; i++) {
        cr_expect(raw_ended(fds[i], 10000), "it is not disconnected");
        close(fds[i]);
    }
    long more = proxy_peak(&s.proxy) - before;
    fprintf(stderr, "%zu KB went, %ld KB more at most\n", sent / 1024, more / 1024);
    cr_expect(proxy_sanitized() || more < KEPT_MAX, "%ld MB more", more / MB);
    expect_serving(&s);
}

/* The error comes to be read, where the client has not sent more than that. */
Test(strangers_unauth, redis_errors_to_the_letter, .timeout = 60)
{
    static const struct {
        const char *sent, *answer;
    } cases[] = {
        {"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16385\r\n",
         "-ERR Protocol error: unauthenticated bulk length\r\n"},
        {"*11\r\n$3\r\nDEL\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"},
    };
    struct shared s = shared();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int node = raw_open(s.trio.host[0], s.trio.port[0]);
        int fd = raw_open(s.proxy.host, PROXY_MASTER);
        cr_assert(raw_send_text(node, cases[i].sent));
        cr_expect(raw_expect(node, cases[i].answer), "Redis itself");
        cr_assert(raw_send_text(fd, cases[i].sent));
        cr_expect(raw_expect(fd, cases[i].answer));
        cr_expect(raw_closed(fd, 5000));
        close(node);
        close(fd);
    }
}

/* One who logs in with the same write, and sends as much as he likes. */
Test(strangers_unauth, a_login_and_a_large_request_in_one_go, .timeout = 60)
{
    enum { LARGE = 4 * MB };
    struct shared s = shared();
    char head[120];
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    snprintf(head, sizeof(head), "AUTH " OWN "\r\n*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n",
             (int)LARGE);
    cr_assert(raw_send_text(fd, head));
    cr_assert_eq(pour(fd, LARGE), LARGE);
    cr_assert(raw_send_text(fd, "\r\nSTRLEN large\r\nDEL large\r\n"));
    snprintf(head, sizeof(head), "+OK\r\n+OK\r\n:%d\r\n:1\r\n", (int)LARGE);
    cr_expect(raw_expect(fd, head));
    close(fd);
}

/* The address space has a limit: who is over it hears so, and the others are served. */
Test(strangers_unauth, memory_that_is_not_there_is_an_error_of_one_client, .timeout = 120)
{
    struct shared s = shared();
    char status[80];
    long pages = 0;
    struct rlimit had, limit;
    if (proxy_sanitized())
        cr_skip_test("the address space is the sanitizer's");
    expect_serving(&s);
    snprintf(status, sizeof(status), "/proc/%d/statm", (int)s.proxy.pid);
    FILE *file = fopen(status, "r");
    cr_assert(file && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    cr_assert_eq(prlimit(s.proxy.pid, RLIMIT_AS, NULL, &had), 0);
    limit = (struct rlimit){(rlim_t)pages * 4096 + ROOM, had.rlim_max};
    cr_assert_eq(prlimit(s.proxy.pid, RLIMIT_AS, &limit, NULL), 0);
    int fd = begin_set(&s, "AUTH " OWN "\r\n");
    (void)pour(fd, VALUE);
    cr_expect(raw_ended(fd, 10000));
    close(fd);
    expect_serving(&s);
    cr_assert_eq(prlimit(s.proxy.pid, RLIMIT_AS, &had, NULL), 0);
    EXPECT_IN_LOG(&s.proxy, "no memory for a client's request");
}
