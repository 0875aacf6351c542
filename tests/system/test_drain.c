/*
 * drain: SIGTERM ends the proxy without ending anybody's request: nothing new is accepted, what is
 * in flight or held is answered, within drain_timeout. A second signal ends it at once.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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
    redisContext *subscriber = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(idle, "+PONG", "PING");
    EXPECT(subscriber, "[subscribe, c, :1]", "SUBSCRIBE c");
    kill(s.proxy.pid, SIGTERM);
    HEAR(idle, "(closed)");
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    redisFree(idle);
    redisFree(subscriber);
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
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
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
                             bool told = strstr(log, "signal=\"User defined signal 2\"") != NULL;
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
