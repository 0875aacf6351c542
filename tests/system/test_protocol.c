/*
 * protocol: what is not RESP is answered with Redis' own texts, and the connection is closed, after
 * everything before it was answered.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/servers.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct suite suite = {.trio = {.nodes = 2, .sentinels = 1}};

#define LITERAL(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

Test(protocol, errors_are_redis_own, .timeout = 120)
{
    struct shared s = shared();
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        LITERAL("*abc\r\n"),
        LITERAL("*2147483648\r\n"),
        LITERAL("*99999999999999999999\r\n"),
        LITERAL("*1\r\n:5\r\n"),
        LITERAL("*1\r\nPING\r\n"),
        LITERAL("*1\r\n\r\n"),
        LITERAL("*1\r\n$abc\r\n"),
        LITERAL("*1\r\n$-5\r\n"),
        LITERAL("*1\r\n$536870913\r\n"),
        LITERAL("*1\r\n$99999999999999999999\r\n"),
        LITERAL("*2\r\n$4\r\nECHO\r\n*1\r\n"),
        LITERAL("SET a \"b\r\n"),
        LITERAL("SET a 'b\r\n"),
        LITERAL("PING\r\nSET k 1\r\n*1\r\n$4\r\nPING\r\nGET k\r\n*abc\r\n"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        compare_bytes(&s, PROXY_MASTER, cases[i].bytes, cases[i].len, true);
    static const char behind_quote[] = "SET a \"b\"c\r\n";
    static const char behind_block[] = "BLPOP nothing 0.1\r\nPING\r\n*1\r\n$x\r\n";
    if (!servers_are_valkey(9)) /* it takes that */
        compare_bytes(&s, PROXY_MASTER, behind_quote, sizeof(behind_quote) - 1, true);
    if (!servers_have(8, 0)) /* it never answers that */
        compare_bytes(&s, PROXY_MASTER, behind_block, sizeof(behind_block) - 1, true);
}

/* Stricter than Redis 7, which takes 2,147,483,647 arguments: as Redis 6 and the proxy's design. */
Test(protocol, too_many_arguments, .timeout = 30)
{
    struct shared s = shared();
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    cr_assert(raw_send_text(fd, "PING\r\n*1048577\r\n"));
    cr_assert(raw_expect(fd, "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"));
    cr_assert(raw_closed(fd, 5000));
    close(fd);
}

/* Redis looks at lengths when 64 KB came without a line end. */
Test(protocol, too_long_lines, .timeout = 60)
{
    struct shared s = shared();
    size_t len = 66 * 1024;
    char *bytes = malloc(len + 1);
    static const char *const starts[] = {"", "*", "*1\r\n$"};
    for (size_t i = 0; i < 3; i++) {
        memset(bytes, '1', len);
        memcpy(bytes, starts[i], strlen(starts[i]));
        /* sent up to the limit and a byte beyond, so that nothing unread turns the close into a
         * reset */
        compare_bytes(&s, PROXY_MASTER, bytes, 64 * 1024 + 1 + strlen(starts[i]), true);
    }
    free(bytes);
}

/* A length that is within the limits but absurd costs no memory before the bytes are there. */
Test(protocol, announced_lengths_cost_nothing, .timeout = 60)
{
    struct shared s = shared();
    int fd[20];
    long before = proxy_memory(&s.proxy);
    for (int i = 0; i < 20; i++) {
        fd[i] = raw_open(s.proxy.host, PROXY_MASTER);
        cr_assert(raw_send_text(fd[i], "*1048576\r\n$536870912\r\nab"));
    }
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    for (int i = 0; i < 100; i++)
        EXPECT(c, "+PONG", "PING");
    cr_expect(proxy_memory(&s.proxy) - before < 64 * 1024 * 1024, "%ld MB more",
              (proxy_memory(&s.proxy) - before) >> 20);
    redisFree(c);
    for (int i = 0; i < 20; i++)
        close(fd[i]);
}
