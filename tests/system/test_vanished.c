/*
 * vanished: a client's host that is gone sends no end. Keep-alive notices: its slot is free again, and what
 * it waited for is not popped for nobody.
 */
#include "harness/client.h"
#include "harness/net.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GUEST_PORT = 7000, KEEPALIVE_MS = 2000 };

const struct suite suite = {.alone = true};

static long blocked_at(struct shared *s)
{
    redisContext *c = trio_node(&s->trio, trio_master(&s->trio));
    long blocked = atoi(info_field(c, "clients", "blocked_clients"));
    redisFree(c);
    return blocked;
}

/* A client on another host, which waits in BLPOP for an element that comes when the host is gone. */
Test(vanished, a_ghost_is_noticed_by_keepalive, .timeout = 60)
{
    if (net_refused())
        cr_skip_test("%s", net_refused());
    struct shared s;
    char address[TRIO_HOST], door[96], port[8], log[96];
    int host;
    cr_assert(trio_start(&s.trio, &(struct trio_options){.partitions = true}) == 0);
    cr_assert(trio_wait_whole(&s.trio) == 0);
    host = (trio_master(&s.trio) + 1) % 3;
    net_address(TRIO_MAX, address, sizeof(address));
    snprintf(door, sizeof(door), "[listen %s:%d]\n", address, GUEST_PORT);
    snprintf(port, sizeof(port), "%d", GUEST_PORT);
    snprintf(log, sizeof(log), "%s/ghost.log", s.trio.scratch.dir);
    struct proxy_options options = {.proxy_lines = "tcp_keepalive = 2s\n", .master_lines = door};
    cr_assert(proxy_start(&s.proxy, &s.trio, &options) == 0);
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
    pid_t ghost = trio_run(
        &s.trio, host,
        (const char *[]){"redis-cli", "-h", address, "-p", port, "BLPOP", "ghost", "0", NULL}, log);
    cr_assert(wait_until(5000, blocked_at(&s) == 1));
    int64_t cut = now_ms();
    net_move(&s.trio.net, host, NET_NOWHERE);
    cr_expect(wait_until(10000, blocked_at(&s) == 0), "the ghost still waits after %ld ms",
              (long)(now_ms() - cut));
    cr_expect(wait_until(1000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == 0));
    cr_expect(now_ms() - cut >= KEEPALIVE_MS, "it had no time to be asked: %ld ms",
              (long)(now_ms() - cut));
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, ":1", "RPUSH ghost x");
    EXPECT(c, "x", "LPOP ghost");
    redisFree(c);
    process_kill(&ghost);
    net_move(&s.trio.net, host, NET_TOGETHER);
    cr_expect(proxy_stop(&s.proxy) == 0);
    trio_stop(&s.trio);
}
