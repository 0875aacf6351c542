/*
 * hiredis' blocking interface (the harness' ask() and kin) through the proxy; what it is told, and
 * what it has to print, stands in tests/system/test_clients.c. hiredis 0.14 reads RESP2 only.
 */
#include "harness/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *host, *name;
static int port;

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

static redisContext *connect_here(void)
{
    return client_open(host, port);
}

static void test_connect(redisContext *c)
{
    redisContext *third = connect_here();
    IS("+PONG", ask(c, "PING"));
    IS("+OK", ask(c, "CLIENT SETNAME hiredis"));
    IS("hiredis", ask(c, "CLIENT GETNAME"));
    IS("+OK", ask(third, "SELECT 3"));
    IS("+OK", ask(third, "SET %s:binary %s", name, "$-1\r\n\xff"));
    IS(":2", ask(third, "WAIT 2 10000")); /* "split" reads from the replicas */
    IS("$-1\r\n\xff", ask(third, "GET %s:binary", name));
    IS("(nil)", ask(c, "GET %s:binary", name));
    redisFree(third);
}

static void test_pipeline(redisContext *c)
{
    char number[16];
    for (int i = 0; i < 2000; i++) {
        say(c, "INCR %s:pipeline", name);
        say(c, "ECHO %d", i);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(number, sizeof(number), ":%d", i + 1);
        IS(number, hear(c));
        snprintf(number, sizeof(number), "%d", i);
        IS(number, hear(c));
    }
}

static void test_transaction(redisContext *c)
{
    redisContext *other = connect_here();
    IS("+OK", ask(c, "MULTI"));
    IS("+QUEUED", ask(c, "SET %s:t 1", name));
    IS("+QUEUED", ask(c, "INCR %s:t", name));
    IS("[+OK, :2]", ask(c, "EXEC"));
    IS("+OK", ask(c, "WATCH %s:t", name));
    IS("+OK", ask(other, "SET %s:t others", name));
    IS("+OK", ask(c, "MULTI"));
    IS("+QUEUED", ask(c, "SET %s:t mine", name));
    IS("(nil)", ask(c, "EXEC"));
    IS("+OK", ask(c, "MULTI"));
    IS("+QUEUED", ask(c, "SET %s:t never", name));
    IS("+OK", ask(c, "DISCARD"));
    IS("-ERR EXEC without MULTI", ask(c, "EXEC"));
    IS("+OK", ask(c, "MULTI"));
    IS("+QUEUED", ask(c, "GET %s:t", name));
    IS("[others]", ask(c, "EXEC"));
    redisFree(other);
}

static void test_pubsub(redisContext *c)
{
    char heard[128];
    redisContext *listener = connect_here();
    snprintf(heard, sizeof(heard), "[subscribe, %s:news, :1]", name);
    IS(heard, ask(listener, "SUBSCRIBE %s:news", name));
    snprintf(heard, sizeof(heard), "[psubscribe, %s:s*, :2]", name);
    IS(heard, ask(listener, "PSUBSCRIBE %s:s*", name));
    ask(c, "PUBLISH %s:news hello", name);
    snprintf(heard, sizeof(heard), "[message, %s:news, hello]", name);
    IS(heard, hear(listener));
    ask(c, "PUBLISH %s:sport goal", name);
    snprintf(heard, sizeof(heard), "[pmessage, %s:s*, %s:sport, goal]", name, name);
    IS(heard, hear(listener));
    ask(listener, "UNSUBSCRIBE");
    ask(listener, "PUNSUBSCRIBE");
    IS("+PONG", ask(listener, "PING"));
    redisFree(listener);
}

static void test_blocking(redisContext *c)
{
    char got[128];
    redisContext *other = connect_here();
    IS("(nil)", ask(c, "BLPOP %s:queue 0.05", name));
    say(other, "BLPOP %s:queue 20", name);
    say_now(other);
    IS(":1", ask(c, "RPUSH %s:queue item", name));
    snprintf(got, sizeof(got), "[%s:queue, item]", name);
    IS(got, hear(other));
    redisFree(other);
}

static void test_script(redisContext *c)
{
    char sha[64];
    snprintf(sha, sizeof(sha), "%s", ask(c, "SCRIPT LOAD %s", "return 2 * ARGV[1]"));
    IS(":42", ask(c, "EVALSHA %s 0 21", sha));
    IS("[k, a]", ask(c, "EVAL %s 1 k a", "return {KEYS[1], ARGV[1]}"));
    /* Valkey leaves the advice out. */
    IS("-NOSCRIPT No matching script.", until_stop(ask(c, "EVALSHA %040d 0", 0)));
}

static void test_resp2(redisContext *c)
{
    const char *answer = ask(c, "HELLO 2");
    if (!strstr(answer, "proto, :2, id, :")) {
        printf("HELLO 2: %s\n", answer);
        exit(1);
    }
}

/* Every increment's answer is the next number: none was lost, none done twice. */
static void expect_next(long *count, const char *reply)
{
    char wanted[24];
    snprintf(wanted, sizeof(wanted), ":%ld", ++*count);
    IS(wanted, reply);
}

static void count_round(redisContext *c, const char *sha, long *count)
{
    char both[64];
    redisContext *fresh = connect_here();
    expect_next(count, ask(fresh, "INCR %s:counter", name));
    redisFree(fresh);
    for (int i = 0; i < 20; i++) {
        if (i % 10)
            say(c, "INCR %s:counter", name);
        else
            say(c, "EVALSHA %s 1 %s:counter", sha, name);
    }
    for (int i = 0; i < 20; i++)
        expect_next(count, hear(c));
    IS("+OK", ask(c, "MULTI"));
    IS("+QUEUED", ask(c, "INCR %s:counter", name));
    IS("+QUEUED", ask(c, "INCR %s:counter", name));
    snprintf(both, sizeof(both), "[:%ld, :%ld]", *count + 1, *count + 2);
    IS(both, ask(c, "EXEC"));
    *count += 2;
}

/* Counts until the test says on a blocked connection that the master has changed. */
static void switchover(redisContext *c)
{
    char wanted[128], sha[64], id[24];
    long count = 0;
    redisContext *blocked = connect_here(), *listener = connect_here();
    snprintf(sha, sizeof(sha), "%s",
             ask(c, "SCRIPT LOAD return(redis.call('INCR',KEYS[1]))--%s", name));
    snprintf(id, sizeof(id), "%s", ask(c, "CLIENT ID"));
    ask(listener, "SUBSCRIBE %s:news", name);
    say(blocked, "BLPOP %s:go 0", name);
    say_now(blocked);
    count_round(c, sha, &count);
    puts("ready for switchover");
    fflush(stdout);
    while (!heard(blocked, 0))
        count_round(c, sha, &count);
    snprintf(wanted, sizeof(wanted), "[%s:go, switched]", name);
    IS(wanted, hear(blocked));
    count_round(c, sha, &count);
    ask(c, "PUBLISH %s:news here", name);
    snprintf(wanted, sizeof(wanted), "[message, %s:news, here]", name);
    IS(wanted, hear(listener));
    IS(id, ask(c, "CLIENT ID"));
    redisFree(blocked);
    redisFree(listener);
    printf("counter %ld\n", count);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what;
        void (*test)(redisContext *c);
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
    redisContext *c = connect_here();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        steps[i].test(c);
        printf("%s ok\n", steps[i].what);
        fflush(stdout);
    }
    switchover(c);
    redisFree(c);
    return 0;
}
