/*
 * control_conn: how it authenticates, and what becomes of its credential: shown to each connection,
 * replaced while it is up without losing the connection, and marked by what the server thinks of it.
 */
#include "unit/control_stage.h"

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

/* Its beginning would be kept until the end has come. */
Test(control_conn, an_answer_that_does_not_end_ends_the_connection)
{
    static char text[65536];
    struct stage s;
    size_t sent = 0;
    begin(&s, NULL);
    until(s.ups == 1, turn(&s));
    server_says(&s, "-ERR ");
    memset(text, 'x', sizeof(text));
    while (s.downs == 0 && sent < 16 * 1024 * 1024) {
        ssize_t n = send(s.fd, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        uv_run(&s.loop, UV_RUN_NOWAIT);
    }
    cr_assert_eq(s.downs, 1, "after %zu bytes", sent);
    cr_assert_str_eq(s.why, "an answer that does not end");
    end(&s, NULL);
}
