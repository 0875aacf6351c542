/*
 * control_conn: how it authenticates, and what becomes of its credential: shown to each connection,
 * replaced while it is up without losing the connection, and marked by what the server thinks of it.
 */
#include "topology/control_conn.h"

#include "base/list.h"
#include "loop.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
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
    char why[160];
};

static void wake(void *arg)
{
    (void)arg;
}

static const struct credential_owner owner = {.group = "mymaster", .file = "/f", .wake = wake};

static struct stage *stage_of(struct control_conn *conn)
{
    return container_of(conn, struct stage, conn);
}

static void on_up(struct control_conn *conn)
{
    stage_of(conn)->ups++;
}

static void on_reply(struct control_conn *conn, int tag, const struct redisReply *reply)
{
    (void)tag, (void)reply;
    stage_of(conn)->replies++;
}

static void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct stage *s = stage_of(conn);
    (void)was_up;
    s->downs++;
    snprintf(s->why, sizeof(s->why), "%s", why);
}

static void on_closed(struct control_conn *conn)
{
    stage_of(conn)->closes++;
}

static void turn(struct stage *s)
{
    uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void await_connection(struct stage *s)
{
    if (s->fd >= 0)
        close(s->fd);
    until((s->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0, turn(s));
}

static void server_hears(struct stage *s, const char *wanted)
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

static void server_says(struct stage *s, const char *text)
{
    cr_assert_eq(send(s->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static struct credential *one(void)
{
    return credential_new(&owner, NULL, "one", 3);
}

static struct credential *two(void)
{
    return credential_new(&owner, "proxy", "two", 3);
}

static void begin(struct stage *s, struct credential *credential)
{
    struct sockaddr_in at;
    memset(s, 0, sizeof(*s));
    s->fd = -1;
    cr_assert_eq(uv_loop_init(&s->loop), 0);
    s->listener = bound_socket(&at);
    cr_assert_eq(listen(s->listener, 4), 0);
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
    control_conn_open(&s->conn, 0);
    await_connection(s);
}

/* Nobody but the test holds the credential afterwards. */
static void end(struct stage *s, struct credential *held)
{
    control_conn_close(&s->conn);
    until(s->closes == 1, turn(s));
    close(s->fd);
    close(s->listener);
    loop_end(&s->loop);
    if (held)
        cr_assert_eq(atomic_load(&held->refs), 1);
    credential_release(held);
}

Test(control_conn, is_up_when_its_password_was_accepted)
{
    struct stage s;
    struct credential *first = one();
    begin(&s, first);
    server_hears(&s, AUTH_ONE);
    cr_assert_eq(s.ups, 0);
    server_says(&s, "+OK\r\n");
    until(s.ups == 1, turn(&s));
    cr_assert(atomic_load(&first->accepted));
    end(&s, first);
}

Test(control_conn, needs_no_password_where_there_is_none)
{
    struct stage s;
    struct credential *first = one();
    begin(&s, NULL);
    until(s.ups == 1, turn(&s));
    end(&s, NULL);
    begin(&s, first);
    server_hears(&s, AUTH_ONE);
    server_says(&s, "-ERR AUTH <password> called without any password configured for the default "
                    "user. Are you sure your configuration is correct?\r\n");
    until(s.ups == 1, turn(&s));
    cr_assert_not(atomic_load(&first->refused));
    cr_assert_not(atomic_load(&first->accepted));
    end(&s, first);
}

Test(control_conn, a_refusal_marks_the_credential_and_ends_the_try)
{
    struct stage s;
    struct credential *first = one(), *second = two();
    begin(&s, first);
    server_hears(&s, AUTH_ONE);
    server_says(&s, WRONGPASS);
    until(s.downs == 1, turn(&s));
    cr_assert_str_eq(s.why, "AUTH was refused: WRONGPASS invalid username-password pair");
    cr_assert(atomic_load(&first->refused));
    control_conn_set_credential(&s.conn, second, true);
    cr_assert_eq(atomic_load(&first->refs), 1, "the old one is let go at once");
    credential_release(first);
    control_conn_open(&s.conn, 0);
    await_connection(&s);
    server_hears(&s, AUTH_TWO);
    server_says(&s, "+OK\r\n");
    until(s.ups == 1, turn(&s));
    end(&s, second);
}

Test(control_conn, other_errors_say_nothing_of_the_password)
{
    struct stage s;
    struct credential *first = one();
    begin(&s, first);
    server_says(&s, "-ERR max number of clients reached\r\n");
    until(s.downs == 1, turn(&s));
    cr_assert_not(atomic_load(&first->refused));
    end(&s, first);
}

/* One that is up shows the new credential at once, between what it is asked, and stays up whatever
 * the server thinks of it. */
Test(control_conn, a_new_password_is_tried_on_the_living_connection)
{
    struct stage s;
    struct credential *first = one(), *second = two();
    static const char *const ping[] = {"PING"};
    begin(&s, first);
    server_says(&s, "+OK\r\n");
    until(s.ups == 1, turn(&s));
    server_hears(&s, AUTH_ONE);
    control_conn_send(&s.conn, 7, 1, ping);
    control_conn_set_credential(&s.conn, second, true);
    credential_release(first);
    control_conn_send(&s.conn, 8, 1, ping);
    server_hears(&s, PING AUTH_TWO PING);
    server_says(&s, "+PONG\r\n" WRONGPASS "+PONG\r\n");
    until(s.replies == 2, turn(&s));
    cr_assert(atomic_load(&second->refused));
    cr_assert(control_conn_is_up(&s.conn));
    control_conn_set_credential(&s.conn, second, true);
    server_hears(&s, AUTH_TWO);
    server_says(&s, "+OK\r\n");
    until(atomic_load(&second->accepted), turn(&s));
    cr_assert_eq(s.downs, 0);
    cr_assert_eq(s.ups, 1);
    end(&s, second);
}

Test(control_conn, a_new_password_may_wait_for_the_next_connection)
{
    struct stage s;
    struct credential *first = one(), *second = two();
    begin(&s, first);
    server_says(&s, "+OK\r\n");
    until(s.ups == 1, turn(&s));
    server_hears(&s, AUTH_ONE);
    control_conn_set_credential(&s.conn, second, false);
    credential_release(first);
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(bytes_waiting(s.fd), 0);
    shutdown(s.fd, SHUT_WR);
    until(s.downs == 1, turn(&s));
    control_conn_open(&s.conn, 0);
    await_connection(&s);
    server_hears(&s, AUTH_TWO);
    end(&s, second);
}
