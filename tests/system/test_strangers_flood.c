/*
 * strangers_flood: clients that have not logged in, and send much, or are many. A node ends the connection of one that
 * does not take the answers (CVE-2025-21605); behind the proxy they have one together. They cost those who have logged
 * in little, nobody is disconnected for what others of them send, and what those sent who have gone is not sent again.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN "own-secret"
#define NOAUTH "-NOAUTH Authentication required.\r\n"

/* A flood of so many PINGs from each of so many clients took 110 s. */
enum { FLOODERS = 40, PINGS = 10000, OVER_MS = 20000 };
enum { KEPT_MAX_KB = 32 * 1024 }; /* 120 MB, when all of it was kept as requests */
enum { MANY = 1000 };

const struct suite suite = {.trio = {.min_replicas = 1, .password = OWN}};

static redisContext *logged_in(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH " OWN);
    EXPECT(c, "+OK", "SET k v");
    return c;
}

static long answers_of_node(const struct shared *s)
{
    redisContext *node = trio_node(&s->trio, 0);
    long errors = atol(info_field(node, "stats", "total_error_replies"));
    redisFree(node);
    return errors;
}

/* As many as the socket takes. */
static void floods(const struct shared *s)
{
    static char pings[PINGS * 6];
    int fd = raw_open(s->proxy.host, PROXY_MASTER);
    cr_assert_geq(fd, 0);
    for (int i = 0; i < PINGS; i++)
        memcpy(pings + i * 6L, "PING\r\n", 6);
    (void)send(fd, pings, sizeof(pings), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

Test(strangers_flood, who_floods_and_leaves_is_forgotten, .timeout = 240)
{
    struct shared s = shared();
    redisContext *c = logged_in(&s);
    long errors = answers_of_node(&s), sessions = proxy_gauge(&s.proxy, "redisproxy_sessions", -1);
    int64_t worst = 0, since = now_ms();

    proxy_forget_peak(&s.proxy);
    long memory = proxy_memory(&s.proxy);
    kill(s.proxy.pid, SIGSTOP); /* they have gone before anything is answered */
    for (int i = 0; i < FLOODERS; i++)
        floods(&s);
    kill(s.proxy.pid, SIGCONT);
    do { /* another one's requests go on meanwhile */
        int64_t begun = now_ms();
        EXPECT(c, "v", "GET k");
        if (now_ms() - begun > worst)
            worst = now_ms() - begun;
    } while (now_ms() - since < 120000 &&
             proxy_gauge(&s.proxy, "redisproxy_sessions", -1) > sessions);
    int64_t took = now_ms() - since;
    errors = answers_of_node(&s) - errors;
    long kept = (proxy_peak(&s.proxy) - memory) / 1024;
    fprintf(stderr,
            "over after %d ms, the others waited %d ms at most, the node answered %ld, %ld KB\n",
            (int)took, (int)worst, errors, kept);
    cr_expect_lt(took, OVER_MS);
    cr_expect_lt(worst, 1000);
    cr_expect(proxy_sanitized() || kept < KEPT_MAX_KB, "%ld KB were kept", kept);
    cr_expect_lt(errors, FLOODERS * PINGS / 4, "the node was asked what nobody waits for");
    redisFree(c);
}

Test(strangers_flood, each_of_many_is_answered, .timeout = 120)
{
    struct shared s = shared();
    static int fds[MANY];
    int answered = 0;
    char got[sizeof(NOAUTH)];

    redisFree(logged_in(&s));
    for (int i = 0; i < MANY; i++)
        fds[i] = raw_open(s.proxy.host, PROXY_MASTER);
    for (int i = 0; i < MANY; i++)
        cr_assert(raw_send_text(fds[i], "PING\r\n"));
    for (int i = 0; i < MANY; i++) {
        size_t n = raw_read(fds[i], got, sizeof(NOAUTH) - 1, 20000);
        answered += n == sizeof(NOAUTH) - 1 && strcmp(got, NOAUTH) == 0;
        close(fds[i]);
    }
    cr_expect_eq(answered, MANY, "%d of %d were answered", answered, MANY);
}

/* More than may be ahead, in one write: all of it is answered, in order, and the login in it counts. */
Test(strangers_flood, a_long_pipeline_with_a_login_in_it, .timeout = 60)
{
    enum { BEFORE = 3000, EACH = sizeof(NOAUTH) - 1 };
    static const char rest[] = "AUTH " OWN "\r\nECHO done\r\n", end[] = "+OK\r\n$4\r\ndone\r\n";
    struct shared s = shared();
    size_t whole = (size_t)BEFORE * EACH + sizeof(end) - 1, sent = 0;
    char *got = malloc(whole + 1), *all = malloc(BEFORE * 6 + sizeof(rest));
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    for (int i = 0; i < BEFORE; i++, sent += 6)
        memcpy(all + sent, "PING\r\n", 6);
    memcpy(all + sent, rest, sizeof(rest));
    cr_assert(raw_send_text(fd, all));
    cr_assert_eq(raw_read(fd, got, whole, 20000), whole);
    for (int i = 0; i < BEFORE; i++)
        cr_assert_eq(memcmp(got + (size_t)i * EACH, NOAUTH, EACH), 0, "number %d", i);
    cr_assert_str_eq(got + (size_t)BEFORE * EACH, end);
    free(got);
    free(all);
    close(fd);
}
