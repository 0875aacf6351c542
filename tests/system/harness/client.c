/*
 * client: see client.h. Rendered replies live in a ring of sixteen, one ring a thread: a test may
 * compare a few of them and never frees any.
 */
#include "harness/client.h"

#include "harness/secure.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 16 };

static __thread char *ring[RING];
static __thread unsigned ring_at;

static const char *keep(char *text)
{
    char **place = &ring[ring_at++ % RING];
    free(*place);
    return *place = text;
}

static void render(FILE *out, const redisReply *r)
{
    switch (r->type) {
    case REDIS_REPLY_STATUS:
        fprintf(out, "+%s", r->str);
        break;
    case REDIS_REPLY_ERROR:
        fprintf(out, "-%s", r->str);
        break;
    case REDIS_REPLY_INTEGER:
        fprintf(out, ":%lld", r->integer);
        break;
    case REDIS_REPLY_STRING:
        fwrite(r->str, 1, r->len, out);
        break;
    case REDIS_REPLY_ARRAY:
        fputc('[', out);
        for (size_t i = 0; i < r->elements; i++) {
            fputs(i ? ", " : "", out);
            render(out, r->element[i]);
        }
        fputc(']', out);
        break;
    default:
        fputs("(nil)", out);
    }
}

static struct timeval milliseconds(int ms)
{
    return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

redisContext *client_open_within(const char *host, int port, int connect_ms, int answer_ms)
{
    int fd = secure_at(host, port) ? secure_open(host, port, connect_ms) : -1;
    redisContext *c = fd >= 0 ? redisConnectFd(fd)
                              : redisConnectWithTimeout(host, port, milliseconds(connect_ms));
    if (!c)
        abort();
    if (!c->err)
        redisSetTimeout(c, milliseconds(answer_ms));
    return c;
}

redisContext *client_open(const char *host, int port)
{
    return client_open_within(host, port, 5000, 30000);
}

redisContext *client_open_auth(const char *host, int port, const char *password)
{
    redisContext *c = client_open(host, port);
    if (password)
        ask(c, "AUTH %s", password);
    return c;
}

redisContext *client_open_as(const char *host, int port, const char *user, const char *password)
{
    redisContext *c = client_open(host, port);
    if (user)
        ask(c, "AUTH %s %s", user, password);
    return c;
}

const char *client_text(const redisReply *reply)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    render(out, reply);
    fclose(out);
    return keep(text);
}

const char *hear(redisContext *c)
{
    char *text = NULL;
    void *reply = NULL;
    if (c->err || redisGetReply(c, &reply) != REDIS_OK || !reply) {
        if (!c->err || c->err == REDIS_ERR_EOF)
            return keep(strdup("(closed)"));
        if (asprintf(&text, "(closed): %s", c->errstr) < 0)
            abort();
        return keep(text);
    }
    const char *rendered = client_text(reply);
    freeReplyObject(reply);
    return rendered;
}

static void say_list(redisContext *c, const char *format, va_list args)
{
    if (!c->err)
        redisvAppendCommand(c, format, args);
}

void say(redisContext *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(c, format, args);
    va_end(args);
}

void say_now(redisContext *c)
{
    int done = 0;
    while (!c->err && !done)
        if (redisBufferWrite(c, &done) != REDIS_OK)
            break;
}

const char *ask(redisContext *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(c, format, args);
    va_end(args);
    return hear(c);
}

bool heard(redisContext *c, int ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (c->err || c->reader->pos < c->reader->len)
        return true;
    return poll(&p, 1, ms) > 0;
}

int clients_blocked_in(redisContext *node, const char *command)
{
    redisReply *list = redisCommand(node, "CLIENT LIST");
    char wanted[40], *rest = NULL;
    int count = 0;
    if (!list || list->type != REDIS_REPLY_STRING) {
        fprintf(stderr, "no CLIENT LIST: %s\n", list ? list->str : node->errstr);
        freeReplyObject(list);
        return -1;
    }
    snprintf(wanted, sizeof(wanted), " cmd=%s ", command);
    for (char *line = strtok_r(list->str, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        count += strstr(line, wanted) && strstr(line, " flags=b");
    freeReplyObject(list);
    return count;
}

const char *info_field(redisContext *c, const char *section, const char *key)
{
    char needle[80];
    const char *info = ask(c, "INFO %s", section);
    snprintf(needle, sizeof(needle), "\n%s:", key);
    const char *at = strstr(info, needle);
    if (!at)
        return keep(strdup(""));
    at += strlen(needle);
    return keep(strndup(at, strcspn(at, "\r\n")));
}
