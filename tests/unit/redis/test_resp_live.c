/*
 * resp against a live redis-server: the same errors for the same malformed
 * requests, and the same arguments from the same inline lines.
 *
 * Two malformed requests cannot be compared: more than RESP_ARGS_MAX arguments
 * (7.0 accepts more) and a NUL in a line (Redis waits for ever for its end).
 */
#include "redis/resp.h"
#include "unit/inline_lines.h"
#include "unit/live_redis.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static struct live_redis live;

static void start(void)
{
    live_start(&live);
}

static void stop(void)
{
    live_stop(&live);
}

TestSuite(resp_live, .init = start, .fini = stop, .timeout = 60);

/* Sends the bytes on a connection of their own, and returns what comes back until the server
 * closes. */
static size_t converse(const char *input, size_t len, char *answer, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)live.port)};
    inet_pton(AF_INET, LIVE_HOST, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    cr_assert_eq(send(fd, input, len, MSG_NOSIGNAL), (ssize_t)len);
    size_t have = 0;
    ssize_t got;
    while (have < size - 1 && (got = recv(fd, answer + have, size - 1 - have, 0)) > 0)
        have += (size_t)got;
    answer[have] = '\0';
    close(fd);
    return have;
}

static void expect_same_error(const char *input, size_t len)
{
    char answer[256], expected[256];
    struct resp_request request = {0};
    enum resp_result result = resp_request_parse(&request, input, len);
    const char *error = request.error;
    if (result == RESP_DONE && request.is_inline) {
        struct buf none = {0};
        cr_assert_eq(resp_inline_to_multibulk(input, len, &none), -1);
        error = RESP_UNBALANCED_QUOTES;
    } else {
        cr_assert_eq(result, RESP_ERROR, "%.40s", input);
    }
    snprintf(expected, sizeof(expected), "-ERR %s\r\n", error);
    converse(input, len, answer, sizeof(answer));
    cr_assert_str_eq(answer, expected, "%.40s: %s", input, answer);
}

Test(resp_live, errors)
{
    static const char *const malformed[] = {
        "*\r\n",
        "*x\r\n",
        "*01\r\n",
        "*+1\r\n",
        "*-0\r\n",
        "* 1\r\n",
        "*3000000000\r\n",
        "*9223372036854775808\r\n",
        "*1\r\n$\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$01\r\n",
        "*1\r\n$536870913\r\n",
        "*2\r\n$3\r\nGET\r\n$x\r\n",
        "*1\r\nfoo\r\n",
        "*1\r\n\r\n",
        "*2\r\n$3\r\nGET\r\n*1\r\n",
        "*1\rx:1\rx",
        "PING \"x\r\n",
        "PING 'x'y\n",
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        expect_same_error(malformed[i], strlen(malformed[i]));
}

Test(resp_live, too_long_lines)
{
    static const char *const starts[] = {"PING", "*1", "*1\r\n$", "*1\r\nx"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t before = i < 2 ? 0 : 4, len = before + RESP_INLINE_MAX + 1;
        char *input = malloc(len);
        memset(input, '1', len);
        memcpy(input, starts[i], strlen(starts[i]));
        expect_same_error(input, len);
        free(input);
    }
}

/* A script gives its arguments back. */
Test(resp_live, inline_lines)
{
    for (size_t i = 0; i < sizeof(inline_lines) / sizeof(inline_lines[0]); i++) {
        const struct inline_line *c = &inline_lines[i];
        char line[128];
        int len = snprintf(line, sizeof(line), "EVAL \"return ARGV\" 0 %s\r\n", c->line);
        if (c->argc < 0) {
            expect_same_error(line, (size_t)len);
            continue;
        }
        redisReply *reply = NULL;
        cr_assert_eq(redisAppendFormattedCommand(live.context, line, (size_t)len), REDIS_OK);
        cr_assert_eq(redisGetReply(live.context, (void **)&reply), REDIS_OK);
        cr_assert_eq(reply->type, REDIS_REPLY_ARRAY);
        cr_assert_eq(reply->elements, (size_t)c->argc, "%s", c->line);
        for (int j = 0; j < c->argc; j++)
            cr_assert_str_eq(reply->element[j]->str, c->args[j], "%s", c->line);
        freeReplyObject(reply);
    }
}
