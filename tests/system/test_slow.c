/*
 * slow: clients that do something else for a while: pause, or write all they have before they read. Redis
 * waits for them, and the proxy does, too.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MB = 1024 * 1024 };

const struct suite suite = {.trio = {.min_replicas = 1}};

static void set_large(const struct shared *s, const char *key, size_t size)
{
    char *value = malloc(size);
    memset(value, 'v', size);
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    redisReply *r = redisCommand(c, "SET %s %b", key, value, size);
    cr_assert(r && r->type == REDIS_REPLY_STATUS);
    freeReplyObject(r);
    redisFree(c);
    free(value);
}

/* Somebody else writes all the time. */
static void others_write(const struct shared *s, int ms)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    int64_t until = now_ms() + ms;
    while (now_ms() < until) {
        EXPECT(c, "+OK", "SET other 1");
        usleep(1000);
    }
    redisFree(c);
}

/* The kernel's TCP_USER_TIMEOUT counted a closed window, too: after 10 s it was reset. */
Test(slow, a_client_that_pauses_gets_everything, .timeout = 60)
{
    struct shared s = shared();
    size_t size = 8 * MB;
    set_large(&s, "paused", size);
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, "GET paused\r\nECHO end\r\n"));
    others_write(&s, 12000);
    char *got = malloc(size + 64);
    cr_assert_eq(raw_read(fd, got, size + 12, 20000), size + 12);
    cr_assert(memcmp(got, "$8388608\r\nv", 11) == 0 && got[size + 9] == 'v', "%.20s", got);
    free(got);
    cr_assert(raw_expect(fd, "$3\r\nend\r\n"));
    close(fd);
    compare_clean(&s);
}
