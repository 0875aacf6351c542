/*
 * admission: whom a session may share a connection with, and what the node is asked before; in whole
 * sessions, on a node that the test plays.
 */
#include "unit/session_stage.h"

#define NOAUTH "-NOAUTH Authentication required.\r\n"
#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define HEARD_CHECK HEARD_RESET HEARD_PING

/* The first client is there, and shares a connection that is the node's `fd`. */
static struct client first(struct stage *s, int *fd)
{
    struct client c = client(s);
    client_asks(c, "GET k");
    *fd = admits(s, 0, "master");
    node_gets(s, *fd, "GET k");
    node_says(*fd, "$-1\r\n");
    hears(s, c, "$-1\r\n");
    return c;
}

static void gets(struct stage *s, struct client c, int fd)
{
    goes_through(s, c, fd, "GET k", "$-1\r\n");
}

/* The connection on which the node is asked: it has no PING of its own at its beginning. */
static int is_asked(struct stage *s)
{
    int fd = admits(s, 0, "master");
    node_hears(s->w, fd, HEARD_CHECK);
    return fd;
}

static void change_rights(struct stage *s)
{
    rights_changed(&s->shared->rights[0]);
}

/* What the first connection was told a moment ago is true for the next client as well. */
Test(admission, a_fresh_proof_needs_no_question)
{
    struct stage s;
    int fd;

    stage_begin(&s);
    first(&s, &fd);
    gets(&s, client(&s), fd);
    nobody_comes(&s, 0);
    stage_end(&s);
}

Test(admission, an_old_proof_is_renewed_once_for_all_who_wait)
{
    struct stage s;
    struct client a, b, c;
    int fd, check;

    stage_begin(&s);
    a = first(&s, &fd);
    change_rights(&s);
    b = client(&s);
    c = client(&s);
    client_asks(b, "GET b");
    client_asks(c, "GET c");
    check = is_asked(&s);
    node_hears_nothing(s.w, fd);
    gets(&s, a, fd); /* who is in does not wait */
    node_says(check, "+RESET\r\n+PONG\r\n");
    node_gets(&s, fd, "GET b | GET c");
    node_says(fd, "$-1\r\n$-1\r\n");
    hears(&s, b, "$-1\r\n");
    hears(&s, c, "$-1\r\n");
    nobody_comes(&s, 0);
    node_hears_nothing(s.w, check);
    stage_end(&s);
}

Test(admission, age_makes_a_proof_old)
{
    struct stage s;
    struct client b;
    int fd, check;

    stage_begin(&s);
    first(&s, &fd);
    b = client(&s);
    goes_through(&s, b, fd, "GET b", "$-1\r\n");
    int64_t since = turn_now(&s.w->turn);
    until(turn_now(&s.w->turn) - since > PROOF_MAX_MS, world_turn(s.w));
    b = client(&s);
    client_asks(b, "GET b");
    check = is_asked(&s);
    node_hears_nothing(s.w, fd);
    node_says(check, "+RESET\r\n+PONG\r\n");
    node_gets(&s, fd, "GET b");
    stage_end(&s);
}

/* The node asks for a password: newcomers stand outside, on a connection that was never let in; who was
 * let in before shares the old one, and hears nothing of it. */
Test(admission, who_is_not_let_in_now_stands_outside)
{
    struct stage s;
    struct client a, b;
    char text[500];
    int fd, check, outside;

    stage_begin(&s);
    a = first(&s, &fd);
    change_rights(&s);
    b = client(&s);
    client_asks(b, "GET b");
    check = is_asked(&s);
    node_says(check, "+RESET\r\n" NOAUTH);
    outside = node_accept(s.w, &s.nodes[0]);
    node_hears(s.w, outside, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_says(outside, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
    node_says(outside, NOAUTH);
    node_gets(&s, outside, "GET b");
    node_answers(&s, outside, b, NOAUTH);
    gets(&s, a, fd);
    client_asks(a, "RESET | GET a"); /* it gives up what it had */
    hears(&s, a, "+RESET\r\n");
    node_gets(&s, outside, "GET a");
    node_answers(&s, outside, a, NOAUTH);
    stage_end(&s);
}

/* Its connection is lost meanwhile: the new one tells that a password is needed now. */
Test(admission, who_was_let_in_is_so_no_more_on_a_new_connection)
{
    struct stage s;
    struct client a;
    char text[500];
    int fd, next;

    stage_begin(&s);
    a = first(&s, &fd);
    close(fd);
    settles(&s);
    client_asks(a, "GET k");
    for (int i = 0; i < 2; i++) { /* one that is to be let in, and one that is not */
        next = node_accept(s.w, &s.nodes[0]);
        node_hears(s.w, next, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
        node_says(next,
                  node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
        node_says(next, NOAUTH);
    }
    node_gets(&s, next, "GET k");
    node_answers(&s, next, a, NOAUTH);
    nobody_comes(&s, 0);
    stage_end(&s);
}

/* An idle lease is older than the password, too. */
Test(admission, an_idle_lease_is_shared_no_more_freely)
{
    struct stage s;
    struct client a, b;
    int lease, check;

    stage_begin(&s);
    a = client(&s);
    lease = reaches_master(&s, a, "BLPOP l 1");
    node_answers(&s, lease, a, "*-1\r\n");
    change_rights(&s);
    b = client(&s);
    client_asks(b, "BLPOP l 1");
    check = is_asked(&s);
    node_hears_nothing(s.w, lease);
    node_says(check, "+RESET\r\n+PONG\r\n");
    node_gets(&s, lease, "BLPOP l 1");
    stage_end(&s);
}

/* The connection on which the node was asked ends without an answer: it is asked again. */
Test(admission, a_question_without_an_answer_is_asked_again)
{
    struct stage s;
    struct client b;
    int fd, check;

    stage_begin(&s);
    first(&s, &fd);
    change_rights(&s);
    b = client(&s);
    client_asks(b, "GET b");
    check = is_asked(&s);
    close(check);
    check = is_asked(&s);
    node_says(check, "+RESET\r\n+PONG\r\n");
    node_gets(&s, fd, "GET b");
    stage_end(&s);
}

Test(admission, a_client_that_leaves_while_it_waits)
{
    struct stage s;
    struct client b;
    int fd, check;

    stage_begin(&s);
    first(&s, &fd);
    change_rights(&s);
    b = client(&s);
    client_asks(b, "GET b");
    check = is_asked(&s);
    cr_assert_eq(
        setsockopt(b.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)), 0);
    close(b.fd); /* a reset */
    settles(&s);
    cr_assert_eq(s.host.count, 1);
    node_says(check, "+RESET\r\n+PONG\r\n");
    node_hears_nothing(s.w, fd);
    stage_end(&s);
}

/* A password that was shown to the master has to be shown to the replica, too, before what others were
 * let in on there is shared. */
Test(admission, a_password_is_shown_to_each_node)
{
    static const struct scene readable = {.master = 0, .writable = true, .readable = 2};
    struct stage s;
    struct client a, b;
    int master, replica;

    stage_begin(&s);
    show(&s, readable);
    a = client_on(&s, ROUTE_SPLIT);
    client_asks(a, "AUTH p");
    master = admits(&s, 0, "master");
    node_gets(&s, master, "Auth p");
    node_says(master, "+OK\r\n");
    node_gets(&s, master, "AUTH p");
    node_answers(&s, master, a, "+OK\r\n");
    client_asks(a, "GET k");
    replica = admits(&s, 1, "slave");
    node_gets(&s, replica, "Auth p");
    node_says(replica, "+OK\r\n");
    node_gets(&s, replica, "GET k");
    node_answers(&s, replica, a, "$-1\r\n");
    change_rights(&s);
    b = client_on(&s, ROUTE_SPLIT);
    goes_through(&s, b, master, "AUTH p", "+OK\r\n");
    client_asks(b, "GET k");
    node_gets(&s, replica, "Auth p"); /* the proxy's question */
    node_answers(&s, replica, b, WRONGPASS);
    node_hears_the_end(s.w, b.fd);
    client_asks(a, "GET k");
    node_gets(&s, replica, "GET k");
    stage_end(&s);
}

/* Behind CONFIG SET, also in a transaction, and behind a refused AUTH, nothing old counts. */
static void makes_old(const char *commands, const char *replies)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    uint64_t before = rights_generation(&s.shared->rights[0], 0);
    fd = reaches_master(&s, c, commands);
    cr_assert_eq(rights_generation(&s.shared->rights[0], 0), before);
    node_answers(&s, fd, c, replies);
    cr_assert_gt(rights_generation(&s.shared->rights[0], 0), before);
    stage_end(&s);
}

Test(admission, what_makes_proofs_old)
{
    makes_old("CONFIG SET requirepass p", "+OK\r\n");
    makes_old("ACL SETUSER default off", "+OK\r\n");
    makes_old("ACL DELUSER alice", ":1\r\n");
    makes_old("ACL LOAD", "+OK\r\n");
    makes_old("MULTI | CONFIG SET requirepass p | EXEC", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
}
