/*
 * session in the hold: nothing spins, nothing is done for a client that left,
 * and half a transaction is never executed. One test for each mistake that was once made here.
 */
#include "session/state.h"
#include "unit/session_stage.h"

static const char masterdown[] = "-MASTERDOWN redisproxy: no master for mymaster within ";

static void hears_that_begins(struct stage *s, struct client c, const char *wanted)
{
    char line[400];

    hears_line(s, c.fd, line, sizeof(line));
    cr_assert_eq(strncmp(line, wanted, strlen(wanted)), 0, "wanted %s, heard %s", wanted, line);
}

/* ---- more than a session takes in ---- */

/* As much as the session and the sockets take of `len` bytes of one write. */
static void sends_too_much(struct stage *s, struct client c, size_t writes)
{
    static const char head[] = "*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1000\r\n";
    size_t one = sizeof(head) - 1 + 1002;
    char *all = malloc(writes * one + 1);

    for (size_t i = 0; i < writes; i++) {
        char *at = all + i * one;
        memcpy(at, head, sizeof(head) - 1);
        memset(at + sizeof(head) - 1, 'x', 1000);
        memcpy(at + one - 2, "\r\n", 2);
    }
    pours(s, c.fd, all, writes * one);
    free(all);
}

Test(session_hold, a_session_that_is_too_far_ahead_does_not_spin)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    show(&s, switching);
    c = client(&s);
    sends_too_much(&s, c, 3000);
    settles(&s);
    cr_assert_eq(s.host.count, 1);
    stage_end(&s);
}

/* A session is read until it is too far ahead, and then no more but what was on its way: two reads of 64 KB. */
#define READS ((size_t)2 * 64 * 1024)

static const struct request_queue *queue_of(const struct stage *s)
{
    return &container_of(s->host.sessions.next, const struct session, in_host)->queue;
}

Test(session_hold, a_session_takes_in_a_megabyte_of_requests_that_wait)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    hold_of_at_most(&s, (size_t)64 * 1024 * 1024, 60000);
    show(&s, switching);
    c = client(&s);
    sends_too_much(&s, c, 3000);
    settles(&s);
    cr_assert_geq(queue_of(&s)->bytes, (size_t)1024 * 1024);
    cr_assert_leq(queue_of(&s)->bytes, (size_t)1024 * 1024 + 2 * READS, "with the objects");
    stage_end(&s);
}

Test(session_hold, a_session_takes_in_two_thousand_requests_that_are_not_answered)
{
    static const char ping[] = "PING\r\n";
    enum { PINGS = 60000, LEN = sizeof(ping) - 1 };
    struct stage s;
    struct client c;
    char *all = malloc(PINGS * LEN);

    for (size_t i = 0; i < PINGS; i++)
        memcpy(all + i * LEN, ping, LEN);
    stage_begin(&s);
    hold_of_at_most(&s, (size_t)64 * 1024 * 1024, 60000);
    show(&s, switching);
    c = client(&s);
    pours(&s, c.fd, all, PINGS * LEN);
    settles(&s);
    cr_assert_geq(queue_of(&s)->count, 2048);
    cr_assert_leq(queue_of(&s)->count, 2048 + READS / LEN);
    free(all);
    stage_end(&s);
}

Test(session_hold, a_session_that_is_too_far_ahead_dies_with_its_client)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    show(&s, switching);
    c = client(&s);
    sends_too_much(&s, c, 540); /* the end must not wait behind what the sockets do not take */
    settles(&s);
    close(c.fd);
    until(s.host.count == 0, world_turn(s.w));
    show(&s, steady);
    nobody_comes(&s, 0);
    stage_end(&s);
}

Test(session_hold, a_session_that_is_too_far_ahead_dies_when_its_connection_breaks)
{
    const struct linger at_once = {.l_onoff = 1};
    struct stage s;
    struct client c;

    stage_begin(&s);
    show(&s, switching);
    c = client(&s);
    sends_too_much(&s, c, 3000);
    settles(&s);
    cr_assert_eq(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(c.fd);
    until(s.host.count == 0, world_turn(s.w));
    stage_end(&s);
}

/* ---- transactions that do not fit ---- */

/* It costs more than two short requests. */
#define X100                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"
#define LONG_VALUE X100 X100 X100 X100 X100 X100

/* The next command is executed as if there had been no transaction. */
static void is_out_of_the_transaction(struct stage *s, struct client c)
{
    int fd;

    fd = reaches_master(s, c, "GET k");
    node_answers(s, fd, c, "$-1\r\n");
}

Test(session_hold, a_transaction_of_which_a_part_does_not_fit_is_aborted)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    hold_of_requests(&s, 3);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | SET p " LONG_VALUE " | SET q 1 | EXEC");
    settles(&s);
    show(&s, steady);
    hears(&s, c, "+OK\r\n");
    hears_that_begins(&s, c, masterdown);
    hears(&s, c, "+QUEUED\r\n");
    hears_that_begins(&s, c, "-EXECABORT ");
    nobody_comes(&s, 0);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* The first one was doomed for it, and the second was executed. */
Test(session_hold, a_transaction_behind_one_that_is_reset_is_aborted)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 5);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | RESET | MULTI | SET p " LONG_VALUE " | SET q 1 | EXEC");
    settles(&s);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI");
    node_says(fd, "+OK\r\n");
    hears(&s, c, "+OK\r\n+RESET\r\n+OK\r\n");
    hears_that_begins(&s, c, masterdown);
    hears(&s, c, "+QUEUED\r\n");
    hears_that_begins(&s, c, "-EXECABORT ");
    nobody_comes(&s, 0);
    stage_end(&s);
}

Test(session_hold, a_transaction_whose_multi_does_not_fit_is_refused_as_a_whole)
{
    struct stage s;
    struct client filler, c;
    struct hold *hold;

    stage_begin(&s);
    show(&s, switching);
    filler = client(&s);
    client_asks(filler, "SET f " LONG_VALUE);
    settles(&s);
    hold = router_hold(s.host.router, 0);
    hold->limit = hold->bytes + sizeof(struct session_request) - 1; /* no room for MULTI */
    c = client(&s);
    client_asks(c, "MULTI | SET q 1 | EXEC");
    for (int i = 0; i < 3; i++)
        hears_that_begins(&s, c, masterdown);
    close(filler.fd);
    settles(&s);
    show(&s, steady);
    nobody_comes(&s, 0);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* They were refused, too: who waits for the end after QUIT waited for ever. */
Test(session_hold, reset_and_quit_need_no_room)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    hold_of_requests(&s, 0);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | SET q 1 | RESET | GET k | QUIT");
    hears_that_begins(&s, c, masterdown);
    hears_that_begins(&s, c, masterdown);
    hears(&s, c, "+RESET\r\n");
    hears_that_begins(&s, c, masterdown);
    hears(&s, c, "+OK\r\n");
    node_hears_the_end(s.w, c.fd);
    nobody_comes(&s, 0);
    stage_end(&s);
}

Test(session_hold, a_transaction_whose_exec_does_not_fit_ends_with_it)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    hold_of_requests(&s, 2);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | SET q 1 | EXEC");
    settles(&s);
    show(&s, steady);
    hears(&s, c, "+OK\r\n+QUEUED\r\n");
    hears_that_begins(&s, c, "-");
    nobody_comes(&s, 0);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

Test(session_hold, an_exec_that_was_held_too_long_ends_its_transaction)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_at_most(&s, 1000000, 50);
    c = client(&s);
    fd = reaches_master(&s, c, "MULTI | SET q 1");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n");
    show(&s, switching);
    client_asks(c, "EXEC");
    hears_that_begins(&s, c, masterdown);
    node_hears_the_end(s.w, fd);
    show(&s, steady);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* The GET is of no transaction: its reply is not given up because an EXEC behind it has waited too
 * long. */
Test(session_hold, an_exec_behind_a_half_read_reply_waits_for_it)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_at_most(&s, 1000000, 50);
    c = client(&s);
    fd = reaches_master(&s, c, "WATCH k | GET k | MULTI");
    node_answers(&s, fd, c, "+OK\r\n$10\r\nhalf");
    show(&s, switching);
    client_asks(c, "EXEC | SET l 1");
    is_taken_in(&s, c);
    uv_sleep(100);
    hears_nothing(&s, c);
    node_answers(&s, fd, c, " whole\r\n+OK\r\n");
    hears_that_begins(&s, c, masterdown);
    hears_that_begins(&s, c, masterdown);
    show(&s, steady);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* What waits before the EXEC that finds no room is still of the transaction: it used to be executed
 * outside of it. */
Test(session_hold, an_open_transaction_whose_exec_does_not_fit_ends_with_it)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 1);
    c = client(&s);
    fd = reaches_master(&s, c, "MULTI");
    node_answers(&s, fd, c, "+OK\r\n");
    show(&s, switching);
    client_asks(c, "SET q 1");
    settles(&s);
    client_asks(c, "EXEC");
    hears(&s, c, "+QUEUED\r\n");
    hears_that_begins(&s, c, "-EXECABORT ");
    show(&s, steady);
    nobody_comes(&s, 0);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* The transaction has failed already, and the client has to get out of it with its EXEC. */
Test(session_hold, an_exec_behind_what_did_not_fit_needs_no_room)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 1);
    c = client(&s);
    fd = reaches_master(&s, c, "MULTI");
    node_answers(&s, fd, c, "+OK\r\n");
    show(&s, switching);
    client_asks(c, "SET q 1");
    settles(&s);
    client_asks(c, "SET r 1 | SET t 1 | EXEC");
    hears(&s, c, "+QUEUED\r\n");
    hears_that_begins(&s, c, masterdown);
    hears(&s, c, "+QUEUED\r\n");
    hears_that_begins(&s, c, "-EXECABORT ");
    show(&s, steady);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* Only the first MULTI opens one, and only what follows a refused one is refused with it. */
Test(session_hold, a_nested_multi_and_a_later_one_are_told_apart)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    hold_of_requests(&s, 3);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | MULTI | SET p " LONG_VALUE " | EXEC");
    settles(&s);
    show(&s, steady);
    hears(&s, c, "+OK\r\n-ERR MULTI calls can not be nested\r\n");
    hears_that_begins(&s, c, masterdown);
    hears_that_begins(&s, c, "-EXECABORT ");
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

Test(session_hold, a_refused_multi_takes_nothing_before_it_along)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 3);
    c = client(&s);
    fd = reaches_master(&s, c, "MULTI");
    node_answers(&s, fd, c, "+OK\r\n");
    show(&s, (struct scene){.master = -1});
    client_asks(c, "SET q 1 | SET r 1 | DISCARD | MULTI | SET t 1 | EXEC");
    settles(&s);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | SET q 1 | SET r 1 | DISCARD");
    node_says(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+OK\r\n");
    hears(&s, c, "+QUEUED\r\n+QUEUED\r\n+OK\r\n");
    for (int i = 0; i < 3; i++)
        hears_that_begins(&s, c, masterdown);
    is_out_of_the_transaction(&s, c);
    stage_end(&s);
}

/* What waits before it says whether its client wants to hear that it could not be held. */
Test(session_hold, a_refusal_is_heard_behind_client_reply_on_and_not_behind_skip)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 4);
    c = client(&s);
    client_asks(c, "CLIENT REPLY OFF");
    fd = admits(&s, 0, "master");
    node_permits(&s, fd, ASKED_REPLY);
    show(&s, (struct scene){.master = -1});
    client_asks(c, "SET a 1 | CLIENT REPLY ON | SET p " LONG_VALUE
                   " | CLIENT REPLY SKIP | SET q " LONG_VALUE " | SET r " LONG_VALUE " | GET k");
    settles(&s);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SET a 1");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "GET k");
    node_says(fd, "$-1\r\n");
    hears(&s, c, "+OK\r\n");
    for (int i = 0; i < 2; i++) /* p and r */
        hears_that_begins(&s, c, masterdown);
    hears(&s, c, "$-1\r\n");
    stage_end(&s);
}

/* The one that is skipped may be refused before it is known what it is. */
Test(session_hold, a_refused_command_is_the_one_that_is_skipped)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 0);
    c = client(&s);
    client_asks(c, "CLIENT REPLY SKIP");
    fd = admits(&s, 0, "master");
    node_permits(&s, fd, ASKED_REPLY);
    show(&s, (struct scene){.master = -1});
    client_asks(c, "MODULE.WRITE " LONG_VALUE);
    settles(&s);
    client_asks(c, "SET k " LONG_VALUE);
    hears_that_begins(&s, c, masterdown);
    stage_end(&s);
}

/* A transaction that waits before it may switch replies off, and is performed when EXEC is. */
Test(session_hold, a_refusal_behind_a_transaction_is_heard_as_exec_left_it)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 4);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | CLIENT REPLY SKIP | EXEC | SET q " LONG_VALUE " | GET k");
    settles(&s);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "CLIENT REPLY ON | EXEC");
    node_says(fd, "+QUEUED\r\n*1\r\n+OK\r\n");
    hears(&s, c, "+OK\r\n+QUEUED\r\n*1\r\n"); /* as Redis: SKIP has no answer */
    node_gets(&s, fd, "GET k");
    node_answers(&s, fd, c, "$-1\r\n");
    stage_end(&s);
}

/* The same, and it is not executed. */
Test(session_hold, a_refusal_behind_a_transaction_that_is_given_up_is_heard)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 3);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "MULTI | CLIENT REPLY OFF | DISCARD | SET q " LONG_VALUE);
    settles(&s);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "CLIENT REPLY ON | DISCARD");
    node_says(fd, "+QUEUED\r\n+OK\r\n");
    hears(&s, c, "+OK\r\n+QUEUED\r\n+OK\r\n");
    hears_that_begins(&s, c, masterdown);
    stage_end(&s);
}

/* Its client has not heard yet that there is no transaction: CLIENT REPLY OFF used to be performed, and the
 * session was silent from then on. */
Test(session_hold, what_comes_before_its_multi_is_known_to_be_refused_is_refused)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    hold_of_requests(&s, 1);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "SET a 1 | MULTI");
    settles(&s);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SET a 1");
    client_asks(c, "CLIENT REPLY OFF | SET b 1 | EXEC | GET k");
    node_gets(&s, fd, "GET k");
    node_says(fd, "+OK\r\n$-1\r\n");
    hears(&s, c, "+OK\r\n");
    for (int i = 0; i < 4; i++)
        hears_that_begins(&s, c, masterdown);
    hears(&s, c, "$-1\r\n");
    stage_end(&s);
}

/* ---- reads ---- */

/* No replica can be read, and the master waits for its replicas: it answers reads, on a connection that no
 * write is on, and a write is held. */
Test(session_hold, reads_go_to_a_master_that_takes_no_writes)
{
    struct stage s;
    struct client reader, writer;
    int fds[2];

    stage_begin(&s);
    show(&s, (struct scene){.master = 0, .read_master = true});
    reader = client_on(&s, ROUTE_SPLIT);
    writer = client_on(&s, ROUTE_MASTER);
    client_asks(writer, "SET k v");
    is_taken_in(&s, writer);
    client_asks(reader, "GET k");
    fds[0] = admits(&s, 0, "master");
    node_gets(&s, fds[0], "GET k");
    node_says(fds[0], "$1\r\nr\r\n");
    hears(&s, reader, "$1\r\nr\r\n");
    hears_nothing(&s, writer);
    show(&s, steady);
    fds[1] = admits(&s, 0, "master");
    node_gets(&s, fds[1], "SET k v");
    node_says(fds[1], "+OK\r\n");
    hears(&s, writer, "+OK\r\n");
    close(reader.fd);
    close(writer.fd);
    stage_end(&s);
    close(fds[0]);
    close(fds[1]);
}

/* A replica that can be read again is where reads go next. */
Test(session_hold, reads_go_back_to_a_replica)
{
    struct stage s;
    struct client c;
    int fds[2];

    stage_begin(&s);
    show(&s, (struct scene){.master = 0, .read_master = true});
    c = client_on(&s, ROUTE_REPLICA);
    client_asks(c, "GET k");
    fds[0] = admits(&s, 0, "master");
    node_gets(&s, fds[0], "GET k");
    node_says(fds[0], "$1\r\nr\r\n");
    hears(&s, c, "$1\r\nr\r\n");
    show(&s, (struct scene){.master = 0, .read_master = true, .readable = 1 << 1});
    client_asks(c, "GET l");
    fds[1] = admits(&s, 1, "slave");
    node_gets(&s, fds[1], "GET l");
    node_gets_nothing(&s, fds[0]);
    close(c.fd);
    stage_end(&s);
    close(fds[0]);
    close(fds[1]);
}

/* A command is being learnt, and the session's lease is lost. It used to wait in the hold, whose time answered and freed
 * the request, and the answer of the question was written into it. */
Test(session_hold, what_is_being_learnt_is_not_answered_by_the_hold)
{
    struct stage s;
    struct client c;
    int fd, own;

    stage_begin(&s);
    hold_of_at_most(&s, 1 << 20, 100); /* ms */
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SUBSCRIBE ch");
    node_answers(&s, fd, c, "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    client_asks(c, "FOO a");
    own = node_admit(s.w, &s.nodes[0], "master", false);
    node_gets(&s, own, "Command INFO FOO");
    show(&s, switching);
    close(fd);
    for (int64_t until = turn_now(&s.w->turn) + 300; turn_now(&s.w->turn) < until;) {
        const struct session *session =
            container_of(s.host.sessions.next, const struct session, in_host);
        const struct session_request *learnt = barrier_of(&session->barrier, BARRIER_LEARNING);
        bool waits = !learnt;
        world_turn(s.w);
        list_each (it, &queue_of(&s)->requests)
            waits |= session_const_request(it) == learnt;
        cr_assert(waits, "the barrier stands for a request that is gone");
    }
    stage_end(&s);
}
