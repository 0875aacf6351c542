/*
 * hiredis' asynchronous interface on libuv through the proxy; what it is told, and what it has to
 * print, stands in tests/system/test_clients.c. hiredis 0.14 reads RESP2 only.
 *
 * The steps before the switchover ask and wait, on the loop; during the switchover everything
 * happens in callbacks, with a window of requests in flight.
 */
#include "harness/client.h"

#include <hiredis/adapters/libuv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 16, CHAIN = 2000 };

static const char *host, *name;
static int port;
static uv_loop_t *loop;

/* The reply has to be exactly this. */
#define IS(wanted, reply)                                                                          \
    do {                                                                                           \
        const char *got_ = (reply);                                                                \
        if (strcmp(got_, wanted) != 0) {                                                           \
            printf("line %d: %s: got <%s>, wanted <%s>\n", __LINE__, #reply, got_, wanted);        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Up to the first full stop: the first sentence. */
static const char *until_stop(const char *text)
{
    static char sentence[128];
    snprintf(sentence, sizeof(sentence), "%.*s", (int)strcspn(text, ".") + 1, text);
    return sentence;
}

static void on_connect(const redisAsyncContext *c, int status)
{
    if (status != REDIS_OK) {
        printf("not connected: %s\n", c->errstr);
        exit(1);
    }
}

static void on_disconnect(const redisAsyncContext *c, int status)
{
    if (status != REDIS_OK) {
        printf("disconnected: %s\n", c->errstr);
        exit(1);
    }
}

static redisAsyncContext *connect_here(void)
{
    redisAsyncContext *c = redisAsyncConnect(host, port);
    if (!c || c->err || redisLibuvAttach(c, loop) != REDIS_OK)
        exit(1);
    redisAsyncSetConnectCallback(c, on_connect);
    redisAsyncSetDisconnectCallback(c, on_disconnect);
    return c;
}

/* What a callback leaves for the one who waits on the loop for it. */
struct answer {
    char text[256];
    int count;
};

static void on_answer(redisAsyncContext *c, void *reply, void *data)
{
    struct answer *a = data;
    (void)c;
    if (!reply) /* a subscription's end */
        return;
    snprintf(a->text, sizeof(a->text), "%s", client_text(reply));
    a->count++;
}

static const char *wait_for(struct answer *a, int count)
{
    while (a->count < count)
        uv_run(loop, UV_RUN_ONCE);
    return a->text;
}

/* Asks and waits; the text is valid until the next call. */
static const char *answer_to(redisAsyncContext *c, const char *format, ...)
{
    static struct answer a;
    va_list args;
    a.count = 0;
    va_start(args, format);
    redisvAsyncCommand(c, on_answer, &a, format, args);
    va_end(args);
    return wait_for(&a, 1);
}

static void test_connect(redisAsyncContext *c)
{
    redisAsyncContext *third = connect_here();
    IS("+PONG", answer_to(c, "PING"));
    IS("+OK", answer_to(c, "CLIENT SETNAME hiredis"));
    IS("hiredis", answer_to(c, "CLIENT GETNAME"));
    IS("+OK", answer_to(third, "SELECT 3"));
    IS("+OK", answer_to(third, "SET %s:binary %s", name, "$-1\r\n\xff"));
    IS(":2", answer_to(third, "WAIT 2 10000")); /* "split" reads from the replicas */
    IS("$-1\r\n\xff", answer_to(third, "GET %s:binary", name));
    IS("(nil)", answer_to(c, "GET %s:binary", name));
    redisAsyncDisconnect(third);
}

static void on_number(redisAsyncContext *c, void *reply, void *data)
{
    struct answer *a = data;
    char wanted[24];
    (void)c;
    snprintf(wanted, sizeof(wanted), ":%d", ++a->count);
    IS(wanted, client_text(reply));
}

static void test_pipeline(redisAsyncContext *c)
{
    struct answer numbers = {.count = 0};
    for (int i = 0; i < CHAIN; i++)
        redisAsyncCommand(c, on_number, &numbers, "INCR %s:pipeline", name);
    wait_for(&numbers, CHAIN);
}

static void test_transaction(redisAsyncContext *c)
{
    redisAsyncContext *other = connect_here();
    redisAsyncCommand(c, NULL, NULL, "MULTI");
    redisAsyncCommand(c, NULL, NULL, "SET %s:t 1", name);
    redisAsyncCommand(c, NULL, NULL, "INCR %s:t", name);
    IS("[+OK, :2]", answer_to(c, "EXEC"));
    IS("+OK", answer_to(c, "WATCH %s:t", name));
    IS("+OK", answer_to(other, "SET %s:t others", name));
    redisAsyncCommand(c, NULL, NULL, "MULTI");
    IS("+QUEUED", answer_to(c, "SET %s:t mine", name));
    IS("(nil)", answer_to(c, "EXEC"));
    redisAsyncCommand(c, NULL, NULL, "MULTI");
    IS("+QUEUED", answer_to(c, "GET %s:t", name));
    IS("[others]", answer_to(c, "EXEC"));
    redisAsyncDisconnect(other);
}

static void test_pubsub(redisAsyncContext *c)
{
    char heard[128];
    struct answer news = {.count = 0}, sport = news;
    redisAsyncContext *listener = connect_here();
    redisAsyncCommand(listener, on_answer, &news, "SUBSCRIBE %s:news", name);
    redisAsyncCommand(listener, on_answer, &sport, "PSUBSCRIBE %s:s*", name);
    wait_for(&news, 1);
    wait_for(&sport, 1);
    answer_to(c, "PUBLISH %s:news hello", name);
    snprintf(heard, sizeof(heard), "[message, %s:news, hello]", name);
    IS(heard, wait_for(&news, 2));
    answer_to(c, "PUBLISH %s:sport goal", name);
    snprintf(heard, sizeof(heard), "[pmessage, %s:s*, %s:sport, goal]", name, name);
    IS(heard, wait_for(&sport, 2));
    redisAsyncFree(listener);
}

static void test_blocking(redisAsyncContext *c)
{
    char got[128];
    struct answer item = {.count = 0};
    redisAsyncContext *other = connect_here();
    IS("(nil)", answer_to(c, "BLPOP %s:queue 0.05", name));
    redisAsyncCommand(other, on_answer, &item, "BLPOP %s:queue 20", name);
    IS(":1", answer_to(c, "RPUSH %s:queue item", name));
    snprintf(got, sizeof(got), "[%s:queue, item]", name);
    IS(got, wait_for(&item, 1));
    redisAsyncDisconnect(other);
}

static void test_script(redisAsyncContext *c)
{
    char sha[64];
    snprintf(sha, sizeof(sha), "%s", answer_to(c, "SCRIPT LOAD %s", "return 2 * ARGV[1]"));
    IS(":42", answer_to(c, "EVALSHA %s 0 21", sha));
    IS("[k, a]", answer_to(c, "EVAL %s 1 k a", "return {KEYS[1], ARGV[1]}"));
    /* Valkey leaves the advice out. */
    IS("-NOSCRIPT No matching script.", until_stop(answer_to(c, "EVALSHA %040d 0", 0)));
}

static void test_resp2(redisAsyncContext *c)
{
    if (!strstr(answer_to(c, "HELLO 2"), "proto, :2, id, :"))
        exit(1);
}

/* ---- the switchover ---- */

/* One connection that counts until the test says that the master has changed. Every increment's
 * answer is the next number: none was lost, none done twice. */
struct counter {
    redisAsyncContext *c;
    char sha[64];
    struct answer said; /* the BLPOP's */
    long sent, answered;
};

static void count_on(struct counter *k);

static void count_reply(struct counter *k, const redisReply *reply)
{
    char wanted[24];
    snprintf(wanted, sizeof(wanted), ":%ld", ++k->answered);
    IS(wanted, client_text(reply));
}

static void on_counted(redisAsyncContext *c, void *reply, void *data)
{
    (void)c;
    count_reply(data, reply);
    count_on(data);
}

static void on_exec(redisAsyncContext *c, void *reply, void *data)
{
    const redisReply *r = reply;
    (void)c;
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2)
        IS("an array of two", client_text(r));
    count_reply(data, r->element[0]);
    count_reply(data, r->element[1]);
    count_on(data);
}

static void on_fresh(redisAsyncContext *c, void *reply, void *data)
{
    (void)data;
    IS("+PONG", client_text(reply));
    redisAsyncDisconnect(c);
}

static void count_in_transaction(struct counter *k)
{
    redisAsyncCommand(k->c, NULL, NULL, "MULTI");
    redisAsyncCommand(k->c, NULL, NULL, "INCR %s:counter", name);
    redisAsyncCommand(k->c, NULL, NULL, "INCR %s:counter", name);
    redisAsyncCommand(k->c, on_exec, k, "EXEC");
    k->sent += 2;
}

static void count_once(struct counter *k)
{
    if (k->sent % 10)
        redisAsyncCommand(k->c, on_counted, k, "INCR %s:counter", name);
    else
        redisAsyncCommand(k->c, on_counted, k, "EVALSHA %s 1 %s:counter", k->sha, name);
    k->sent++;
}

/* Keeps the window full; now and then with a transaction, or another client beside. */
static void count_on(struct counter *k)
{
    while (!k->said.count && k->sent - k->answered < WINDOW) {
        if (k->sent % 50 == 0)
            redisAsyncCommand(connect_here(), on_fresh, NULL, "PING");
        if (k->sent % 25 == 0)
            count_in_transaction(k);
        else
            count_once(k);
    }
}

static void switchover(redisAsyncContext *c)
{
    char wanted[128], id[24];
    struct counter k = {.c = c};
    struct answer news = {.count = 0};
    redisAsyncContext *blocked = connect_here(), *listener = connect_here();
    snprintf(k.sha, sizeof(k.sha), "%s",
             answer_to(c, "SCRIPT LOAD return(redis.call('INCR',KEYS[1]))--%s", name));
    snprintf(id, sizeof(id), "%s", answer_to(c, "CLIENT ID"));
    redisAsyncCommand(listener, on_answer, &news, "SUBSCRIBE %s:news", name);
    wait_for(&news, 1);
    redisAsyncCommand(blocked, on_answer, &k.said, "BLPOP %s:go 0", name);
    count_on(&k);
    while (k.answered < 100)
        uv_run(loop, UV_RUN_ONCE);
    puts("ready for switchover");
    fflush(stdout);
    snprintf(wanted, sizeof(wanted), "[%s:go, switched]", name);
    IS(wanted, wait_for(&k.said, 1));
    while (k.answered < k.sent)
        uv_run(loop, UV_RUN_ONCE);
    answer_to(c, "PUBLISH %s:news here", name);
    snprintf(wanted, sizeof(wanted), "[message, %s:news, here]", name);
    IS(wanted, wait_for(&news, 2));
    IS(id, answer_to(c, "CLIENT ID"));
    redisAsyncDisconnect(blocked);
    redisAsyncFree(listener);
    printf("counter %ld\n", k.answered);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what;
        void (*test)(redisAsyncContext *c);
    } steps[] = {
        {"connect", test_connect}, {"pipeline", test_pipeline}, {"transaction", test_transaction},
        {"pub/sub", test_pubsub},  {"blocking", test_blocking}, {"script", test_script},
        {"RESP2", test_resp2},
    };
    if (argc != 4)
        return 2;
    host = argv[1];
    port = atoi(argv[2]);
    name = argv[3];
    loop = uv_default_loop();
    redisAsyncContext *c = connect_here();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        steps[i].test(c);
        printf("%s ok\n", steps[i].what);
        fflush(stdout);
    }
    switchover(c);
    redisAsyncDisconnect(c);
    uv_run(loop, UV_RUN_DEFAULT); /* returns when every connection has ended */
    return 0;
}
