/*
 * strangers_memory: clients that send more than their node answers, or begin large requests and stop. What they may have
 * of the proxy's memory has a bound for each and one for all (request_memory), and whoever has little goes on.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, MEMORY = 32 * MB };

const struct suite suite = {
    .trio = {.min_replicas = 1},
    .proxy = {.proxy_lines = "request_memory = 32mb\n"},
};

/* A client that sends the same SET again and again, as fast as it is taken. */
struct flood {
    int fd;
    const char *set;
    size_t len, at; /* of one SET; where in it */
    size_t sent;    /* in all */
};

static char *a_set(size_t size, size_t *len)
{
    char *set = malloc(size + 64);
    *len = (size_t)sprintf(set, "*3\r\n$3\r\nSET\r\n$5\r\nflood\r\n$%zu\r\n", size);
    memset(set + *len, 'v', size);
    memcpy(set + *len + size, "\r\n", 2);
    *len += size + 2;
    return set;
}

static void floods_begin(struct flood *floods, int count, const struct shared *s, const char *set,
                         size_t len)
{
    for (int i = 0; i < count; i++) {
        int little = 64 * KB; /* what waits in sockets is not the proxy's */
        floods[i] =
            (struct flood){.fd = raw_open(s->proxy.host, PROXY_MASTER), .set = set, .len = len};
        cr_assert(floods[i].fd >= 0 && fcntl(floods[i].fd, F_SETFL, O_NONBLOCK) == 0);
        setsockopt(floods[i].fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    }
}

static bool pour(struct flood *f, size_t most)
{
    size_t len = f->len - f->at < most ? f->len - f->at : most;
    ssize_t n = send(f->fd, f->set + f->at, len, MSG_NOSIGNAL);
    if (n <= 0)
        return false;
    f->sent += (size_t)n;
    f->at = (f->at + (size_t)n) % f->len;
    return true;
}

/* Each sends what is taken, until all have waited for 300 ms, or for 4 s. */
static size_t pour_all(struct flood *floods, int count)
{
    int64_t until = now_ms() + 4000, last = now_ms();
    size_t sent = 0;
    while (now_ms() < until && now_ms() - last < 300) {
        bool any = false;
        for (int i = 0; i < count; i++)
            any |= pour(&floods[i], floods[i].len);
        if (any)
            last = now_ms();
        else
            pause_ms(1);
    }
    for (int i = 0; i < count; i++)
        sent += floods[i].sent;
    return sent;
}

/* Ends the last SET, and gets an answer to each. */
static void all_are_answered(struct flood *floods, int count)
{
    for (int i = 0; i < count; i++) {
        struct flood *f = &floods[i];
        fcntl(f->fd, F_SETFL, 0);
        cr_assert(f->at == 0 || raw_send(f->fd, f->set + f->at, f->len - f->at));
        size_t sets = (f->sent + f->len - 1) / f->len, wanted = sets * 5;
        char *got = malloc(wanted + 1);
        cr_assert_eq(raw_read(f->fd, got, wanted, 20000), wanted, "client %d", i);
        for (size_t k = 0; k < sets; k++)
            cr_assert(memcmp(got + k * 5, "+OK\r\n", 5) == 0, "client %d, answer %zu", i, k);
        free(got);
        close(f->fd);
    }
}

/* Said through the proxy: so it lets nobody's reads wait behind a write that waits. Shorter than a failover takes. */
static redisContext *paused_master(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "CLIENT PAUSE 9000 WRITE");
    return c;
}

/* Requests that were sent and not answered count: 1,424 MB came in 2.2 s where they did not. */
Test(strangers_memory, a_node_that_does_not_answer_is_not_flooded, .timeout = 60)
{
    struct shared s = shared();
    struct flood floods[3];
    size_t len;
    char *set = a_set(500 * (size_t)KB, &len);
    redisContext *pauses = paused_master(&s), *other = proxy_client(&s.proxy, PROXY_MASTER);
    long before = proxy_memory(&s.proxy);
    floods_begin(floods, 3, &s, set, len);
    size_t sent = pour_all(floods, 3);
    long more = proxy_memory(&s.proxy) - before;
    cr_expect(sent < 3 * 16 * (size_t)MB, "%zu MB were taken", sent / MB);
    cr_expect(proxy_sanitized() || more < 24 * MB, "it holds %ld MB more", more / MB);
    EXPECT(other, "(nil)", "GET nothing");
    EXPECT(pauses, "+OK", "CLIENT UNPAUSE");
    all_are_answered(floods, 3);
    free(set);
    redisFree(other);
    redisFree(pauses);
    compare_clean(&s);
}

static bool little_goes_on(const struct shared *s, redisContext *const *each)
{
    for (int i = 0; i < proxy_workers(); i++)
        if (strcmp(ask(each[i], "GET nothing"), "(nil)") != 0)
            return false;
    (void)s;
    return true;
}

/* A hundred of them have at most what is allowed to all, and others of the same workers go on. */
Test(strangers_memory, many_have_a_bound_together, .timeout = 60)
{
    enum { CLIENTS = 100, ROUND = 200 * KB };
    struct shared s = shared();
    struct flood floods[CLIENTS];
    redisContext *each[8];
    size_t len;
    char *set = a_set(100 * (size_t)KB, &len);
    redisContext *pauses = paused_master(&s);
    for (int i = 0; i < proxy_workers(); i++)
        each[i] = proxy_client_of(&s.proxy, PROXY_MASTER, i);
    floods_begin(floods, CLIENTS, &s, set, len);
    pour_all(floods, CLIENTS);
    pause_ms(150); /* gauges are a tick old */
    long bytes = proxy_gauge(&s.proxy, "redisproxy_request_bytes", -1);
    cr_expect(bytes > MEMORY / 4, "%ld KB", bytes / KB);
    cr_expect(bytes < MEMORY + CLIENTS * ROUND, "%ld MB", bytes / MB);
    for (int i = 0; i < 20; i++)
        cr_assert(little_goes_on(&s, each), "whoever has little waits");
    EXPECT(pauses, "+OK", "CLIENT UNPAUSE");
    all_are_answered(floods, CLIENTS);
    cr_expect(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_request_bytes", -1) < MB));
    for (int i = 0; i < proxy_workers(); i++)
        redisFree(each[i]);
    free(set);
    redisFree(pauses);
    compare_clean(&s);
}

/* Sends more of the large one, and a small one beside it; whether the large one is sent. */
static bool ends_while_small_ones_go_on(struct flood *large, redisContext *other)
{
    EXPECT(other, "+OK", "SET small 1");
    if (large->sent < large->len)
        pour(large, large->len - large->sent);
    return large->sent == large->len;
}

/* They fill the workers' memory with large requests that do not end; another's large one comes nevertheless. */
Test(strangers_memory, unfinished_requests_do_not_keep_others_out, .timeout = 90)
{
    enum { STUCK = 8, SIZE = 12 * MB };
    struct shared s = shared();
    struct flood stuck[STUCK], large;
    size_t len, large_len;
    char *set = a_set(SIZE, &len), *large_set = a_set(3 * (size_t)MB, &large_len);
    redisContext *other = proxy_client(&s.proxy, PROXY_MASTER);
    floods_begin(stuck, STUCK, &s, set, len);
    for (int i = 0; i < STUCK; i++)
        stuck[i].len -= 10; /* it never sends the rest */
    for (int64_t until = now_ms() + 1500; now_ms() < until;) {
        for (int i = 0; i < STUCK; i++)
            if (stuck[i].sent < stuck[i].len)
                pour(&stuck[i], stuck[i].len);
        EXPECT(other, "+OK", "SET small 1");
    }
    floods_begin(&large, 1, &s, large_set, large_len);
    int64_t began = now_ms();
    cr_expect(wait_until(40000, ends_while_small_ones_go_on(&large, other)));
    large.at = 0;
    all_are_answered(&large, 1);
    cr_log_info("a large request took %ld ms", (long)(now_ms() - began));
    for (int i = 0; i < STUCK; i++)
        close(stuck[i].fd);
    free(set);
    free(large_set);
    redisFree(other);
    compare_clean(&s);
}
