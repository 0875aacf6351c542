/*
 * upstream: every request gets its own reply, whatever the pieces, and when
 * the connection ends each one hears whether a byte of it had been sent.
 */
#include "base/log.h"
#include "unit/fake_node.h"

static void says_read(struct watched *s, const char *text)
{
    node_says_and_is_read(s->world, s->fd, s->up, &s->cut, text, strlen(text));
}

/* ---- answers ---- */

Test(upstream, requests_keep_their_order)
{
    struct watched s;
    struct asked before[2], after[2];
    struct world *w = world_new();
    char text[500];

    watched_open(&s, w, identity_nobody(&w->identities), NULL);
    ask(w, &before[0], s.up, "one ");
    ask(w, &before[1], s.up, "two ");
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_says(s.fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
    node_says(s.fd, "+PONG\r\n");
    until(s.readied == 1, world_turn(w));
    ask(w, &after[0], s.up, "three ");
    ask(w, &after[1], s.up, "four ");
    node_hears(w, s.fd, "one two three four ");
    says_read(&s, ":1\r\n:2\r\n:3\r\n");
    was_answered(&before[0], ":1\r\n");
    was_answered(&before[1], ":2\r\n");
    was_answered(&after[0], ":3\r\n");
    is_under_way(&after[1]);
    says_read(&s, ":4\r\n");
    was_answered(&after[1], ":4\r\n");
    cr_assert(upstream_idle(s.up));
    watched_end(&s);
}

#define REPLIES 8

static const char *const replies[REPLIES] = {
    "+OK\r\n",
    "-ERR an error that is longer than what must stay together of it: a piece may end in it\r\n",
    ":42\r\n",
    "$7\r\nhe\r\nllo\r\n",
    "$-1\r\n",
    "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
    "-E\r\n",
    "%1\r\n+k\r\n_\r\n",
};

/* The replies come in pieces of `piece` bytes, the first of `first`. */
static void in_pieces(size_t first, size_t piece)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked[REPLIES];
    char all[400] = "";

    for (int i = 0; i < REPLIES; i++) {
        ask(w, &asked[i], s.up, "?");
        strcat(all, replies[i]);
    }
    node_hears(w, s.fd, "????????");
    for (size_t at = 0, len = strlen(all), now = first; at < len; at += now, now = piece)
        node_says_and_is_read(w, s.fd, s.up, &s.cut, all + at, now < len - at ? now : len - at);
    for (int i = 0; i < REPLIES; i++) {
        was_answered(&asked[i], replies[i]);
        if (replies[i][0] == '-')
            cr_assert_geq(asked[i].first_len, asked[i].len < 64 ? asked[i].len : 64,
                          "an error's first piece tells what it is: %zu", asked[i].first_len);
    }
    watched_end(&s);
}

Test(upstream, replies_may_be_cut_anywhere)
{
    size_t len = 0;

    for (int i = 0; i < REPLIES; i++)
        len += strlen(replies[i]);
    for (size_t first = 1; first <= len; first++)
        in_pieces(first, len);
    in_pieces(1, 1);
    in_pieces(3, 3);
}

Test(upstream, a_swallowed_reply_disturbs_nobody)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked left, stays;

    ask(w, &left, s.up, "left ");
    ask(w, &stays, s.up, "stays ");
    node_hears(w, s.fd, "left stays ");
    left.request->owner = NULL; /* its session is gone */
    says_read(&s, "$4\r\nle");
    says_read(&s, "ft\r\n+stays\r\n");
    cr_assert_eq(left.completed, 0);
    was_answered(&stays, "+stays\r\n");
    cr_assert_eq(w->turn.requests.live, 0);
    watched_end(&s);
}

Test(upstream, a_reply_without_a_request_ends_it)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked;

    ask(w, &asked, s.up, "x");
    node_hears(w, s.fd, "x");
    says_read(&s, "+OK\r\n+OK\r\n");
    was_answered(&asked, "+OK\r\n");
    was_cut(&s, true, "a reply without a request");
    node_hears_the_end(w, s.fd);
    watched_end(&s);
}

Test(upstream, an_answer_to_what_was_not_sent_ends_it)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked;

    ask(w, &asked, s.up, "x");
    node_says(s.fd, "+OK\r\n");
    until(bytes_waiting(s.up->stream.fd) > 0, (void)0);
    until(s.cut, uv_run(&w->loop, UV_RUN_NOWAIT)); /* read before anything is flushed */
    was_cut(&s, true, "a reply without a request");
    has_failed(&asked, REQUEST_UNSENT);
    watched_end(&s);
}

Test(upstream, what_is_not_resp_ends_it)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked;

    ask(w, &asked, s.up, "x");
    node_hears(w, s.fd, "x");
    says_read(&s, "HTTP/1.1 200 OK\r\n");
    was_cut(&s, true, "the node's reply is not RESP");
    has_failed(&asked, REQUEST_LOST);
    watched_end(&s);
}

Test(upstream, an_owner_may_close_it_in_a_reply)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked one, two;

    ask(w, &one, s.up, "1");
    ask(w, &two, s.up, "2");
    one.closing = s.up;
    node_hears(w, s.fd, "12");
    says_read(&s, "+1\r\n+2\r\n");
    was_answered(&one, "+1\r\n");
    has_failed(&two, REQUEST_LOST); /* its answer does not count any more */
    was_cut(&s, false, "closed in a reply");
    watched_end(&s);
}

/* ---- writing ---- */

Test(upstream, every_byte_is_written_in_order_whatever_the_lengths)
{
    static const size_t lengths[] = {1, 100, 1024, 1025, 1, 5000, 40000, 3, 1000};
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked *asked = calloc(2000, sizeof(*asked));
    char *all = malloc(2000 * 40000), *next = all;

    for (int i = 0; i < 2000; i++) {
        size_t len = i < 1000 ? lengths[i % 9] : 100; /* a crowd of short ones, too */
        memset(next, 'a' + i % 26, len);
        ask_bytes(w, &asked[i], s.up, next, len);
        next += len;
    }
    node_hears_bytes(w, s.fd, all, (size_t)(next - all));
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(asked[i].request->state, REQUEST_SENT);
    watched_end(&s);
    for (int i = 0; i < 2000; i++)
        has_failed(&asked[i], REQUEST_LOST);
    free(all);
    free(asked);
}

/* More than the two sockets hold. */
#define LONG (8 * 1000 * 1000)

/* Four requests: written, partly written, and two not at all. */
struct jam {
    struct watched s;
    struct world *w;
    struct asked whole, partly, none[2];
    char *bytes;
};

static void jam_begin(struct jam *j)
{
    j->w = watched_ready(&j->s);
    j->bytes = malloc(LONG);
    memset(j->bytes, 'p', LONG);
    ask(j->w, &j->whole, j->s.up, "whole");
    ask_bytes(j->w, &j->partly, j->s.up, j->bytes, LONG);
    ask(j->w, &j->none[0], j->s.up, "none");
    ask(j->w, &j->none[1], j->s.up, "none");
    until(j->partly.request->state == REQUEST_SENT, world_turn(j->w));
    world_turns(j->w, LOOP_QUIET_TURNS);
    cr_assert_eq(j->whole.request->state, REQUEST_SENT);
    cr_assert_gt(j->s.up->sent, 0);
    cr_assert_eq(j->none[0].request->state, REQUEST_QUEUED);
}

static void jam_end(struct jam *j)
{
    watched_end(&j->s);
    free(j->bytes);
}

Test(upstream, a_cut_tells_the_sent_from_the_unsent)
{
    struct jam j;

    jam_begin(&j);
    upstream_cut(j.s.up, "the test cuts it");
    was_cut(&j.s, true, "the test cuts it");
    has_failed(&j.whole, REQUEST_LOST);
    has_failed(&j.partly, REQUEST_LOST);
    has_failed(&j.none[0], REQUEST_UNSENT);
    has_failed(&j.none[1], REQUEST_UNSENT);
    cr_assert_lt(j.whole.number, j.partly.number, "in their order");
    cr_assert_lt(j.partly.number, j.none[0].number);
    cr_assert_lt(j.none[0].number, j.none[1].number);
    upstream_cut(j.s.up, "twice");
    jam_end(&j);
}

Test(upstream, withdrawing_takes_what_was_not_written)
{
    struct jam j;
    struct asked later;

    jam_begin(&j);
    upstream_withdraw(j.s.up);
    has_failed(&j.none[0], REQUEST_UNSENT);
    has_failed(&j.none[1], REQUEST_UNSENT);
    is_under_way(&j.whole);
    is_under_way(&j.partly);
    cr_assert_not(j.s.cut);
    ask(j.w, &later, j.s.up, "later");
    node_hears(j.w, j.s.fd, "whole");
    node_hears_bytes(j.w, j.s.fd, j.bytes, LONG); /* what is partly written goes on */
    node_hears(j.w, j.s.fd, "later");
    says_read(&j.s, ":1\r\n:2\r\n:3\r\n");
    was_answered(&j.whole, ":1\r\n");
    was_answered(&j.partly, ":2\r\n");
    was_answered(&later, ":3\r\n");
    jam_end(&j);
}

Test(upstream, withdrawing_before_the_flush_takes_all)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked one, two, later;

    ask(w, &one, s.up, "one");
    ask(w, &two, s.up, "two");
    upstream_withdraw(s.up);
    has_failed(&one, REQUEST_UNSENT);
    has_failed(&two, REQUEST_UNSENT);
    node_hears_nothing(w, s.fd);
    ask(w, &later, s.up, "later");
    node_hears(w, s.fd, "later");
    watched_end(&s);
}

Test(upstream, withdrawing_before_it_is_ready_keeps_the_handshake)
{
    struct watched s;
    struct asked asked;
    struct world *w = world_new();
    char text[500];

    watched_open(&s, w, identity_nobody(&w->identities), NULL);
    ask(w, &asked, s.up, "x");
    until(s.up->state == UPSTREAM_VERIFYING, uv_run(&w->loop, UV_RUN_NOWAIT));
    upstream_withdraw(s.up);
    has_failed(&asked, REQUEST_UNSENT);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_says(s.fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
    node_says(s.fd, "+PONG\r\n");
    until(s.readied == 1, world_turn(w));
    watched_end(&s);
}

Test(upstream, one_request_can_be_taken_back)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked[4];

    for (int i = 0; i < 4; i++)
        ask(w, &asked[i], s.up, (const char *[]){"0", "1", "2", "3"}[i]);
    for (int i = 0; i < 4; i += 3) { /* the first and the last */
        upstream_unqueue(s.up, asked[i].request);
        cr_assert_eq(asked[i].request->state, REQUEST_WAITING);
        cr_assert_null(asked[i].request->upstream);
        is_under_way(&asked[i]);
    }
    node_hears(w, s.fd, "12");
    node_hears_nothing(w, s.fd);
    upstream_submit(s.up, asked[0].request);
    node_hears(w, s.fd, "0");
    request_free(&w->turn.requests, asked[3].request);
    watched_end(&s);
}

Test(upstream, one_request_can_be_taken_back_before_it_is_ready)
{
    struct watched s;
    struct asked asked[2];
    struct world *w = world_new();
    char text[500];

    watched_open(&s, w, identity_nobody(&w->identities), NULL);
    ask(w, &asked[0], s.up, "0");
    ask(w, &asked[1], s.up, "1");
    upstream_unqueue(s.up, asked[0].request);
    request_free(&w->turn.requests, asked[0].request);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_says(s.fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
    node_says(s.fd, "+PONG\r\n");
    node_hears(w, s.fd, "1");
    watched_end(&s);
}

/* ---- evicting, retiring, pausing ---- */

Test(upstream, others_reads_can_be_taken_elsewhere)
{
    enum { HEAD, READ, WRITE, SAME, GHOST, LAST, COUNT };
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked[COUNT];

    for (int i = 0; i < COUNT; i++)
        ask(w, &asked[i], s.up, "?");
    asked[WRITE].request->write = true;
    asked[GHOST].request->owner = NULL;
    node_hears(w, s.fd, "??????");
    upstream_evict_reads(s.up, &asked[SAME]);
    is_under_way(&asked[HEAD]); /* its reply is on its way */
    has_failed(&asked[READ], REQUEST_LOST);
    is_under_way(&asked[WRITE]);
    is_under_way(&asked[SAME]);
    has_failed(&asked[LAST], REQUEST_LOST);
    says_read(&s, "+head\r\n$4\r\nre");
    says_read(&s, "ad\r\n+write\r\n+same\r\n+ghost\r\n+last\r\n");
    was_answered(&asked[HEAD], "+head\r\n");
    was_answered(&asked[WRITE], "+write\r\n");
    was_answered(&asked[SAME], "+same\r\n");
    cr_assert_not(s.cut, "%s", s.why);
    cr_assert_eq(w->turn.requests.live, 0);
    watched_end(&s);
}

/* Also one whose client is gone. */
Test(upstream, knows_whether_a_write_is_unanswered)
{
    enum { READ, WRITE, COUNT };
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked[COUNT];

    for (int i = 0; i < COUNT; i++)
        ask(w, &asked[i], s.up, "?");
    asked[WRITE].request->write = true;
    asked[WRITE].request->owner = NULL;
    cr_assert_not(upstream_has_write(s.up)); /* it is not sent yet */
    node_hears(w, s.fd, "??");
    cr_assert(upstream_has_write(s.up));
    says_read(&s, "+read\r\n");
    cr_assert(upstream_has_write(s.up));
    says_read(&s, "+write\r\n");
    cr_assert_not(upstream_has_write(s.up));
    watched_end(&s);
}

static bool never(const struct request *request)
{
    (void)request;
    return false;
}

Test(upstream, a_read_does_not_leave_if_its_owner_says_so)
{
    const struct request_owner staying = {asked_on_reply, asked_on_failed, never};
    enum { HEAD, READ, OTHERS, COUNT };
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked[COUNT];

    for (int i = 0; i < COUNT; i++)
        ask(w, &asked[i], s.up, "?");
    node_hears(w, s.fd, "???");
    asked[READ].request->owner = &staying;
    upstream_evict_reads(s.up, &asked[HEAD]);
    has_failed(&asked[OTHERS], REQUEST_LOST);
    is_under_way(&asked[READ]);
    watched_end(&s);
    has_failed(&asked[READ], REQUEST_LOST);
}

/* What is too much for one turn goes on in the next one, also when replies come in between. */
Test(upstream, reads_leave_in_slices)
{
    enum { COUNT = 6 };
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked[COUNT];

    for (int i = 0; i < COUNT; i++)
        ask(w, &asked[i], s.up, "?");
    node_hears(w, s.fd, "??????");
    w->turn.least = TURN_HASTY;
    turn_renew(&w->turn);
    upstream_evict_reads(s.up, NULL);
    has_failed(&asked[1], REQUEST_LOST);
    has_failed(&asked[2], REQUEST_LOST);
    is_under_way(&asked[3]);
    says_read(&s, "+head\r\n+swallowed\r\n+swallowed\r\n+three\r\n");
    was_answered(&asked[0], "+head\r\n");
    was_answered(&asked[3], "+three\r\n");
    upstreams_evict(&w->turn);
    has_failed(&asked[4], REQUEST_LOST);
    is_under_way(&asked[5]);
    upstreams_evict(&w->turn);
    has_failed(&asked[5], REQUEST_LOST);
    cr_assert(list_empty(&w->turn.evicting));
    watched_end(&s);
}

Test(upstream, evicting_leaves_what_was_not_written_whole)
{
    struct jam j;

    jam_begin(&j);
    upstream_evict_reads(j.s.up, NULL);
    is_under_way(&j.whole);
    is_under_way(&j.partly); /* half a request cannot be taken back */
    is_under_way(&j.none[0]);
    node_hears(j.w, j.s.fd, "whole");
    node_hears_bytes(j.w, j.s.fd, j.bytes, LONG);
    node_hears(j.w, j.s.fd, "nonenone");
    jam_end(&j);
}

Test(upstream, retiring_an_idle_one_closes_it)
{
    struct watched s;
    struct world *w = watched_ready(&s);

    upstream_retire(s.up, "enough");
    was_cut(&s, false, "enough");
    node_hears_the_end(w, s.fd);
    watched_end(&s);
}

Test(upstream, a_retired_one_closes_with_its_last_answer)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked sent[2], unsent;

    ask(w, &sent[0], s.up, "1");
    ask(w, &sent[1], s.up, "2");
    node_hears(w, s.fd, "12");
    ask(w, &unsent, s.up, "3");
    upstream_retire(s.up, "enough");
    upstream_retire(s.up, "twice");
    has_failed(&unsent, REQUEST_UNSENT);
    says_read(&s, "+1\r\n+");
    node_hears_nothing(w, s.fd);
    cr_assert_not(s.cut);
    says_read(&s, "2\r\n");
    was_answered(&sent[0], "+1\r\n");
    was_answered(&sent[1], "+2\r\n");
    was_cut(&s, false, "enough");
    node_hears_the_end(w, s.fd);
    watched_end(&s);
}

Test(upstream, a_paused_one_is_not_read)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked, later;

    ask(w, &asked, s.up, "x");
    node_hears(w, s.fd, "x");
    upstream_pause(s.up, true);
    node_says(s.fd, "+OK\r\n");
    until(bytes_waiting(s.up->stream.fd) > 0, (void)0);
    ask(w, &later, s.up, "y"); /* writing goes on, and does not switch reading on */
    node_hears(w, s.fd, "y");
    world_turns(w, LOOP_QUIET_TURNS);
    is_under_way(&asked);
    upstream_pause(s.up, false);
    until(asked.completed, world_turn(w));
    was_answered(&asked, "+OK\r\n");
    watched_end(&s);
    has_failed(&later, REQUEST_LOST);
}

Test(upstream, what_came_before_the_end_is_read_after_a_pause)
{
    struct watched s;
    struct world *w = watched_ready(&s);
    struct asked asked, lost;

    ask(w, &asked, s.up, "x");
    ask(w, &lost, s.up, "y");
    node_hears(w, s.fd, "xy");
    upstream_pause(s.up, true);
    node_says(s.fd, "+OK\r\n");
    shutdown(s.fd, SHUT_WR);
    until(s.up->stream.gone, world_turn(w));
    world_turns(w, LOOP_QUIET_TURNS);
    cr_assert_not(s.cut);
    upstream_pause(s.up, false);
    until(s.cut, world_turn(w));
    was_answered(&asked, "+OK\r\n");
    has_failed(&lost, REQUEST_LOST);
    was_cut(&s, true, "closed by the node");
    watched_end(&s);
}

/* ---- the end ---- */

/* ---- no connection ---- */

Test(upstream, a_refused_connection_sends_nothing)
{
    struct world *w = world_new();
    struct watched s = {.world = w};
    struct target target = {.node = 1};
    struct identity *nobody = identity_nobody(&w->identities);
    struct asked asked;
    const char *error = NULL;

    node_begin_closed(&s.node, 1);
    target.view = &s.node.view;
    s.up = upstream_open(&w->turn, &target, nobody, &watched_options, &watched_owner, &s, &error);
    cr_assert_not_null(s.up, "%s", error);
    identity_release(nobody);
    ask(w, &asked, s.up, "x");
    until(s.cut, world_turn(w));
    was_cut(&s, true, "connection refused");
    has_failed(&asked, REQUEST_UNSENT);
    node_end(&s.node);
    world_end(w);
}

Test(upstream, an_address_that_cannot_be_is_told_at_once)
{
    struct world *w = world_new();
    struct topology_node view = {.id = 1, .name = "nowhere"};
    struct target target = {.node = 1, .view = &view};
    struct identity *nobody = identity_nobody(&w->identities);
    const char *error = NULL;

    cr_assert_eq(address_from_number(&view.address, "255.255.255.255", 1), 0);
    cr_assert_null(
        upstream_open(&w->turn, &target, nobody, &watched_options, &watched_owner, NULL, &error));
    cr_assert_not_null(error);
    cr_assert_eq(nobody->refs, 1);
    identity_release(nobody);
    world_end(w);
}
