/*
 * session's transactions when their connection is lost: nothing of one was
 * executed before EXEC, so it is sent again from its MULTI, once, whole and in
 * order; what watched something is not.
 */
#include "unit/session_stage.h"

static void lose_master(struct stage *s, int fd)
{
    show(s, switching);
    show(s, (struct scene){.master = -1});
    node_hears_the_end(s->w, fd);
}

/* The connection is given up, whatever of a handshake was said on it. */
static void ends(struct stage *s, int fd)
{
    char byte;
    ssize_t n = -1;
    until((n = recv(fd, &byte, 1, MSG_DONTWAIT)) == 0, world_turn(s->w));
    close(fd);
}

Test(session_tx, it_goes_on_at_the_new_master)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    lose_master(&s, fd);
    client_asks(c, "INCR n | EXEC");
    hears_nothing(&s, c);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | SET k v | INCR n | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n");
    hears(&s, c, "+QUEUED\r\n*2\r\n+OK\r\n:1\r\n");
    client_asks(c, "GET k"); /* the lease went back, and nothing is kept */
    node_gets(&s, admits(&s, 1, "master"), "GET k");
    stage_end(&s);
}

Test(session_tx, it_survives_a_second_loss)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "INCR n");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | SET k v | INCR n");
    node_says(fd, "+OK\r\n");
    lose_master(&s, fd);
    hears(&s, c, "+QUEUED\r\n");
    client_asks(c, "EXEC");
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | SET k v | INCR n | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n");
    hears(&s, c, "*2\r\n+OK\r\n:1\r\n");
    stage_end(&s);
}

/* The fresh lease was asked for, and a hold comes before anything was written there. */
Test(session_tx, a_withdrawn_repetition_is_made_again_as_a_whole)
{
    struct stage s;
    struct client c;
    int fd, unused;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "EXEC");
    is_taken_in(&s, c);
    show(&s, (struct scene){.master = 1});
    hears_nothing(&s, c);
    unused = accept4(s.nodes[1].door, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(unused, 0);
    ends(&s, unused);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | SET k v | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    hears(&s, c, "*1\r\n+OK\r\n");
    stage_end(&s);
}

/* The old master was demoted under it: EXECABORT proves that nothing was executed. */
Test(session_tx, a_rejected_exec_is_repeated_from_multi)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    show(&s, (struct scene){.master = 0, .writable = true, .settling = true});
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "EXEC");
    node_gets(&s, fd, "EXEC");
    node_says(fd, "-EXECABORT Transaction discarded because of: READONLY You can't write against a "
                  "read only replica.\r\n");
    node_gets(&s, fd, "MULTI | SET k v | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    hears(&s, c, "*1\r\n+OK\r\n");
    stage_end(&s);
}

/* The rejection was read, and the connection lost, before the read behind it was answered. What it watched is lost
 * with the connection, so it is given up; to send it again then is a transition that must not be. */
Test(session_tx, a_rejected_exec_that_watched_answers_nil_when_its_connection_is_lost)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    show(&s, (struct scene){.master = 0, .writable = true, .settling = true});
    c = client(&s);
    fd = reaches_master(&s, c, "WATCH w | MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+OK\r\n+QUEUED\r\n");
    client_asks(c, "EXEC | GET k");
    node_gets(&s, fd, "EXEC | GET k");
    node_says(fd, "-EXECABORT Transaction discarded because of: READONLY You can't write against a "
                  "read only replica.\r\n");
    close(fd);
    hears(&s, c, "*-1\r\n");
    node_gets(&s, admits(&s, 0, "master"), "GET k");
    stage_end(&s);
}

/* Redis would not execute it, and another node, where that part may be right, shall not either. */
Test(session_tx, one_of_which_a_part_was_refused_is_not_repeated)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "SET k w",
                 "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "EXEC");
    hears(&s, c,
          "-EXECABORT Transaction discarded because of: redisproxy: the master of mymaster "
          "changed, it is now node-2\r\n");
    nobody_comes(&s, 1);
    stage_end(&s);
}

Test(session_tx, one_that_watches_answers_nil)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "WATCH w | MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    client_asks(c, "INCR n | EXEC");
    hears(&s, c, "+QUEUED\r\n*-1\r\n");
    show(&s, switched);
    nobody_comes(&s, 1);
    stage_end(&s);
}

Test(session_tx, a_discarded_one_is_forgotten)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "DISCARD", "+OK\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "MULTI");
    node_gets(&s, admits(&s, 1, "master"), "MULTI");
    stage_end(&s);
}

Test(session_tx, a_nested_multi_that_is_lost_is_refused)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "MULTI");
    node_gets(&s, fd, "MULTI");
    lose_master(&s, fd);
    hears(&s, c, "-ERR MULTI calls can not be nested\r\n");
    stage_end(&s);
}

/* It is the one that Redis does not queue: EXEC has no result for it. */
Test(session_tx, a_watch_inside_it_that_is_lost_is_refused)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "WATCH k");
    node_gets(&s, fd, "WATCH k");
    lose_master(&s, fd);
    hears(&s, c, "-ERR WATCH inside MULTI is not allowed\r\n");
    stage_end(&s);
}

/* What was pipelined behind a MULTI that the node refused is no part of a transaction: it was executed,
 * and must not be kept to be sent again with the next one. */
Test(session_tx, what_followed_a_refused_multi_is_not_kept)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = MULTIPLEXING_NO;
    c = client(&s);
    fd = reaches_master(&s, c, "MULTI | INCR n");
    node_answers(&s, fd, c, "-NOPERM no\r\n:1\r\n");
    goes_through(&s, c, fd, "MULTI | SET k v", "+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "EXEC");
    node_gets(&s, admits(&s, 1, "master"), "MULTI | SET k v | EXEC");
    stage_end(&s);
}

/* Behind a read that is sent again: so has the whole transaction to be, or it would be executed
 * without its MULTI. */
Test(session_tx, one_behind_an_unanswered_read_is_sent_again_behind_it)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = MULTIPLEXING_NO;
    c = client(&s);
    fd = reaches_master(&s, c, "GET k | MULTI | SET k v");
    lose_master(&s, fd);
    client_asks(c, "EXEC");
    hears_nothing(&s, c);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "GET k | MULTI | SET k v | EXEC");
    node_answers(&s, fd, c, "$1\r\nv\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    stage_end(&s);
}

/* Redis refuses it inside MULTI, and then EXEC, too. */
Test(session_tx, sync_inside_it_makes_exec_fail)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "SYNC | EXEC");
    node_gets(&s, fd, "DISCARD");
    node_says(fd, "+OK\r\n");
    hears(&s, c,
          "-ERR redisproxy: 'sync' is not available through the proxy without allow_replication = "
          "yes\r\n"
          "-EXECABORT Transaction discarded because of previous errors.\r\n");
    stage_end(&s);
}

/* It was refused here, so it is not sent again with the rest. */
Test(session_tx, one_that_is_taken_back_remembers_what_was_refused)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = MULTIPLEXING_NO;
    c = client(&s);
    client_asks(c, "GET k | MULTI | SET k v | SYNC");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "GET k | MULTI | SET k v");
    lose_master(&s, fd);
    client_asks(c, "EXEC");
    hears_nothing(&s, c);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "GET k");
    node_says(fd, "$1\r\nv\r\n");
    hears(&s, c,
          "$1\r\nv\r\n+OK\r\n+QUEUED\r\n"
          "-ERR redisproxy: 'sync' is not available through the proxy without allow_replication = "
          "yes\r\n"
          "-EXECABORT Transaction discarded because of: redisproxy: a part of it could not be "
          "held\r\n");
    stage_end(&s);
}

/* Then there is nothing to abort. */
Test(session_tx, one_without_its_multi_fails_as_redis_fails_it)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "MULTI | SYNC | EXEC");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | DISCARD");
    node_says(fd, "-NOPERM no\r\n-ERR DISCARD without MULTI\r\n");
    hears(&s, c,
          "-NOPERM no\r\n-ERR redisproxy: 'sync' is not available through the proxy without "
          "allow_replication = yes\r\n"
          "-ERR EXEC without MULTI\r\n");
    stage_end(&s);
}

/* Given up while it was being sent again, it used to be open again after RESET. */
Test(session_tx, one_that_is_reset_while_it_is_sent_again_is_over)
{
    struct stage s;
    struct client c;
    int fd, unused;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "MONITOR | MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    unused = node_accept(s.w, &s.nodes[1]); /* it monitors again at once */
    client_asks(c, "RESET | CLIENT ID");
    hears(&s, c, "+RESET\r\n");
    ends(&s, unused);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "CLIENT ID"); /* does it need a password? */
    node_says(fd, ":7\r\n");
    hears(&s, c, ":1099511627777\r\n");
    stage_end(&s);
}

/* The answer to its DISCARD used to take the next one along, which was then not sent again: what came behind
 * was executed outside of it. */
Test(session_tx, the_next_one_outlives_the_end_of_one)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "DISCARD | MULTI | INCR n");
    node_gets(&s, fd, "DISCARD | MULTI | INCR n");
    lose_master(&s, fd);
    hears(&s, c, "+OK\r\n+OK\r\n+QUEUED\r\n");
    show(&s, switched);
    client_asks(c, "EXEC");
    node_gets(&s, admits(&s, 1, "master"), "MULTI | INCR n | EXEC");
    stage_end(&s);
}

/* Its last part was answered here after it was given up, and used to be sent again with the next one. */
Test(session_tx, nothing_is_left_of_one_that_was_given_up)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "WATCH w | MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+OK\r\n");
    lose_master(&s, fd);
    client_asks(c, "EXEC");
    hears(&s, c, "+QUEUED\r\n*-1\r\n");
    show(&s, switched);
    client_asks(c, "MULTI | INCR n");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | INCR n");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    show(&s, steady);
    client_asks(c, "EXEC");
    node_gets(&s, admits(&s, 0, "master"), "MULTI | INCR n | EXEC");
    stage_end(&s);
}

/* What it watched was lost, so it is answered here; what stands before it is not. */
Test(session_tx, one_that_is_answered_here_waits_for_what_is_in_flight)
{
    struct stage s;
    struct client c;
    int fd, unused;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "WATCH w");
    node_answers(&s, fd, c, "+OK\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "GET k | MULTI");
    unused = node_accept(s.w, &s.nodes[1]);
    node_hears(s.w, unused, HEARD_INFO HEARD_ID HEARD_RESET);
    show(&s, (struct scene){.master = -1});
    close(unused);
    hears_nothing(&s, c);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "GET k");
    node_says(fd, "$1\r\nv\r\n");
    client_asks(c, "SET k v | EXEC");
    hears(&s, c, "$1\r\nv\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
    stage_end(&s);
}

/* The connection belongs to another user afterwards: it used to go back, for others to be that user. */
Test(session_tx, one_that_logs_in_keeps_its_next_connection)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "MULTI | AUTH u p");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "AUTH u p"); /* which is another thing when MULTI is refused */
    node_says(fd, "+QUEUED\r\n");
    hears(&s, c, "+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "EXEC");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | AUTH u p | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    hears(&s, c, "*1\r\n+OK\r\n");
    client_asks(client(&s), "WATCH k");
    node_gets(&s, admits(&s, 1, "master"), "WATCH k");
    client_asks(c, "GET k");
    node_gets(&s, fd, "GET k");
    stage_end(&s);
}

/* It used to be forgotten with the connection: after a switch the session was in its old database. */
Test(session_tx, what_exec_selected_is_remembered)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "MULTI | GET | SELECT 3 | SET k v | SELECT 99");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | GET");
    node_says(fd, "+OK\r\n-ERR wrong number\r\n");
    node_gets(&s, fd, "SELECT 3 | SET k v | SELECT 99");
    node_says(fd, "+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    hears(&s, c, "+OK\r\n-ERR wrong number\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    client_asks(c, "DISCARD | MULTI | SELECT 3 | MGET k l | SELECT 99 | EXEC | PING");
    node_gets(&s, fd, "DISCARD | MULTI | SELECT 3 | MGET k l | SELECT 99 | EXEC");
    node_answers(&s, fd, c, "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    node_answers(&s, fd, c,
                 "*3\r\n+OK\r\n*2\r\n$-1\r\n$1\r\nv\r\n-ERR DB index is out of range\r\n");
    node_gets(&s, fd, "PING");
    node_answers(&s, fd, c, "+PONG\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "GET k");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "GET k");
    stage_end(&s);
}

Test(session_tx, what_was_selected_and_not_executed_is_not)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "WATCH w | MULTI | SELECT 3 | EXEC");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "WATCH w | MULTI");
    node_says(fd, "+OK\r\n+OK\r\n");
    node_gets(&s, fd, "SELECT 3 | EXEC");
    node_says(fd, "+QUEUED\r\n*-1\r\n");
    hears(&s, c, "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "GET k");
    node_gets(&s, admits(&s, 1, "master"), "GET k");
    stage_end(&s);
}

/* The node knows as well, and says more than that: DISCARD used to go in EXEC's place. */
Test(session_tx, a_part_that_the_node_refused_fails_exec_in_its_words)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "GET", "-BUSY Redis is busy\r\n");
    goes_through(&s, c, fd, "EXEC",
                 "-EXECABORT Transaction discarded because of: BUSY Redis is busy\r\n");
    (void)reaches_master(&s, c, "GET k");
    stage_end(&s);
}

/* Its repetition comes to a node that is busy with a script: the connection is refused, with it what was refused
 * before fails the whole, and then the second MULTI hears of the script. */
Test(session_tx, one_of_which_a_part_was_refused_comes_to_a_busy_node)
{
    struct stage s;
    struct client c;
    char line[200];
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "SELECT 3");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "SELECT 3");
    node_answers(&s, fd, c, "+OK\r\n");
    client_asks(c, "MULTI | SET k v");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "SYNC | MULTI");
    hears_line(&s, c.fd, line, sizeof(line));
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "-BUSY Redis is busy running a script.\r\n");
    hears(&s, c, "+OK\r\n");
    client_asks(c, "EXEC");
    hears(&s, c, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    stage_end(&s);
}

/* EXEC has failed by then. What was kept of it used to be sent before whatever came next. */
Test(session_tx, one_that_a_busy_node_refused_is_not_sent_again)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "SELECT 3");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "SELECT 3");
    node_answers(&s, fd, c, "+OK\r\n");
    client_asks(c, "MULTI | SET k v");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n");
    lose_master(&s, fd);
    show(&s, switched);
    client_asks(c, "MULTI");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "-BUSY Redis is busy running a script.\r\n");
    hears(&s, c, "+OK\r\n");
    client_asks(c, "EXEC");
    hears(&s, c, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    client_asks(c, "WATCH k");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Select 3");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "WATCH k");
    stage_end(&s);
}

Test(session_tx, a_part_that_the_node_refused_is_not_executed_elsewhere)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "GET", "-ERR wrong number\r\n");
    client_asks(c, "EXEC");
    is_taken_in(&s, c);
    lose_master(&s, fd);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | SET k v | GET | DISCARD");
    node_says(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+OK\r\n");
    hears(&s, c, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    stage_end(&s);
}

/* The next transaction's MULTI was answered as its connection was lost. EXEC was sent again before it, the MULTI was
 * over, and the next SET was executed outside of a transaction. */
Test(session_tx, a_rejected_exec_is_not_sent_again_behind_the_next_multi)
{
    static const struct scene settling = {.master = 0, .writable = true, .settling = true};
    static const char rejected[] =
        "-EXECABORT Transaction discarded because of: READONLY You can't "
        "write against a read only replica.\r\n";
    struct stage s;
    struct client c;
    char heard[200];
    int fd;

    stage_begin(&s);
    show(&s, settling);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "EXEC | MULTI");
    node_gets(&s, fd, "EXEC | MULTI");
    node_says(fd, rejected);
    settles(&s);
    close(fd);
    hears_line(&s, c.fd, heard, sizeof(heard));
    cr_assert_eq(strncmp(heard, "-EXECABORT ", 11), 0, "%s", heard);
    hears(&s, c, "+OK\r\n");
    client_asks(c, "SET k w");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | SET k w");
    stage_end(&s);
}

/* It used to become "-EXECABORT Transaction execed because of previous errors." */
Test(session_tx, what_a_node_says_of_discarding_is_not_rewritten)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "SCAN 0", "+QUEUED\r\n");
    goes_through(&s, c, fd, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    goes_through(&s, c, fd, "EXEC",
                 "-EXECABORT Transaction discarded because of previous errors.\r\n");
    stage_end(&s);
}
