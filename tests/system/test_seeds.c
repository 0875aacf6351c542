/*
 * seeds: the proxy starts from one Service name, as charts and operators give it: a name with the addresses of all
 * Sentinels, of which some are dead; an address behind which another Sentinel answers at each connect; Sentinels that do
 * not know their master yet. Whom it finds there are all of the group's Sentinels, each once.
 */
#include "harness/balancer.h"
#include "harness/client.h"
#include "harness/names.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct suite suite = {.without_proxy = true, .trio = {.fast = true}};

#define SERVICE "redis-sentinel.test"

static struct shared s;

/* A trio as the proxy is to see it: one Sentinel, at this name. */
static struct trio seen_as(const struct trio *trio, const char *seed)
{
    struct trio seen = *trio;
    seen.options.sentinels = 1;
    snprintf(seen.name[0], sizeof(seen.name[0]), "%s", seed);
    return seen;
}

static void name_service(const struct trio *trio, const char *const *hosts, int count)
{
    char path[96], text[1024] = "127.0.0.1 localhost\n";
    snprintf(path, sizeof(path), "%s/service-hosts", trio->scratch.dir);
    for (int i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s\n", hosts[i], SERVICE);
    cr_assert(file_write(path, text) == 0);
}

/* The name leads to what name_service() said, and will say, to. */
static void open_service(const struct trio *trio)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/service-hosts", trio->scratch.dir);
    setenv("RESOLV_MULTI", "on", 1); /* all lines of /etc/hosts, whatever /etc/host.conf says */
    cr_assert(names_open(path) == 0);
}

static bool counts(const struct proxy *p, int sentinels, int votes)
{
    return proxy_gauge(p, "redisproxy_group_sentinels", -1) == sentinels &&
           proxy_gauge(p, "redisproxy_group_votes", -1) == votes;
}

static void show(const struct proxy *p)
{
    char text[8192];
    proxy_ctl(p, text, sizeof(text), "sentinels");
    fprintf(stderr, "%s\n", text);
    file_show(p->log);
}

#define EXPECT_COUNTED(p, sentinels, votes)                                                        \
    do {                                                                                           \
        bool counted_ = wait_until(15000, counts(p, sentinels, votes));                            \
        if (!counted_)                                                                             \
            show(p);                                                                               \
        cr_assert(counted_);                                                                       \
    } while (0)

/* The first two addresses are of pods that are gone: nobody is there, and nobody waits for them. */
Test(seeds, all_addresses_of_a_name_are_tried, .timeout = 60)
{
    struct proxy proxy;
    char gone[2][TRIO_HOST];
    s = shared();
    if (names_refused())
        cr_skip_test("%s", names_refused());
    for (int i = 0; i < 2; i++)
        snprintf(gone[i], TRIO_HOST, "%s.%d", s.trio.scratch.prefix, 80 + i);
    name_service(&s.trio,
                 (const char *[]){gone[0], gone[1], s.trio.host[2], s.trio.host[1], s.trio.host[0]},
                 5);
    open_service(&s.trio);
    struct trio seen = seen_as(&s.trio, SERVICE);
    cr_assert(proxy_start(&proxy, &seen, NULL) == 0);
    cr_assert(proxy_wait_serving(&proxy, &s.trio) == 0);
    EXPECT_COUNTED(&proxy, 3, 3);
    cr_expect(proxy_stop(&proxy) == 0);
}

/* Each connection through it leads to the next Sentinel. It is told apart who is who: three voices, not four, and all of
 * them are heard at their own addresses; whoever answers next there changes nothing. */
Test(seeds, an_address_with_several_sentinels_is_no_sentinel, .timeout = 60)
{
    struct proxy proxy;
    struct balancer_target targets[3];
    char service[TRIO_HOST], text[8192];
    s = shared();
    for (int i = 0; i < 3; i++) {
        targets[i].port = secure_sentinel_port();
        memcpy(targets[i].host, s.trio.host[i], TRIO_HOST);
    }
    snprintf(service, sizeof(service), "%s.90", s.trio.scratch.prefix);
    struct balancer *balancer = balancer_start(service, secure_sentinel_port(), targets, 3);
    cr_assert_not_null(balancer);
    struct trio seen = seen_as(&s.trio, service);
    cr_assert(proxy_start(&proxy, &seen, NULL) == 0);
    cr_assert(proxy_wait_serving(&proxy, &s.trio) == 0);
    EXPECT_COUNTED(&proxy, 3, 3);
    for (int round = 0; round < 3; round++) {
        long before =
            balancer_count(balancer, 0) + balancer_count(balancer, 1) + balancer_count(balancer, 2);
        balancer_cut(balancer);
        cr_assert(wait_until(5000, balancer_count(balancer, 0) + balancer_count(balancer, 1) +
                                           balancer_count(balancer, 2) >=
                                       before + 2));
        EXPECT_COUNTED(&proxy, 3, 3);
    }
    bool direct = false;
    cr_expect(wait_until(10000, ({
                             direct = proxy_ctl(&proxy, text, sizeof(text), "sentinels") == 0;
                             for (int i = 0; i < 3; i++) {
                                 char at[48];
                                 snprintf(at, sizeof(at), "%s:%d", s.trio.host[i],
                                          secure_sentinel_port());
                                 direct = direct && strstr(text, at);
                             }
                             direct;
                         })),
              "each is known by its own address: %s", text);
    balancer_stop(balancer);
    EXPECT_COUNTED(&proxy, 3, 3);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET seeds 1");
    redisFree(c);
    cr_expect(proxy_stop(&proxy) == 0);
}

static void monitor_all(const char *host, int port)
{
    char command[128];
    trio_tell_sentinels(&s.trio, "SENTINEL REMOVE " TRIO_GROUP);
    snprintf(command, sizeof(command), "SENTINEL MONITOR " TRIO_GROUP " %s %d 2", host, port);
    trio_tell_sentinels(&s.trio, command);
}

/* As operators start them: each watches 127.0.0.1 until it is told of the master. To the proxy that would be
 * itself. */
Test(seeds, sentinels_that_know_no_master_yet_are_waited_for, .timeout = 60)
{
    struct proxy proxy;
    char text[8192];
    s = shared();
    int port = 20000 + getpid() % 10000, master = trio_master(&s.trio);
    monitor_all("127.0.0.1", port);
    cr_assert(proxy_start(&proxy, &s.trio, NULL) == 0);
    cr_assert(wait_until(10000, proxy_said(&proxy, "names a master on its own host") == 3));
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    say(c, "SET seeds 2");
    say_now(c);
    cr_expect(!heard(c, 700), "it waits");
    cr_expect_eq(http_get(proxy.host, PROXY_HTTP, "/readyz", text, sizeof(text)), 200, "%s", text);
    cr_expect(proxy_ctl(&proxy, text, sizeof(text), "nodes") == 0 && !strstr(text, "127.0.0.1:"),
              "%s", text);
    cr_expect_eq(proxy_said(&proxy, "node=127.0.0.1:"), 0);
    monitor_all(s.trio.host[master], TRIO_PORT);
    HEAR(c, "+OK");
    EXPECT_COUNTED(&proxy, 3, 3);
    redisFree(c);
    cr_expect(proxy_stop(&proxy) == 0);
    cr_expect(trio_wait_whole(&s.trio) == 0);
}

static void return_host(struct trio *trio, int host)
{
    trio_move(trio, host);
    cr_assert(trio_start_node(trio, host) == 0);
    cr_assert(trio_start_sentinel(trio, host) == 0);
}

/* Two of three pods come back with other addresses at the same time. With three addresses in the configuration two voices
 * would be gone for good; the name leads to them. */
Test(seeds, two_that_come_back_elsewhere_are_found_by_the_name, .timeout = 90)
{
    struct trio trio;
    struct proxy proxy;
    if (names_refused())
        cr_skip_test("%s", names_refused());
    cr_assert(trio_start(&trio, &(struct trio_options){.fast = true, .down_after_ms = 2000}) == 0);
    int master = trio_master(&trio), one = (master + 1) % 3, two = (master + 2) % 3;
    name_service(&trio, (const char *[]){trio.host[one], trio.host[two], trio.host[master]}, 3);
    open_service(&trio);
    struct trio seen = seen_as(&trio, SERVICE);
    cr_assert(proxy_start(&proxy, &seen, NULL) == 0);
    EXPECT_COUNTED(&proxy, 3, 3);
    trio_kill_sentinel(&trio, one);
    trio_kill_sentinel(&trio, two);
    trio_kill_node(&trio, one);
    trio_kill_node(&trio, two);
    return_host(&trio, one);
    return_host(&trio, two);
    name_service(&trio, (const char *[]){trio.host[one], trio.host[two], trio.host[master]}, 3);
    EXPECT_COUNTED(&proxy, 3, 3);
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}
