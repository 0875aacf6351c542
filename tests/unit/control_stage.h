/*
 * control_stage: a control connection and its server, whose every byte the test writes down itself.
 */
#ifndef REDISPROXY_TESTS_CONTROL_STAGE_H
#define REDISPROXY_TESTS_CONTROL_STAGE_H

#include "base/list.h"
#include "topology/control_conn.h"
#include "unit/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define AUTH_ONE "*2\r\n$4\r\nAuth\r\n$3\r\none\r\n"
#define AUTH_TWO "*3\r\n$4\r\nAuth\r\n$5\r\nproxy\r\n$3\r\ntwo\r\n"
#define PING "*1\r\n$4\r\nPING\r\n"
#define WRONGPASS "-WRONGPASS invalid username-password pair\r\n"

struct stage {
    uv_loop_t loop;
    struct control_conn conn;
    int listener, fd;
    int ups, downs, closes, replies;
    bool was_up;
    char why[160];
    int tags[80];       /* of the replies, in turn */
    char texts[80][40]; /* ... and what they said */
    bool close_on_up, close_on_reply;
};

static inline void wake(void *arg)
{
    (void)arg;
}

static const struct credential_owner owner = {.group = "mymaster", .file = "/f", .wake = wake};

static inline struct stage *stage_of(struct control_conn *conn)
{
    return container_of(conn, struct stage, conn);
}

static inline void on_up(struct control_conn *conn)
{
    stage_of(conn)->ups++;
    if (stage_of(conn)->close_on_up)
        control_conn_close(conn);
}

static inline void on_reply(struct control_conn *conn, int tag, const struct redisReply *reply)
{
    struct stage *s = stage_of(conn);
    cr_assert_lt(s->replies, 80);
    s->tags[s->replies] = tag;
    if (reply->str)
        snprintf(s->texts[s->replies], sizeof(s->texts[0]), "%s", reply->str);
    s->replies++;
    if (s->close_on_reply)
        control_conn_close(conn);
}

static inline void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct stage *s = stage_of(conn);
    s->was_up = was_up;
    s->downs++;
    snprintf(s->why, sizeof(s->why), "%s", why);
}

static inline void on_closed(struct control_conn *conn)
{
    stage_of(conn)->closes++;
}

static inline void turn(struct stage *s)
{
    uv_run(&s->loop, UV_RUN_NOWAIT);
}

static inline void await_connection(struct stage *s)
{
    if (s->fd >= 0)
        close(s->fd);
    until((s->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0, turn(s));
}

static inline void server_hears(struct stage *s, const char *wanted)
{
    char got[200] = "";
    size_t have = 0, len = strlen(wanted);
    while (have < len) {
        ssize_t n = -1;
        until((n = recv(s->fd, got + have, len - have, 0)) != -1, turn(s));
        cr_assert_gt(n, 0, "the connection ended");
        have += (size_t)n;
    }
    cr_assert_str_eq(got, wanted);
    loop_turns(&s->loop, LOOP_QUIET_TURNS);
    cr_assert_eq(recv(s->fd, got, 1, 0), -1, "and nothing more");
}

static inline void server_says(struct stage *s, const char *text)
{
    cr_assert_eq(send(s->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline struct credential *one(void)
{
    return credential_new(&owner, NULL, "one", 3);
}

static inline struct credential *two(void)
{
    return credential_new(&owner, "proxy", "two", 3);
}

/* Its server does not listen yet, and nothing is opened. */
static inline void begin_idle(struct stage *s, struct credential *credential)
{
    struct sockaddr_in at;
    memset(s, 0, sizeof(*s));
    s->fd = -1;
    cr_assert_eq(uv_loop_init(&s->loop), 0);
    s->listener = bound_socket(&at);
    cr_assert_eq(fcntl(s->listener, F_SETFL, O_NONBLOCK), 0);
    s->conn.options = (struct control_conn_options){
        .to = {.host = "127.0.2.2", .port = ntohs(at.sin_port)},
        .credential = credential,
        .connect_timeout_ms = 5000,
    };
    s->conn.on_up = on_up;
    s->conn.on_reply = on_reply;
    s->conn.on_down = on_down;
    s->conn.on_closed = on_closed;
    control_conn_init(&s->conn, &s->loop);
}

static inline void begin(struct stage *s, struct credential *credential)
{
    begin_idle(s, credential);
    cr_assert_eq(listen(s->listener, 4), 0);
    control_conn_open(&s->conn, 0);
    await_connection(s);
}

/* Nobody but the test holds the credential afterwards. */
static inline void end(struct stage *s, struct credential *held)
{
    control_conn_close(&s->conn);
    until(s->closes == 1, turn(s));
    if (s->fd >= 0)
        close(s->fd);
    close(s->listener);
    loop_end(&s->loop);
    if (held)
        cr_assert_eq(atomic_load(&held->refs), 1);
    credential_release(held);
}

#endif
