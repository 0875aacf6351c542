/*
 * drain: SIGTERM ends the proxy without ending anybody's request: /readyz tells it, after drain_delay nothing new is
 * accepted, and each client is disconnected at its request boundary, not all in one instant; within drain_timeout. A second
 * signal ends it at once.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const struct suite suite = {.without_proxy = true, .trio = {.min_replicas = 1}};

static struct shared s;

static void start(const char *proxy_lines)
{
    s = shared();
    cr_assert(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){.proxy_lines = proxy_lines}) ==
              0);
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
}

static bool blocked(int wanted)
{
    redisContext *c = trio_node(&s.trio, trio_master(&s.trio));
    bool yes = atoi(info_field(c, "clients", "blocked_clients")) == wanted;
    redisFree(c);
    return yes;
}

static bool refuses(int port)
{
    int fd = raw_open(s.proxy.host, port);
    if (fd < 0)
        return true;
    /* a connection that the kernel took before the listener was closed is reset */
    bool closed = raw_closed(fd, 1000);
    close(fd);
    return closed;
}

Test(drain, an_idle_proxy_ends_at_once, .timeout = 60)
{
    start(NULL);
    redisContext *idle = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(idle, "+PONG", "PING");
    kill(s.proxy.pid, SIGTERM);
    HEAR(idle, "(closed)");
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    redisFree(idle);
}

Test(drain, sigint_too, .timeout = 60)
{
    start(NULL);
    kill(s.proxy.pid, SIGINT);
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
}

/* Until these mean something they do nothing (SIGHUP reads the configuration again, which has not changed): a log
 * rotation's, a supervisor's, or a terminal's would end every client's connection undrained. While it drains they are no
 * second signal. */
Test(drain, other_signals_do_nothing, .timeout = 60)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGPIPE};
    start(NULL);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        kill(s.proxy.pid, signals[i]);
        EXPECT(c, "+PONG", "PING");
    }
    say(c, "BLPOP told 8");
    say_now(c);
    cr_assert(wait_until(5000, blocked(1)));
    kill(s.proxy.pid, SIGTERM);
    cr_expect(wait_until(5000, refuses(PROXY_MASTER)));
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        kill(s.proxy.pid, signals[i]);
    cr_assert(wait_until(5000, ({
                             char *log = file_text(s.proxy.log);
                             bool told = strstr(log, "signal=\"User defined signal 1\"") != NULL;
                             free(log);
                             told;
                         })));
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    EXPECT(direct, ":1", "RPUSH told x");
    HEAR(c, "[told, x]");
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    redisFree(c);
    redisFree(direct);
}

Test(drain, what_is_in_flight_is_answered, .timeout = 60)
{
    start(NULL);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *split = proxy_client(&s.proxy, PROXY_SPLIT);
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    say(c, "BLPOP drained 8");
    say(c, "SET after drained");
    say_now(c);
    say(split, "BLPOP drained:split 8");
    say_now(split);
    cr_assert(wait_until(5000, blocked(2)));
    kill(s.proxy.pid, SIGTERM);
    cr_expect(wait_until(5000, refuses(PROXY_MASTER) && refuses(PROXY_REPLICA)));
    EXPECT(direct, ":1", "RPUSH drained x");
    EXPECT(direct, ":1", "RPUSH drained:split y");
    HEAR(c, "[drained, x]");
    HEAR(c, "+OK");
    HEAR(c, "(closed)");
    HEAR(split, "[drained:split, y]");
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    EXPECT(direct, "drained", "GET after");
    redisFree(c);
    redisFree(split);
    redisFree(direct);
}

Test(drain, a_slow_request_is_answered, .timeout = 60)
{
    start(NULL);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    say(c, "DEBUG SLEEP 0.5");
    for (int i = 0; i < 100; i++)
        say(c, "ECHO %d", i);
    say_now(c);
    cr_assert(!heard(c, 50));
    kill(s.proxy.pid, SIGTERM);
    HEAR(c, "+OK");
    for (int i = 0; i < 100; i++)
        cr_assert_eq(atoi(hear(c)), i);
    HEAR(c, "(closed)");
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    redisFree(c);
}

Test(drain, it_takes_no_longer_than_drain_timeout, .timeout = 60)
{
    start("drain_timeout = 500ms\n");
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    say(c, "BLPOP forever 0");
    say_now(c);
    cr_assert(wait_until(5000, blocked(1)));
    int64_t asked = now_ms();
    kill(s.proxy.pid, SIGTERM);
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    cr_expect(now_ms() - asked >= 450 && now_ms() - asked < 2500, "%ld ms",
              (long)(now_ms() - asked));
    cr_expect(wait_until(5000, blocked(0)), "the blocked command outlives the proxy");
    redisFree(c);
}

/* ---- at which moment ---- */

static bool log_has(const char *text)
{
    char *log = file_text(s.proxy.log);
    bool has = strstr(log, text) != NULL;
    free(log);
    return has;
}

/* The proxy is told to end, and an idle client is gone: ordinary clients' moments have come. */
static void drain_as_far_as_the_idle(void)
{
    redisContext *idle = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(idle, "+PONG", "PING");
    kill(s.proxy.pid, SIGTERM);
    HEAR(idle, "(closed)");
    redisFree(idle);
}

Test(drain, a_subscriber_stays_almost_to_the_end, .timeout = 60)
{
    start("drain_timeout = 2s\n");
    redisContext *subscriber = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *monitor = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    EXPECT(subscriber, "[subscribe, c, :1]", "SUBSCRIBE c");
    EXPECT(monitor, "+OK", "MONITOR");
    int64_t asked = now_ms();
    drain_as_far_as_the_idle();
    EXPECT(direct, ":1", "PUBLISH c late");
    HEAR(subscriber, "[message, c, late]");
    HEAR(subscriber, "(closed)");
    cr_expect(now_ms() - asked >= 1450, "after %ld ms", (long)(now_ms() - asked));
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    cr_expect_not(log_has("drain_timeout is over"), "nobody was in the middle of anything");
    redisFree(subscriber);
    redisFree(monitor);
    redisFree(direct);
}

Test(drain, what_was_begun_may_be_finished, .timeout = 60)
{
    start(NULL);
    redisContext *multi = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *watch = proxy_client(&s.proxy, PROXY_MASTER);
    int half = raw_open(s.proxy.host, PROXY_MASTER);
    EXPECT(multi, "+OK", "MULTI");
    EXPECT(multi, "+QUEUED", "SET begun 1");
    EXPECT(watch, "+OK", "WATCH begun:not");
    cr_assert(raw_send_text(half, "PING\r\n*2\r\n$4\r\nECHO\r\n$10\r\n01234"));
    cr_assert(raw_expect(half, "+PONG\r\n"));
    drain_as_far_as_the_idle();
    cr_expect(wait_until(5000, refuses(PROXY_MASTER)));
    EXPECT(multi, "+QUEUED", "INCR begun");
    EXPECT(multi, "[+OK, :2]", "EXEC");
    HEAR(multi, "(closed)");
    EXPECT(watch, "+OK", "MULTI");
    EXPECT(watch, "+QUEUED", "GET begun");
    EXPECT(watch, "[2]", "EXEC");
    HEAR(watch, "(closed)");
    cr_assert(raw_send_text(half, "56789\r\n"));
    cr_assert(raw_expect(half, "$10\r\n0123456789\r\n"));
    cr_expect(raw_closed(half, 5000));
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    close(half);
    redisFree(multi);
    redisFree(watch);
}

/* One whose next request is always there before the last one is answered comes to no boundary: it ends all the same. */
Test(drain, who_never_pauses_ends_too, .timeout = 60)
{
    start(NULL);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    char reply[8];
    cr_assert(raw_send_text(fd, "PING\r\nPING\r\n"));
    int64_t asked = now_ms();
    kill(s.proxy.pid, SIGTERM);
    while (raw_send_text(fd, "PING\r\n") && raw_read(fd, reply, 7, 5000) == 7)
        cr_assert_str_eq(reply, "+PONG\r\n");
    cr_expect(now_ms() - asked < 8000, "it took the whole drain_timeout");
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    cr_expect_not(log_has("drain_timeout is over"));
    close(fd);
}

enum { CROWD = 1000, SLICE_MS = 100 };

/* When each of the sockets was closed, in milliseconds from now. */
static void note_ends(struct pollfd *fds, int64_t *ended_ms, int count)
{
    int64_t began = now_ms();
    for (int left = count; left > 0;) {
        cr_assert_gt(poll(fds, (nfds_t)count, 10000), 0, "%d clients are left", left);
        for (int i = 0; i < count; i++)
            if (fds[i].fd >= 0 && fds[i].revents) {
                ended_ms[i] = now_ms() - began;
                close(fds[i].fd);
                fds[i].fd = -1;
                left--;
            }
    }
}

/* All come back to another proxy: not in one instant. */
Test(drain, a_thousand_idle_clients_end_one_after_the_other, .timeout = 60)
{
    static struct pollfd fds[CROWD];
    static int64_t ended[CROWD];
    int in_slice[10000 / SLICE_MS] = {0}, most = 0, early_half = 0;
    start("drain_timeout = 3s\n");
    for (int i = 0; i < CROWD; i++) {
        fds[i] = (struct pollfd){.fd = raw_open(s.proxy.host, PROXY_MASTER), .events = POLLIN};
        cr_assert(fds[i].fd >= 0);
    }
    cr_assert(wait_until(10000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == CROWD));
    kill(s.proxy.pid, SIGTERM);
    note_ends(fds, ended, CROWD);
    for (int i = 0; i < CROWD; i++) {
        int slice = (int)(ended[i] / SLICE_MS);
        most = ++in_slice[slice] > most ? in_slice[slice] : most;
        early_half += i < CROWD / 2 && ended[i] < 1125 + 375;
    }
    /* 2.25 s for 1000: 44 in a tenth of a second; and they have asked nothing, which is 375 ms more */
    cr_expect(most <= CROWD / 5, "%d of %d ended within %d ms", most, CROWD, SLICE_MS);
    cr_expect(early_half > CROWD / 10 && early_half < CROWD * 4 / 10,
              "of those who came first %d of %d ended in the first half", early_half, CROWD / 2);
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    cr_expect_not(log_has("drain_timeout is over"));
}

/* ---- readiness goes first ---- */

static bool tells_that_it_drains(void)
{
    char body[8192];
    return http_get(s.proxy.host, PROXY_HTTP, "/readyz", body, sizeof(body)) == 503 &&
           strstr(body, "\"status\":\"draining\"");
}

Test(drain, within_drain_delay_it_serves_as_ever, .timeout = 60)
{
    start("drain_delay = 1s\n");
    redisContext *old = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(old, "+PONG", "PING");
    int64_t asked = now_ms();
    kill(s.proxy.pid, SIGTERM);
    cr_assert(wait_until(900, tells_that_it_drains()));
    redisContext *new = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(new, "+PONG", "PING");
    EXPECT(old, "+PONG", "PING");
    HEAR(old, "(closed)");
    HEAR(new, "(closed)");
    cr_expect(now_ms() - asked >= 950, "they were served for %ld ms", (long)(now_ms() - asked));
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    redisFree(old);
    redisFree(new);
}

Test(drain, a_second_signal_ends_the_delay_and_all, .timeout = 60)
{
    int status = 0;
    start("drain_delay = 5m\n");
    kill(s.proxy.pid, SIGTERM);
    cr_assert(wait_until(5000, tells_that_it_drains()));
    kill(s.proxy.pid, SIGINT);
    cr_expect(process_ended(s.proxy.pid, 5000, &status));
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

Test(drain, a_second_signal_ends_it_at_once, .timeout = 60)
{
    int status;
    start(NULL);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    say(c, "BLPOP forever 0");
    say_now(c);
    cr_assert(wait_until(5000, blocked(1)));
    kill(s.proxy.pid, SIGTERM);
    cr_expect(wait_until(5000, refuses(PROXY_MASTER)));
    int64_t asked = now_ms();
    kill(s.proxy.pid, SIGTERM);
    cr_expect(process_ended(s.proxy.pid, 2000, &status), "it still runs after %ld ms",
              (long)(now_ms() - asked));
    redisFree(c);
}

/* Kubernetes: the container's preStop hook is "redisproxy ctl drain", which answers at once, and SIGTERM comes behind it. */
Test(drain, the_sigterm_behind_ctl_drain_is_no_second_signal, .timeout = 60)
{
    char said[1024];
    int status = 0;
    start("drain_delay = 1s\n");
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    int64_t asked = now_ms();
    cr_assert(proxy_ctl(&s.proxy, said, sizeof(said), "drain") == 0, "%s", said);
    cr_assert(wait_until(900, tells_that_it_drains()));
    kill(s.proxy.pid, SIGTERM);
    EXPECT(c, "+PONG", "PING");
    HEAR(c, "(closed)");
    cr_expect(now_ms() - asked >= 950, "it was served for %ld ms", (long)(now_ms() - asked));
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    redisFree(c);

    start("drain_delay = 5m\n");
    cr_assert(proxy_ctl(&s.proxy, said, sizeof(said), "drain") == 0, "%s", said);
    cr_assert(wait_until(5000, tells_that_it_drains()));
    kill(s.proxy.pid, SIGTERM);
    cr_expect(!process_ended(s.proxy.pid, 200, &status), "the first one ended it");
    kill(s.proxy.pid, SIGTERM);
    cr_expect(process_ended(s.proxy.pid, 5000, &status), "the second one did not end it");
}
