/*
 * control_conn: its states: how a try goes, how it fails, what ends a connection that is up, what is owed meanwhile, and
 * that closing it is the end, whatever it was doing.
 */
#include "unit/control_stage.h"

#include <signal.h>
#include <stdlib.h>

#define ECHO_X "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n"

static void begin_up(struct stage *s)
{
    begin(s, NULL);
    until(s->ups == 1, turn(s));
}

static void send_ping(struct stage *s, int tag)
{
    static const char *const ping[] = {"PING"};
    control_conn_send(&s->conn, tag, 1, ping);
}

static void goes_down(struct stage *s, const char *why, bool was_up)
{
    int before = s->downs;
    until(s->downs > before, turn(s));
    cr_assert_eq(s->downs, before + 1);
    cr_assert_str_eq(s->why, why);
    cr_assert_eq(s->was_up, was_up);
    cr_assert_not(control_conn_is_up(&s->conn));
    cr_assert_eq(control_conn_owed_since(&s->conn), 0);
    loop_turns(&s->loop, LOOP_QUIET_TURNS);
    cr_assert_eq(s->downs, before + 1, "told once");
}

/* ---- trying ---- */

Test(control_states, a_try_begins_after_its_delay)
{
    struct stage s;
    struct credential *first = one();
    begin_idle(&s, first);
    cr_assert_eq(fcntl(s.listener, F_SETFL, O_NONBLOCK), 0);
    cr_assert_eq(listen(s.listener, 4), 0);
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_not(control_conn_is_waiting(&s.conn), "nobody has opened it");
    control_conn_open(&s.conn, 60000);
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert(control_conn_is_waiting(&s.conn));
    cr_assert_eq(control_conn_owed_since(&s.conn), 0, "nothing was asked yet");
    cr_assert_eq(accept(s.listener, NULL, NULL), -1);
    uv_update_time(&s.loop);
    int64_t opened = (int64_t)uv_now(&s.loop);
    control_conn_open(&s.conn, 30); /* another delay */
    until(!control_conn_is_waiting(&s.conn), turn(&s));
    cr_assert_geq((int64_t)uv_now(&s.loop), opened + 30);
    cr_assert_not(control_conn_is_up(&s.conn));
    cr_assert_geq(control_conn_owed_since(&s.conn), opened + 30, "the peer owes a connection");
    await_connection(&s);
    server_hears(&s, AUTH_ONE);
    server_says(&s, "+OK\r\n");
    until(s.ups == 1, turn(&s));
    cr_assert_eq(control_conn_owed_since(&s.conn), 0);
    end(&s, first);
}

/* A queue of connections that is full: the kernel answers a newcomer nothing, as a host that is gone does. */
Test(control_states, who_does_not_accept_owes_a_connection_since_the_try_began)
{
    struct stage s;
    struct sockaddr_in to;
    socklen_t len = sizeof(to);
    int crowd[4];
    begin_idle(&s, NULL);
    s.conn.options.connect_timeout_ms = 60000;
    cr_assert_eq(listen(s.listener, 0), 0);
    cr_assert_eq(getsockname(s.listener, (struct sockaddr *)&to, &len), 0);
    for (int i = 0; i < 4; i++) {
        crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(crowd[i], (struct sockaddr *)&to, sizeof(to));
    }
    int64_t before = (int64_t)uv_now(&s.loop);
    control_conn_open(&s.conn, 0);
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_geq(control_conn_owed_since(&s.conn), before);
    cr_assert_eq(s.ups + s.downs, 0);
    int64_t owed = control_conn_owed_since(&s.conn);
    uint64_t later = uv_now(&s.loop) + 5;
    until(uv_now(&s.loop) >= later, turn(&s));
    cr_assert_eq(control_conn_owed_since(&s.conn), owed);
    for (int i = 0; i < 4; i++)
        close(crowd[i]);
    end(&s, NULL);
}

Test(control_states, a_refused_try_says_so)
{
    struct stage s;
    begin_idle(&s, NULL);
    control_conn_open(&s.conn, 0);
    goes_down(&s, "connection refused", false);
    cr_assert(s.conn.refused);
    cr_assert_not(s.conn.reached || s.conn.timed_out || s.conn.denied);
    cr_assert_eq(listen(s.listener, 4), 0);
    control_conn_open(&s.conn, 0);
    await_connection(&s);
    until(s.ups == 1, turn(&s));
    cr_assert_not(s.conn.refused, "each try is judged anew");
    cr_assert(s.conn.reached);
    end(&s, NULL);
}

/* It accepts, and answers nothing: that is no refusal, and no silence of the network. */
Test(control_states, a_server_that_does_not_greet_times_out)
{
    struct stage s;
    struct credential *first = one();
    begin_idle(&s, first);
    s.conn.options.connect_timeout_ms = 40;
    cr_assert_eq(listen(s.listener, 4), 0);
    control_conn_open(&s.conn, 0);
    goes_down(&s, "connecting timed out", false);
    cr_assert(s.conn.timed_out && s.conn.reached);
    cr_assert_not(s.conn.refused || s.conn.denied);
    end(&s, first);
}

Test(control_states, a_connection_that_is_up_does_not_time_out)
{
    struct stage s;
    begin_idle(&s, NULL);
    s.conn.options.connect_timeout_ms = 10;
    cr_assert_eq(listen(s.listener, 4), 0);
    control_conn_open(&s.conn, 0);
    until(s.ups == 1, turn(&s));
    uint64_t later = uv_now(&s.loop) + 30;
    until(uv_now(&s.loop) >= later, turn(&s));
    cr_assert_eq(s.downs, 0);
    cr_assert(control_conn_is_up(&s.conn));
    end(&s, NULL);
}

Test(control_states, a_server_that_ends_it_while_it_greets)
{
    struct stage s;
    struct credential *first = one();
    begin(&s, first);
    server_hears(&s, AUTH_ONE);
    cr_assert_gt(control_conn_owed_since(&s.conn), 0);
    shutdown(s.fd, SHUT_WR);
    goes_down(&s, "the peer closed the connection", false);
    cr_assert(s.conn.reached);
    cr_assert_not(s.conn.denied || s.conn.timed_out);
    end(&s, first);
}

Test(control_states, a_denied_password_is_not_a_refused_connection)
{
    struct stage s;
    struct credential *first = one();
    begin(&s, first);
    server_hears(&s, AUTH_ONE);
    server_says(&s, WRONGPASS);
    goes_down(&s, "AUTH was refused: WRONGPASS invalid username-password pair", false);
    cr_assert(s.conn.denied && s.conn.reached);
    cr_assert_not(s.conn.refused);
    end(&s, first);
}

/* ---- names ---- */

static void name_fails(const char *name)
{
    struct stage s;
    begin_idle(&s, NULL);
    snprintf(s.conn.options.to.host, sizeof(s.conn.options.to.host), "%s", name);
    control_conn_open(&s.conn, 0);
    until(s.downs == 1, turn(&s));
    cr_assert_not(s.was_up || s.conn.reached || s.conn.refused);
    cr_assert_eq(control_conn_owed_since(&s.conn), 0);
    end(&s, NULL);
}

Test(control_states, a_name_that_does_not_resolve_ends_the_try)
{
    name_fails("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd");
    name_fails("\xff\xfe"); /* cannot even be asked for */
}

Test(control_states, a_name_is_resolved_and_may_be_closed_meanwhile)
{
    struct addrinfo *found = NULL;
    struct stage s;
    if (getaddrinfo("localhost", NULL, NULL, &found) != 0)
        cr_skip("this machine has no name to resolve: localhost is not in its /etc/hosts");
    freeaddrinfo(found);
    begin_idle(&s, NULL);
    strcpy(s.conn.options.to.host, "localhost");
    control_conn_open(&s.conn, 0);
    goes_down(&s, "connection refused", false); /* the server is on another address */
    cr_assert_eq(s.conn.address.len > 0, true);
    control_conn_open(&s.conn, 0);
    until(!control_conn_is_waiting(&s.conn), turn(&s));
    end(&s, NULL);
    cr_assert_eq(s.downs, 1);
}

/* ---- up ---- */

Test(control_states, replies_are_matched_in_order_and_what_is_left_is_a_push)
{
    struct stage s;
    begin_up(&s);
    cr_assert_eq(control_conn_owed_since(&s.conn), 0);
    send_ping(&s, 3);
    int64_t owed = control_conn_owed_since(&s.conn);
    cr_assert_gt(owed, 0);
    uint64_t later = uv_now(&s.loop) + 5;
    until(uv_now(&s.loop) >= later, turn(&s));
    send_ping(&s, 0);
    cr_assert_eq(control_conn_owed_since(&s.conn), owed, "the oldest counts");
    server_hears(&s, PING PING);
    server_says(&s, "+first\r\n");
    until(s.replies == 1, turn(&s));
    cr_assert_gt(control_conn_owed_since(&s.conn), owed);
    server_says(&s, "+sec");
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    server_says(&s, "ond\r\n+third\r\n");
    until(s.replies == 3, turn(&s));
    cr_assert_eq(control_conn_owed_since(&s.conn), 0);
    cr_assert_eq(s.tags[0], 3);
    cr_assert_eq(s.tags[1], 0);
    cr_assert_eq(s.tags[2], -1);
    cr_assert_str_eq(s.texts[1], "second");
    cr_assert_str_eq(s.texts[2], "third");
    end(&s, NULL);
}

/* A Sentinel with many of its kind, or a node with a long INFO. */
Test(control_states, a_long_answer_is_taken_whole)
{
    struct stage s;
    char line[20000];
    begin_up(&s);
    send_ping(&s, 7);
    server_says(&s, "$1000000\r\n");
    memset(line, 'x', sizeof(line));
    for (size_t sent = 0; sent < 1000000; sent += sizeof(line)) {
        cr_assert_eq(send(s.fd, line, sizeof(line), MSG_NOSIGNAL), (ssize_t)sizeof(line));
        turn(&s);
    }
    server_says(&s, "\r\n");
    until(s.replies == 1 || s.downs > 0, turn(&s));
    cr_assert_eq(s.downs, 0, "%s", s.why);
    cr_assert_eq(s.tags[0], 7);
    end(&s, NULL);
}

static bool begins_with_a_digit(struct control_conn *conn, const struct redisReply *reply)
{
    (void)conn;
    return reply->str && reply->str[0] >= '0' && reply->str[0] <= '9';
}

Test(control_states, what_is_unasked_answers_nothing)
{
    struct stage s;
    begin_up(&s);
    s.conn.is_unasked = begins_with_a_digit;
    send_ping(&s, 5);
    server_says(&s, "+123\r\n+PONG\r\n");
    until(s.replies == 1, turn(&s));
    cr_assert_eq(s.tags[0], 5);
    cr_assert_str_eq(s.texts[0], "PONG");
    end(&s, NULL);
}

Test(control_states, what_is_heard_is_noted)
{
    struct stage s;
    begin_up(&s);
    int64_t before = s.conn.heard_ms;
    cr_assert_gt(before, 0, "the connection itself is a sign");
    uint64_t later = uv_now(&s.loop) + 5;
    until(uv_now(&s.loop) >= later, turn(&s));
    server_says(&s, "+PONG\r\n");
    until(s.replies == 1, turn(&s));
    cr_assert_gt(s.conn.heard_ms, before);
    end(&s, NULL);
}

Test(control_states, a_peer_that_leaves_ends_it_and_what_was_owed)
{
    struct stage s;
    begin_up(&s);
    send_ping(&s, 1);
    shutdown(s.fd, SHUT_WR);
    goes_down(&s, "the peer closed the connection", true);
    control_conn_open(&s.conn, 0);
    await_connection(&s);
    until(s.ups == 2, turn(&s));
    send_ping(&s, 2);
    server_hears(&s, PING);
    server_says(&s, "+PONG\r\n");
    until(s.replies == 1, turn(&s));
    cr_assert_eq(s.tags[0], 2, "the answers of the last connection are not waited for");
    end(&s, NULL);
}

Test(control_states, a_reset_ends_it)
{
    struct stage s;
    struct linger at_once = {.l_onoff = 1};
    begin_up(&s);
    cr_assert_eq(setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(s.fd);
    s.fd = -1;
    goes_down(&s, "connection reset by peer", true);
    end(&s, NULL);
}

Test(control_states, a_peer_that_does_not_speak_the_protocol_ends_it)
{
    struct stage s;
    begin_up(&s);
    server_says(&s, "HTTP/1.1 400 Bad Request\r\n\r\n");
    goes_down(&s, "it does not speak Redis' protocol", true);
    end(&s, NULL);
}

Test(control_states, so_many_answers_may_be_owed_and_no_more)
{
    struct stage s;
    begin_up(&s);
    for (int i = 0; i < CONTROL_CONN_PENDING; i++)
        send_ping(&s, i);
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(s.downs, 0);
    server_says(&s, "+PONG\r\n");
    until(s.replies == 1, turn(&s));
    send_ping(&s, 64);
    cr_assert(control_conn_is_up(&s.conn));
    for (int i = 0; i < CONTROL_CONN_PENDING; i++)
        server_says(&s, "+PONG\r\n");
    until(s.replies == CONTROL_CONN_PENDING + 1, turn(&s));
    for (int i = 0; i <= CONTROL_CONN_PENDING; i++)
        cr_assert_eq(s.tags[i], i);
    for (int i = 0; i <= CONTROL_CONN_PENDING; i++)
        send_ping(&s, i);
    cr_assert_not(control_conn_is_up(&s.conn));
    goes_down(&s, "it does not answer", true);
    end(&s, NULL);
}

/* ---- writing ---- */

#define MUCH 100000

static void send_much(struct stage *s, const char *much, int tag)
{
    const char *const argv[] = {"ECHO", much};
    control_conn_send(&s->conn, tag, 2, argv);
}

static char *much_of(char c)
{
    char *much = malloc(MUCH + 1);
    memset(much, c, MUCH);
    much[MUCH] = '\0';
    return much;
}

/* Takes one of these commands off the socket, byte for byte. */
static void server_hears_much(struct stage *s, const char *much)
{
    static char got[MUCH + 100], wanted[MUCH + 100];
    int len = snprintf(wanted, sizeof(wanted), "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", MUCH, much);
    for (int have = 0; have < len;) {
        ssize_t n = -1;
        until((n = recv(s->fd, got + have, (size_t)(len - have), 0)) != -1, turn(s));
        cr_assert_gt(n, 0);
        have += (int)n;
    }
    cr_assert_eq(memcmp(got, wanted, (size_t)len), 0);
}

static void shrink(struct stage *s)
{
    int little = 4096;
    cr_assert_eq(setsockopt(s->conn.stream.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
}

Test(control_states, what_the_kernel_does_not_take_follows_when_it_does)
{
    struct stage s;
    char *a = much_of('a'), *b = much_of('b');
    begin_up(&s);
    shrink(&s);
    for (int i = 0; i < 20; i++) {
        send_much(&s, a, 1);
        send_much(&s, b, 2);
        server_hears_much(&s, a);
        server_hears_much(&s, b);
    }
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(bytes_waiting(s.fd), 0);
    cr_assert_eq(s.downs, 0);
    end(&s, NULL);
    free(a);
    free(b);
}

Test(control_states, a_peer_that_reads_nothing_is_given_up)
{
    struct stage s;
    char *a = much_of('a');
    begin_up(&s);
    shrink(&s);
    for (int i = 0; i < CONTROL_CONN_PENDING - 1 && control_conn_is_up(&s.conn); i++)
        send_much(&s, a, 1);
    goes_down(&s, "it does not answer", true);
    end(&s, NULL);
    free(a);
}

Test(control_states, what_is_corked_goes_out_in_one_piece)
{
    struct stage s;
    static const char *const echo[] = {"ECHO", "x"};
    begin_up(&s);
    control_conn_cork(&s.conn, true);
    send_ping(&s, 1);
    control_conn_send(&s.conn, 2, 2, echo);
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(bytes_waiting(s.fd), 0);
    control_conn_cork(&s.conn, false);
    server_hears(&s, PING ECHO_X);
    send_ping(&s, 3);
    server_hears(&s, PING);
    end(&s, NULL);
}

Test(control_states, nothing_is_sent_without_a_connection)
{
    struct stage s;
    struct credential *first = one();
    begin_idle(&s, first);
    send_ping(&s, 1);
    control_conn_cork(&s.conn, false);
    control_conn_authenticate(&s.conn);
    control_conn_login(&s.conn);
    cr_assert_eq(control_conn_owed_since(&s.conn), 0);
    cr_assert_eq(listen(s.listener, 4), 0);
    control_conn_open(&s.conn, 0);
    await_connection(&s);
    send_ping(&s, 1); /* while it greets */
    server_hears(&s, AUTH_ONE);
    end(&s, first);
}

/* ---- the password, late ---- */

static void begin_anonymous(struct stage *s, struct credential *credential)
{
    begin_idle(s, credential);
    s->conn.options.anonymous = true;
    cr_assert_eq(listen(s->listener, 4), 0);
    control_conn_open(&s->conn, 0);
    await_connection(s);
    until(s->ups == 1, turn(s));
}

Test(control_states, an_anonymous_one_shows_its_password_when_it_is_told_to)
{
    struct stage s;
    struct credential *first = one();
    begin_anonymous(&s, first);
    send_ping(&s, 1);
    server_hears(&s, PING);
    control_conn_login(&s.conn);
    cr_assert_not(control_conn_is_up(&s.conn));
    server_hears(&s, AUTH_ONE);
    control_conn_login(&s.conn); /* is under way */
    server_says(&s, "+PONG\r\n");
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(s.replies, 0, "what was asked before is not answered");
    server_says(&s, "+OK\r\n");
    until(s.ups == 2, turn(&s));
    cr_assert(control_conn_is_up(&s.conn));
    send_ping(&s, 2);
    server_hears(&s, PING);
    server_says(&s, "+PONG\r\n");
    until(s.replies == 1, turn(&s));
    cr_assert_eq(s.tags[0], 2);
    end(&s, first);
}

Test(control_states, a_late_password_that_nobody_answers_times_out)
{
    struct stage s;
    struct credential *first = one();
    begin_anonymous(&s, first);
    s.conn.options.connect_timeout_ms = 20;
    control_conn_login(&s.conn);
    goes_down(&s, "connecting timed out", false);
    end(&s, first);
}

Test(control_states, without_a_password_there_is_nothing_to_show)
{
    struct stage s;
    begin_up(&s);
    control_conn_login(&s.conn);
    control_conn_authenticate(&s.conn);
    control_conn_set_credential(&s.conn, NULL, true);
    cr_assert(control_conn_is_up(&s.conn));
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(bytes_waiting(s.fd), 0);
    end(&s, NULL);
}

Test(control_states, it_authenticates_again_as_after_a_reset)
{
    struct stage s;
    struct credential *first = one();
    begin(&s, first);
    server_hears(&s, AUTH_ONE);
    server_says(&s, "+OK\r\n");
    until(s.ups == 1, turn(&s));
    control_conn_authenticate(&s.conn);
    server_hears(&s, AUTH_ONE);
    server_says(&s, "+OK\r\n");
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert(control_conn_is_up(&s.conn));
    cr_assert_eq(s.ups, 1);
    cr_assert_eq(s.replies, 0);
    end(&s, first);
}

/* ---- its end ---- */

Test(control_states, the_owner_that_found_it_dead_is_told_later_and_once)
{
    struct stage s;
    begin_up(&s);
    control_conn_fail(&s.conn, "no answer for 3 s");
    cr_assert_eq(s.downs, 0, "not inside a call of the owner's");
    control_conn_fail(&s.conn, "another reason");
    goes_down(&s, "no answer for 3 s", true);
    control_conn_fail(&s.conn, "it is down already");
    loop_turns(&s.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(s.downs, 1);
    control_conn_open(&s.conn, 60000);
    control_conn_fail(&s.conn, "while it waits");
    goes_down(&s, "while it waits", false);
    end(&s, NULL);
}

static void is_closed(struct stage *s)
{
    int downs = s->downs, ups = s->ups;
    end(s, NULL);
    cr_assert_eq(s->downs, downs, "nothing but its end is told");
    cr_assert_eq(s->ups, ups);
    cr_assert_eq(s->closes, 1);
}

Test(control_states, closing_is_the_end_whatever_it_did)
{
    struct stage s;
    begin_idle(&s, NULL);
    is_closed(&s);
    begin_idle(&s, NULL);
    control_conn_open(&s.conn, 60000);
    is_closed(&s);
    begin_idle(&s, NULL);
    control_conn_open(&s.conn, 0);
    until(!control_conn_is_waiting(&s.conn), turn(&s)); /* and is refused */
    is_closed(&s);
    begin(&s, NULL);
    is_closed(&s);
    begin_up(&s);
    control_conn_fail(&s.conn, "dropped");
    is_closed(&s);
}

Test(control_states, who_is_closed_does_nothing_any_more)
{
    struct stage s;
    struct credential *first = one();
    begin_up(&s);
    control_conn_close(&s.conn);
    control_conn_close(&s.conn);
    cr_assert_not(control_conn_is_up(&s.conn) || control_conn_is_waiting(&s.conn));
    control_conn_open(&s.conn, 0);
    control_conn_fail(&s.conn, "too late");
    control_conn_set_credential(&s.conn, first, true);
    cr_assert_eq(atomic_load(&first->refs), 1);
    send_ping(&s, 1);
    cr_assert_leq(recv(s.fd, (char[1]){0}, 1, 0), 0);
    cr_assert_eq(s.closes, 0, "on a later turn");
    is_closed(&s);
    credential_release(first);
}

Test(control_states, the_owner_may_close_it_in_its_callbacks)
{
    struct stage s;
    begin_idle(&s, NULL);
    s.close_on_up = true;
    cr_assert_eq(listen(s.listener, 4), 0);
    control_conn_open(&s.conn, 0);
    until(s.closes == 1, turn(&s));
    cr_assert_eq(s.ups, 1);
    is_closed(&s);
    begin_up(&s);
    s.close_on_reply = true;
    server_says(&s, "+one\r\n+two\r\n");
    until(s.closes == 1, turn(&s));
    cr_assert_eq(s.replies, 1);
    is_closed(&s);
}

/* ---- the table ---- */

Test(control_states, opening_what_is_up_is_a_bug, .signal = SIGABRT)
{
    struct stage s;
    begin_up(&s);
    control_conn_open(&s.conn, 0);
}
