/*
 * strangers_hold: the master is gone, and those who have not logged in send what they can: it takes no place in the hold
 * from those who have.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN "own-secret"

const struct suite suite = {.alone = true};

enum { STRANGERS = 60, KB = 1024, HOLD = 4 * 1024 * KB, VALUE = 15 * KB, EACH = 40 };

static struct trio trio;
static struct proxy proxy;

static long gauge(const char *name)
{
    char whole[64];
    snprintf(whole, sizeof(whole), "redisproxy_%s", name);
    return proxy_gauge(&proxy, whole, -1);
}

static redisContext *logged_in(void)
{
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH " OWN);
    return c;
}

/* As many large SETs as somebody takes. */
static int stranger(void)
{
    static char one[VALUE + 100];
    int head = snprintf(one, sizeof(one), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", VALUE);
    int fd = raw_open(proxy.host, PROXY_MASTER);
    memset(one + head, 'x', VALUE);
    memcpy(one + head + VALUE, "\r\n", 2);
    for (int i = 0; i < EACH; i++)
        if (send(fd, one, (size_t)head + VALUE + 2, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
    return fd;
}

Test(strangers_hold, those_who_have_logged_in_have_room, .timeout = 120)
{
    enum { FRIENDS = 4 };
    redisContext *friends[FRIENDS];
    static char value[100 * KB + 1];
    int fds[STRANGERS];

    memset(value, 'x', sizeof(value) - 1);
    cr_assert(trio_start(&trio, &(struct trio_options){.password = OWN, .down_after_ms = 4000}) ==
              0);
    cr_assert(proxy_start(&proxy, &trio,
                          &(struct proxy_options){
                              .master_lines = "hold_timeout = 60s\nhold_memory = 4mb\n"}) == 0);
    for (int i = 0; i < FRIENDS; i++) {
        friends[i] = logged_in();
        EXPECT(friends[i], "+OK", "SET friend:%d 0", i);
    }
    trio_kill_node(&trio, 0);
    for (int i = 0; i < STRANGERS; i++)
        fds[i] = stranger();
    cr_assert(wait_until(3000, gauge("held_bytes") > HOLD / 5), "they take what they get");
    for (int i = 0; i < FRIENDS; i++) {
        say(friends[i], "SET friend:%d %s", i, value);
        say_now(friends[i]);
    }
    cr_assert(wait_until(3000, gauge("held_bytes") > HOLD / 5 + FRIENDS * (long)sizeof(value)));
    long held = gauge("held_bytes");
    fprintf(stderr, "%ld KB are held\n", held / KB);
    cr_expect_leq(held, HOLD / 4 + FRIENDS * 300 * KB, "strangers have a quarter");
    for (int i = 0; i < FRIENDS; i++) {
        HEAR(friends[i], "+OK");
        redisFree(friends[i]);
    }
    for (int i = 0; i < STRANGERS; i++)
        close(fds[i]);
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}
