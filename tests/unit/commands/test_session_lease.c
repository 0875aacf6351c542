/*
 * session on a lease: transactions that a switch comes into the middle of,
 * leases that are not read, blocking commands that are taken back. One test
 * for each mistake that was once made here.
 */
#include "unit/session_stage.h"

/* ---- EXEC is taken back before it was written ---- */

Test(session_lease, a_withdrawn_exec_goes_out_on_the_same_lease)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "EXEC");
    is_taken_in(&s, c);
    show(&s, switching);
    node_gets_nothing(&s, fd);
    show(&s, steady);
    node_gets(&s, fd, "EXEC");
    node_answers(&s, fd, c, "*1\r\n+OK\r\n");
    stage_end(&s);
}

/* It had become a DISCARD. */
Test(session_lease, a_withdrawn_exec_that_has_to_fail_fails)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "CLIENT UNBLOCK 1", "-ERR no\r\n");
    client_asks(c, "EXEC");
    is_taken_in(&s, c);
    show(&s, switching);
    node_gets_nothing(&s, fd);
    show(&s, steady);
    node_gets(&s, fd, "DISCARD");
    node_says(fd, "+OK\r\n");
    hears(&s, c, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    stage_end(&s);
}

Test(session_lease, a_withdrawn_exec_leaves_no_open_multi_to_the_next_client)
{
    struct stage s;
    struct client c, other;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = open_transaction(&s, c);
    client_asks(c, "EXEC");
    is_taken_in(&s, c);
    show(&s, switching);
    settles(&s);
    close(c.fd);
    node_hears_the_end(s.w, fd);
    show(&s, steady);
    other = client(&s);
    (void)reaches_master(&s, other, "BLPOP l 0");
    stage_end(&s);
}

Test(session_lease, what_was_withdrawn_behind_a_sent_multi_goes_out_in_order)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "MULTI");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI"); /* not answered yet */
    client_asks(c, "SET k v | EXEC");
    is_taken_in(&s, c);
    show(&s, switching);
    node_answers(&s, fd, c, "+OK\r\n");
    node_gets_nothing(&s, fd);
    show(&s, steady);
    node_gets(&s, fd, "SET k v | EXEC");
    node_answers(&s, fd, c, "+QUEUED\r\n*1\r\n+OK\r\n");
    stage_end(&s);
}

/* ---- a lease that is not read ---- */

#define MUCH 50000 /* more than output_high and the sockets between take, less than one read */

/* The client asks for much behind a WATCH, and does not read it; returns the node's end. */
static int lease_that_is_not_read(struct stage *s, struct client c, const char *asked,
                                  const char *answered)
{
    size_t len;
    char *text = bulk(MUCH, &len);
    int fd;

    client_asks(c, asked);
    fd = admits(s, 0, "master");
    settles(s);
    text = realloc(text, len + strlen(answered) + 1);
    strcpy(text + len, answered);
    len += strlen(answered);
    node_answers(s, fd, c, "+OK\r\n");
    cr_assert_eq(pours(s, fd, text, len), len);
    free(text);
    settles(s);
    return fd;
}

static void hears_much(struct stage *s, struct client c)
{
    size_t len;
    char *text = bulk(MUCH, &len);

    node_hears_bytes(s->w, c.fd, text, len);
    free(text);
}

Test(session_lease, one_that_is_paused_and_given_back_is_read_again)
{
    struct stage s;
    struct client c, other;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = lease_that_is_not_read(&s, c, "WATCH k | GET big | UNWATCH", "+OK\r\n");
    node_gets(&s, fd, "WATCH k | GET big | UNWATCH");
    hears_much(&s, c);
    hears(&s, c, "+OK\r\n");
    other = client(&s);
    goes_through(&s, other, fd, "WATCH k", "+OK\r\n");
    stage_end(&s);
}

/* What is wrong here only a sanitizer sees. */
Test(session_lease, one_that_is_paused_and_dropped_is_not_resumed)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = lease_that_is_not_read(&s, c, "WATCH k | GET big | RESET", "");
    node_gets(&s, fd, "WATCH k | GET big");
    node_hears_the_end(s.w, fd);
    hears_much(&s, c);
    hears(&s, c, "+RESET\r\n");
    stage_end(&s);
}

/* ---- WATCH and MULTI across a switch ---- */

Test(session_lease, unwatch_forgets_a_watch_that_was_lost)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "WATCH k");
    node_answers(&s, fd, c, "+OK\r\n");
    show(&s, switched);
    node_hears_the_end(s.w, fd);
    client_asks(c, "UNWATCH");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "UNWATCH");
    node_answers(&s, fd, c, "+OK\r\n");
    goes_through(&s, c, fd, "MULTI | SET k v | EXEC", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    stage_end(&s);
}

Test(session_lease, a_write_refused_in_a_lost_transaction_does_not_spoil_the_next)
{
    static const struct scene with_replica = {.master = 0, .writable = true, .readable = 2};
    struct stage s;
    struct client c;
    char line[300];
    int fd;

    stage_begin(&s);
    show(&s, with_replica);
    c = client_on(&s, ROUTE_REPLICA);
    client_asks(c, "MULTI");
    fd = admits(&s, 1, "slave");
    node_gets(&s, fd, "MULTI");
    node_says(fd, "+OK\r\n");
    client_asks(c, "SET k v");
    hears(&s, c, "+OK\r\n-READONLY You can't write against a read only replica.\r\n");
    show(&s, steady);
    node_hears_the_end(s.w, fd);
    client_asks(c, "EXEC");
    hears_line(&s, c.fd, line, sizeof(line));
    cr_assert_eq(strncmp(line, "-EXECABORT ", 11), 0, "%s", line);
    show(&s, with_replica);
    client_asks(c, "MULTI | GET k | EXEC");
    fd = admits(&s, 1, "slave");
    node_gets(&s, fd, "MULTI | GET k | EXEC");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    stage_end(&s);
}

/* ---- rejections on a lease that the session keeps ---- */

#define READONLY "-READONLY You can't write against a read only replica.\r\n"

/* A client whose lease stays with it, and the node's end of that. */
static struct client keeper(struct stage *s, int *fd)
{
    struct client c = client(s);

    client_asks(c, "CLIENT NO-EVICT ON");
    *fd = admits(s, 0, "master");
    node_gets(s, *fd, "CLIENT NO-EVICT ON");
    node_says(*fd, "+OK\r\n");
    hears(s, c, "+OK\r\n");
    return c;
}

static void rejection_is_delivered(const char *asked, const char *answers)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = keeper(&s, &fd);
    goes_through(&s, c, fd, asked, answers);
    node_gets_nothing(&s, fd);
    stage_end(&s);
}

Test(session_lease, a_write_overtaken_by_select_is_not_sent_again)
{
    rejection_is_delivered("SET k v | SELECT 1", READONLY "+OK\r\n");
}

Test(session_lease, a_write_overtaken_by_multi_is_not_sent_again)
{
    rejection_is_delivered("SET k v | MULTI", READONLY "+OK\r\n");
    rejection_is_delivered("SET k v | MULTI | GET k", READONLY "+OK\r\n+QUEUED\r\n");
}

Test(session_lease, a_write_that_overtook_another_is_not_executed_twice)
{
    rejection_is_delivered("RPUSH a 1 | RPUSH b 1 | GET k", READONLY ":1\r\n$-1\r\n");
}

Test(session_lease, a_rejected_write_waits_longer_each_time)
{
    struct stage s;
    struct client c;
    int64_t begun;
    int fd;

    stage_begin(&s);
    c = keeper(&s, &fd);
    begun = clock_ms();
    client_asks(c, "SET k v");
    for (int i = 0; i < 8; i++) {
        node_gets(&s, fd, "SET k v");
        node_says(fd, READONLY);
    }
    node_gets(&s, fd, "SET k v");
    node_answers(&s, fd, c, "+OK\r\n");
    cr_assert_geq(clock_ms() - begun, 100, "eight tries within %d ms", (int)(clock_ms() - begun));
    stage_end(&s);
}

/* Each time on another connection: that one stands used to be proof that the node is well. */
Test(session_lease, a_command_rejected_on_leases_waits_longer_each_time)
{
    static const char loading[] = "-LOADING Redis is loading the dataset in memory\r\n";
    struct stage s;
    struct client c;
    int64_t begun;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT SETNAME joe");
    fd = admits(&s, 0, "master");
    node_permits(&s, fd, ASKED_SETNAME);
    hears(&s, c, "+OK\r\n");
    begun = clock_ms();
    client_asks(c, "WAIT 0 0 | UNSUBSCRIBE ch"); /* which gives the lease its name */
    for (int i = 0; i < 8; i++) {
        fd = admits(&s, 0, "master");
        node_gets(&s, fd, "WAIT 0 0 | Client SETNAME joe");
        node_says(fd, loading);
        node_says(fd, "+OK\r\n");
        node_hears_the_end(s.w, fd);
    }
    cr_assert_geq(clock_ms() - begun, 100, "eight tries within %d ms", (int)(clock_ms() - begun));
    stage_end(&s);
}

/* ---- commands that nobody knows ---- */

/* What the node does not know has changed nothing: the lease goes back, and to the next client. */
Test(session_lease, an_unknown_command_keeps_no_lease)
{
    struct stage s;
    struct client c, other;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "CLIENT NOSUCH");
    node_answers(&s, fd, c, "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n");
    other = client(&s);
    client_asks(other, "BLPOP l 0");
    node_gets(&s, fd, "BLPOP l 0");
    nobody_comes(&s, 0);
    stage_end(&s);
}

/* What the node does know keeps the lease, whatever unknown went before it or comes behind. */
Test(session_lease, a_state_beside_an_unknown_command_keeps_the_lease)
{
    struct stage s;
    struct client c, other;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT NOSUCH | CLIENT NO-EVICT on | CLIENT NOSUCH");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT NOSUCH | CLIENT NO-EVICT on | CLIENT NOSUCH");
    node_answers(&s, fd, c,
                 "-ERR unknown subcommand 'NOSUCH'\r\n+OK\r\n-ERR unknown subcommand 'NOSUCH'\r\n");
    other = client(&s);
    (void)reaches_master(&s, other, "BLPOP l 0");
    node_gets_nothing(&s, fd);
    stage_end(&s);
}

/* ---- a node that takes no more connections ---- */

Test(session_lease, who_needs_no_new_connection_waits_for_none)
{
    static const char question[] = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    struct stage s;
    struct client one, other;
    char got[64];
    int fd;

    stage_begin(&s);
    one = client(&s);
    fd = reaches_master(&s, one, "GET k");
    node_answers(&s, fd, one, "$-1\r\n");
    other = client(&s);
    client_asks(other, "BLPOP q 0");
    for (int i = 0; i < 12; i++)
        close(node_accept(s.w, &s.nodes[0])); /* the next try is in 100 ms then */
    settles(&s);
    client_asks(one, "GET k");
    settles(&s);
    cr_assert_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), (ssize_t)sizeof(question) - 1);
    cr_assert_eq(memcmp(got, question, sizeof(question) - 1), 0);
    node_answers(&s, fd, one, "$-1\r\n");
    stage_end(&s);
}
