/*
 * session, and what blocks: it waits its own time, and who ends it with CLIENT UNBLOCK ends that command
 * and no other. One test for each mistake that was once made here.
 */
#include "unit/session_stage.h"

#define UNBLOCKED "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"

/* A client that blocks on a lease which says that its id is 77; the node's end of it. */
static int blocks(struct stage *s, struct client c)
{
    int lease;

    lease = reaches_master(s, c, "BLPOP l 0");
    return lease;
}

/* A hold begins, and the node is asked to end what blocks: its end of the proxy's own connection. */
static int hold_begins(struct stage *s)
{
    int own;

    show(s, switching);
    own = node_admit(s->w, &s->nodes[0], "master", false);
    node_gets(s, own, "Client UNBLOCK 77 ERROR");
    return own;
}

static void pops(struct stage *s, struct client c, int lease)
{
    node_answers(s, lease, c, "*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
}

Test(session_blocking, one_that_was_taken_back_waits_the_rest_of_its_time)
{
    struct stage s;
    struct client c;
    char line[2][40];
    int lease, own;
    int64_t begun;
    double left;

    stage_begin(&s);
    c = client(&s);
    lease = reaches_master(&s, c, "BLPOP l 5");
    begun = turn_now(&s.w->turn);
    show(&s, switching);
    own = node_admit(s.w, &s.nodes[0], "master", false);
    node_gets(&s, own, "Client UNBLOCK 77 ERROR");
    node_says(lease, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    node_says(own, ":1\r\n");
    hears_nothing(&s, c);
    until(turn_now(&s.w->turn) > begun, world_turn(s.w));
    show(&s, switched);
    lease = admits(&s, 1, "master");
    node_hears(s.w, lease, "*3\r\n$5\r\nBLPOP\r\n$1\r\nl\r\n");
    hears_line(&s, lease, line[0], sizeof(line[0]));
    hears_line(&s, lease, line[1], sizeof(line[1]));
    left = atof(line[1]);
    cr_assert(left > 0 && left < 5, "%s seconds are left of 5", line[1]);
    node_answers(&s, lease, c, "*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
    stage_end(&s);
}

/* The hold lasts so short that the node executes the UNBLOCK behind the next command. */
Test(session_blocking, an_unblock_that_comes_late_is_not_the_clients)
{
    struct stage s;
    struct client c;
    int lease, own;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = MULTIPLEXING_NO; /* the session keeps its lease */
    c = client(&s);
    lease = blocks(&s, c);
    own = hold_begins(&s);
    pops(&s, c, lease);
    show(&s, steady);
    client_asks(c, "BLPOP m 0");
    node_gets(&s, lease, "BLPOP m 0");
    node_says(own, ":1\r\n");
    node_says(lease, UNBLOCKED);
    node_gets(&s, lease, "BLPOP m 0");
    node_says(lease, UNBLOCKED); /* not the proxy's: there was but one */
    hears(&s, c, UNBLOCKED);
    stage_end(&s);
}

Test(session_blocking, an_unblock_that_comes_late_meets_no_other_session)
{
    struct stage s;
    struct client c, other;
    int lease;

    stage_begin(&s);
    c = client(&s);
    lease = blocks(&s, c);
    (void)hold_begins(&s);
    pops(&s, c, lease);
    node_hears_the_end(s.w, lease);
    show(&s, steady);
    other = client(&s);
    (void)blocks(&s, other);
    stage_end(&s);
}

Test(session_blocking, a_lease_whose_command_was_taken_back_is_used_again)
{
    struct stage s;
    struct client c;
    int lease;

    stage_begin(&s);
    c = client(&s);
    lease = blocks(&s, c);
    node_says(hold_begins(&s), ":1\r\n");
    node_says(lease, UNBLOCKED);
    settles(&s);
    show(&s, steady);
    node_gets(&s, lease, "BLPOP l 0");
    pops(&s, c, lease);
    stage_end(&s);
}

/* ---- a client's own CLIENT UNBLOCK ---- */

/* Another client ends what blocks; the node's end of the shared upstream. */
static int unblocks(struct stage *s, struct client other, const char *asks, const char *sends)
{
    int shared;

    client_asks(other, asks);
    shared = admits(s, 0, "master");
    node_gets(s, shared, "CLIENT GETNAME"); /* may it ask anything? */
    node_says(shared, "$-1\r\n");
    node_gets(s, shared, sends);
    return shared;
}

Test(session_blocking, what_a_client_ended_is_not_sent_again)
{
    struct stage s;
    struct client c, other;
    int lease, shared;

    stage_begin(&s);
    c = client(&s);
    other = client(&s);
    lease = blocks(&s, c);
    shared = unblocks(&s, other, "CLIENT UNBLOCK " FIRST_ID " ERROR", "CLIENT UNBLOCK 77 ERROR");
    (void)hold_begins(&s);
    node_says(shared, ":1\r\n");
    node_says(lease, UNBLOCKED);
    hears(&s, other, ":1\r\n");
    hears(&s, c, UNBLOCKED);
    stage_end(&s);
}

Test(session_blocking, a_clients_unblock_that_comes_late_meets_no_other_session)
{
    struct stage s;
    struct client c, other;
    int lease;

    stage_begin(&s);
    c = client(&s);
    other = client(&s);
    lease = blocks(&s, c);
    (void)unblocks(&s, other, "CLIENT UNBLOCK " FIRST_ID, "CLIENT UNBLOCK 77");
    pops(&s, c, lease);
    node_hears_the_end(s.w, lease);
    stage_end(&s);
}

/* Its master may go many times while it waits: it is not why. */
Test(session_blocking, one_that_waits_outlives_many_masters)
{
    struct stage s;
    struct client c;
    int lease;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "XREAD BLOCK 0 STREAMS q $");
    for (int i = 0; i < 8; i++) {
        lease = admits(&s, 0, "master");
        node_gets(&s, lease, "XREAD BLOCK 0 STREAMS q $");
        close(lease);
    }
    lease = admits(&s, 0, "master");
    node_gets(&s, lease, "XREAD BLOCK 0 STREAMS q $");
    node_answers(&s, lease, c, "*-1\r\n");
    stage_end(&s);
}
