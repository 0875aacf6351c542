/*
 * strangers_turns: what one client queued is not worked off in one turn of its worker's loop, nor by walking over all of
 * it for each request. Meanwhile somebody else comes and says QUIT, or PING, again and again: how long does that take?
 *
 * The bounds are a tenth of what it took before, or less, and many times what it takes.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct suite suite = {.alone = true};

static struct trio trio;
static struct proxy proxy;

static void start(const struct trio_options *options, const struct proxy_options *lines)
{
    cr_assert(trio_start(&trio, options) == 0);
    cr_assert(proxy_start(&proxy, &trio, lines) == 0);
}

static void stop(void)
{
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}

/* ---- many who send much ---- */

enum { MANY = 50 };

struct sender {
    int fd;
    size_t heard; /* line ends */
};

static struct sender senders[MANY];

/* Each of them sends the line so many times, in one go as far as it is taken. */
static void all_send(int count, const char *line, int times)
{
    size_t len = strlen(line);
    char *all = malloc(len * (size_t)times);
    for (int i = 0; i < times; i++)
        memcpy(all + (size_t)i * len, line, len);
    for (int i = 0; i < count; i++) {
        senders[i] = (struct sender){.fd = raw_open(proxy.host, PROXY_MASTER)};
        cr_assert(raw_send(senders[i].fd, all, len * (size_t)times));
        cr_assert_eq(fcntl(senders[i].fd, F_SETFL, O_NONBLOCK), 0);
    }
    free(all);
}

/* Reads what has come. Returns the line ends of all of them. */
static size_t all_hear(int count)
{
    static char bytes[1 << 16];
    size_t sum = 0;
    for (int i = 0; i < count; i++) {
        ssize_t n;
        while ((n = recv(senders[i].fd, bytes, sizeof(bytes), 0)) > 0)
            for (ssize_t k = 0; k < n; k++)
                senders[i].heard += bytes[k] == '\n';
        sum += senders[i].heard;
    }
    return sum;
}

static void all_leave(int count)
{
    for (int i = 0; i < count; i++)
        close(senders[i].fd);
}

/* ---- somebody else ---- */

/* Comes, says QUIT, which needs no node, and hears. Returns how long that took, in ms. */
static int64_t visit(void)
{
    int64_t began = now_ms();
    int fd = raw_open(proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, "QUIT\r\n"));
    char text[8];
    cr_assert_eq(raw_read(fd, text, 5, 60000), 5);
    close(fd);
    return now_ms() - began;
}

static bool is_healthy(void)
{
    char body[400];
    return http_get(proxy.host, PROXY_HTTP, "/healthz", body, sizeof(body)) == 200;
}

/* Until all lines are there. Returns the longest visit meanwhile, in ms. */
static int64_t longest_visit(int count, size_t lines, int ms)
{
    int64_t longest = 0, until = now_ms() + ms;
    bool healthy = true;
    size_t heard = 0;
    while ((heard = all_hear(count)) < lines && now_ms() < until) {
        int64_t took = visit();
        longest = took > longest ? took : longest;
        healthy &= is_healthy();
    }
    fprintf(stderr, "%zu of %zu lines within %d ms (%d left), the longest visit took %d ms\n",
            heard, lines, ms, (int)(until - now_ms()), (int)longest);
    cr_expect(healthy, "/healthz says otherwise");
    cr_expect_geq(heard, lines);
    return longest;
}

/* ---- a hold that ends badly ---- */

Test(strangers_turns, a_hold_that_ends_badly, .timeout = 120)
{
    enum { EACH = 8000, LONGEST_MS = 2000, WITHIN_MS = 40000 };
    start(&(struct trio_options){.nodes = 2, .sentinels_later = true},
          &(struct proxy_options){.master_lines = "hold_timeout = 1s\n"});
    all_send(MANY, "INCR k\r\n", EACH);
    cr_expect_lt(longest_visit(MANY, (size_t)MANY * EACH, WITHIN_MS), LONGEST_MS);
    all_leave(MANY);
    stop();
}

/* ---- reads behind a large reply ---- */

/* The node is stopped until all of it is on its way. */
Test(strangers_turns, reads_behind_a_large_reply, .timeout = 180)
{
    enum { OTHERS = 40, EACH = 5000, LARGE = 40 * 1024 * 1024, LONGEST_MS = 2000 };
    static char large[LARGE + 20];
    start(&(struct trio_options){.min_replicas = 1}, &(struct proxy_options){.listen_lines = NULL});
    cr_assert(proxy_wait_serving(&proxy, &trio) == 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET k v");
    EXPECT(c, "+OK", "CONFIG SET client-output-buffer-limit %s", "normal 0 0 0");
    EXPECT(c, ":41943040", "SETRANGE large %d x", LARGE - 1);
    cr_assert_eq(kill(trio.node_pid[0], SIGSTOP), 0);
    int fd = raw_open(proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, "GET large\r\n"));
    pause_ms(20);
    all_send(OTHERS, "GET k\r\n", EACH);
    cr_assert(wait_until(2000, proxy_gauge(&proxy, "redisproxy_sessions", -1) > OTHERS));
    cr_assert_eq(kill(trio.node_pid[0], SIGCONT), 0);
    size_t head =
        raw_read(fd, large, LARGE / 4, 30000); /* and a half of the reply is still to come */
    int64_t longest = longest_visit(OTHERS, (size_t)2 * OTHERS * EACH, 20000);
    cr_expect_lt(longest, LONGEST_MS);
    cr_expect_eq(head + raw_read(fd, large, LARGE + 13 - head, 30000), (size_t)LARGE + 13);
    close(fd);
    all_leave(OTHERS);
    redisFree(c);
    stop();
}

/* ---- CLIENT LIST ---- */

enum { IDLE = 4000, LISTS = 30 };

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* Half of the time was spent in what took no longer than that. */
static int64_t typical(int64_t *took, size_t count)
{
    int64_t sum = 0, half = 0;
    qsort(took, count, sizeof(took[0]), by_value);
    for (size_t i = 0; i < count; i++)
        sum += took[i];
    for (size_t i = 0; i < count; i++)
        if ((half += took[i]) >= sum / 2)
            return took[i];
    return 0;
}

/* While somebody makes lists of all clients, one after the other, others' PING is much shorter than such a list takes. */
Test(strangers_turns, lists_of_all_clients, .timeout = 180)
{
    static int idle[IDLE];
    static char bytes[1 << 16];
    static int64_t took[100000];
    size_t count = 0, lines = 0;
    start(&(struct trio_options){.min_replicas = 1},
          &(struct proxy_options){.proxy_lines = "workers = 1\n"});
    cr_assert(proxy_wait_serving(&proxy, &trio) == 0);
    for (int i = 0; i < IDLE; i++)
        cr_assert_geq(idle[i] = raw_open(proxy.host, PROXY_MASTER), 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    int fd = raw_open(proxy.host, PROXY_REPLICA);
    for (int i = 0; i < LISTS; i++)
        cr_assert(raw_send_text(fd, "CLIENT LIST\r\n"));
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    int64_t began = now_us();
    while (lines < (size_t)LISTS * IDLE && now_us() - began < 60000000) {
        int64_t at = now_us();
        EXPECT(c, "+PONG", "PING");
        if (count < sizeof(took) / sizeof(took[0]))
            took[count++] = now_us() - at;
        ssize_t n;
        while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
            for (ssize_t k = 0; k < n; k++)
                lines += bytes[k] == '\n';
    }
    int64_t list = (now_us() - began) / LISTS;
    int64_t ping = typical(took, count);
    fprintf(stderr, "%zu lines; a list took %d us, PING %d us (of %zu), %d at most\n", lines,
            (int)list, (int)ping, count, (int)took[count - 1]);
    cr_expect_geq(lines, (size_t)LISTS * IDLE);
    cr_expect_lt(ping, list / 2);
    for (int i = 0; i < IDLE; i++)
        close(idle[i]);
    close(fd);
    redisFree(c);
    stop();
}
