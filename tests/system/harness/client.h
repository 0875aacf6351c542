/*
 * client: talking Redis to the proxy or straight to a node. Replies are rendered as text, so that a
 * test reads like a session with redis-cli:
 *
 *     +OK   -ERR text   :5   bulk string   (nil)   [a, :1, [b]]   (closed)
 *
 * One connection: one thread.
 */
#ifndef TESTS_SYSTEM_CLIENT_H
#define TESTS_SYSTEM_CLIENT_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

/* Connects, with a deadline of 30 s on every later answer. Never returns NULL: a refused connection
 * answers "(closed)". */
redisContext *client_open(const char *host, int port);

/* The same with deadlines of one's own. */
redisContext *client_open_within(const char *host, int port, int connect_ms, int answer_ms);

/* client_open() with AUTH when password is not NULL; with a user's name, when that is not NULL. */
redisContext *client_open_auth(const char *host, int port, const char *password);
redisContext *client_open_as(const char *host, int port, const char *user, const char *password);

/* Sends a command (hiredis' format) and returns its reply as text, which stays valid for the next
 * 15 replies of this thread. */
const char *ask(redisContext *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The two halves of ask, for pipelines: say() only queues, the first hear() writes. */
void say(redisContext *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *hear(redisContext *c);
/* Writes what say() queued, without waiting for an answer. */
void say_now(redisContext *c);

/* A reply as text, valid as ask()'s. */
const char *client_text(const redisReply *reply);

/* Whether an answer (or the connection's end) arrives within `ms`; it is left for hear(). */
bool heard(redisContext *c, int ms);

/* How many clients of that node wait in this command. INFO's blocked_clients counts all: a CLIENT PAUSE
 * stops Sentinels' PUBLISH, too. */
int clients_blocked_in(redisContext *node, const char *command);

/* The value behind "key:" in an INFO reply, "" when absent; valid as ask()'s. */
const char *info_field(redisContext *c, const char *section, const char *key);

#define EXPECT_TEXT(got_expression, wanted)                                                        \
    do {                                                                                           \
        const char *expect_got_ = (got_expression);                                                \
        cr_assert(strcmp(expect_got_, (wanted)) == 0, "%s: got <%s>, wanted <%s>",                 \
                  #got_expression, expect_got_, (wanted));                                         \
    } while (0)

/* The reply to a command is exactly this, or begins with this. */
#define EXPECT(c, wanted, ...) EXPECT_TEXT(ask(c, __VA_ARGS__), wanted)
#define EXPECT_PREFIX(c, wanted, ...)                                                              \
    do {                                                                                           \
        const char *expect_got_ = ask(c, __VA_ARGS__);                                             \
        cr_assert(strncmp(expect_got_, (wanted), strlen(wanted)) == 0,                             \
                  "%s: got <%s>, wanted <%s...>", #__VA_ARGS__, expect_got_, (wanted));            \
    } while (0)
/* The next reply of a pipeline is exactly this. */
#define HEAR(c, wanted) EXPECT_TEXT(hear(c), wanted)

#endif
