/*
 * upstream's states: which may follow which, what is told at each end, and in which order, and what becomes of one that
 * is shared no more.
 */
#include "base/log.h"
#include "unit/fake_node.h"

#include <signal.h>
#include <sys/wait.h>

static void says_read(struct watched *s, const char *text)
{
    node_says_and_is_read(s->world, s->fd, s->up, &s->cut, text, strlen(text));
}

/* ---- the states ---- */

Test(upstream_states, its_states_follow_one_another)
{
    struct watched s;
    struct world *w = world_new();
    char text[500];
    struct identity *nobody = identity_nobody(&w->identities);
    struct identity *in_three = identity_with_db(&w->identities, nobody, 3);

    identity_release(nobody);
    watched_open(&s, w, in_three, NULL);
    cr_assert_eq(s.opened, 0);
    cr_assert_eq(s.up->state, UPSTREAM_CONNECTING);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    cr_assert_eq(s.opened, 1);
    cr_assert_eq(s.up->state, UPSTREAM_VERIFYING);
    cr_assert_neq(s.up->deadline_ms, 0);
    node_says(s.fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
    node_says(s.fd, "+PONG\r\n");
    node_hears(w, s.fd, "*2\r\n$6\r\nSelect\r\n$1\r\n3\r\n");
    cr_assert_eq(s.up->state, UPSTREAM_ENTERING);
    cr_assert_eq(s.readied, 0);
    says_read(&s, "+OK\r\n");
    cr_assert_eq(s.up->state, UPSTREAM_READY);
    cr_assert_eq(s.readied, 1);
    cr_assert_eq(s.up->deadline_ms, 0);
    upstream_close(s.up, "the test closes it");
    cr_assert_eq(s.up->state, UPSTREAM_CLOSED);
    was_cut(&s, false, "the test closes it");
    watched_end(&s);
}

static void on_bare_ready(struct upstream *up)
{
    (void)up;
}

/* What becomes of a process that makes this transition: the status of waitpid(). */
static int enters(enum upstream_state from, enum upstream_state to)
{
    static const struct upstream_owner owner = {.on_ready = on_bare_ready};
    int status = 0;
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        struct upstream up = {.state = (uint8_t)from, .owner = &owner};
        list_init(&up.pending);
        signal(SIGABRT, SIG_DFL);
        log_set_level(LOG_ERROR + 1);
        upstream_enter(&up, to);
        _exit(up.state == to ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(upstream_states, no_state_can_be_left_out_or_come_back)
{
    static const char *const allowed[] = {/*  to:                    C  V  E  R  Closed */
                                          [UPSTREAM_CONNECTING] = "01001",
                                          [UPSTREAM_VERIFYING] = "00101",
                                          [UPSTREAM_ENTERING] = "00011",
                                          [UPSTREAM_READY] = "00001",
                                          [UPSTREAM_CLOSED] = "00000"};

    for (unsigned from = 0; from < 5; from++)
        for (unsigned to = 0; to < 5; to++) {
            int status = enters(from, to);
            if (allowed[from][to] == '1')
                cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%u to %u", from, to);
            else
                cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%u to %u", from, to);
        }
}

Test(upstream_states, its_end_is_heard_once_and_by_its_owner_first)
{
    struct watched s;
    struct asked asked;
    struct world *w = watched_ready(&s);

    ask(w, &asked, s.up, "x");
    s.requests_at_cut = &asked.completed;
    s.up->on_lost = watched_on_lost;
    s.up->lease_data = &s;
    upstream_cut(s.up, "first");
    was_cut(&s, true, "first");
    cr_assert_eq(s.completed_at_cut, 0, "its requests fail after that");
    cr_assert_eq(s.losses, 1);
    cr_assert_eq(s.completed_at_loss, 0);
    has_failed(&asked, REQUEST_UNSENT);
    cr_assert_null(s.up->identity);
    upstream_close(s.up, "second");
    upstream_refused(s.up, "third");
    upstream_retire(s.up, "fourth");
    was_cut(&s, true, "first");
    cr_assert_not(s.up->retired);
    cr_assert_eq(s.losses, 1);
    watched_end(&s);
}

Test(upstream_states, a_refused_identity_is_told_what_the_node_said)
{
    struct watched s;
    struct asked asked;
    struct world *w = watched_ready(&s);

    ask(w, &asked, s.up, "x");
    upstream_refused(s.up, "WRONGPASS no");
    was_cut(&s, false, "WRONGPASS no");
    has_failed(&asked, REQUEST_REFUSED);
    cr_assert_str_eq(asked.text, "WRONGPASS no");
    watched_end(&s);
}

Test(upstream_states, a_refused_proxy_is_an_error_and_may_wait_for_its_password)
{
    for (int waits = 0; waits < 2; waits++) {
        struct watched s;
        struct asked asked;
        struct world *w = watched_ready(&s);

        ask(w, &asked, s.up, "x");
        upstream_cut_refused(s.up, "NOPERM", waits);
        was_cut(&s, true, "NOPERM");
        cr_assert(s.refused);
        cr_assert_eq(s.waits, waits);
        has_failed(&asked, REQUEST_UNSENT);
        watched_end(&s);
    }
}

Test(upstream_states, its_end_takes_it_out_of_every_list)
{
    struct watched s;
    struct asked asked[2];
    struct list pool, idle;
    struct world *w = watched_ready(&s);

    list_init(&pool);
    list_init(&idle);
    list_append(&pool, &s.up->in_pool);
    list_append(&idle, &s.up->in_idle);
    ask(w, &asked[0], s.up, "one ");
    node_hears(w, s.fd, "one ");
    says_read(&s, "-E"); /* kept, until the error's first word is there */
    cr_assert_gt(buf_len(&s.up->stash), 0);
    ask(w, &asked[1], s.up, "two ");
    cr_assert_not(list_empty(&w->turn.dirty_upstreams));
    upstream_close(s.up, "the test closes it");
    cr_assert(list_empty(&pool));
    cr_assert(list_empty(&idle));
    cr_assert(list_empty(&w->turn.dirty_upstreams));
    cr_assert(upstream_idle(s.up));
    cr_assert_eq(s.up->send_at, &s.up->queue);
    cr_assert_eq(buf_len(&s.up->stash), 0);
    has_failed(&asked[0], REQUEST_LOST);
    has_failed(&asked[1], REQUEST_UNSENT);
    watched_end(&s);
}

/* ---- no longer shared ---- */

/* Two reads of two sessions, the first of which has a part of its reply. */
static void two_reads(struct watched *s, struct asked asked[2])
{
    struct world *w = watched_ready(s);

    log_set_level(LOG_ERROR);
    ask(w, &asked[0], s->up, "one ");
    ask(w, &asked[1], s->up, "two ");
    node_hears(w, s->fd, "one two ");
    says_read(s, "$5\r\nhe");
}

Test(upstream_states, others_leave_one_that_is_shared_no_more)
{
    struct watched s;
    struct asked asked[2];

    two_reads(&s, asked);
    upstream_unshare(s.up, &asked[0], "its reply is large");
    cr_assert(s.up->retired);
    is_under_way(&asked[0]);
    has_failed(&asked[1], REQUEST_LOST);
    says_read(&s, "llo\r\n+OK\r\n"); /* and a ghost's */
    was_answered(&asked[0], "$5\r\nhello\r\n");
    was_cut(&s, false, "its reply is large");
    watched_end(&s);
}

Test(upstream_states, a_lease_was_never_shared)
{
    struct watched s;
    struct asked asked[2];

    two_reads(&s, asked);
    s.up->leased = true;
    upstream_unshare(s.up, &asked[0], "its reply is large");
    cr_assert_not(s.up->retired);
    is_under_way(&asked[1]);
    watched_end(&s);
}

Test(upstream_states, one_that_is_not_read_is_not_shared)
{
    struct watched s;
    struct asked asked[2];

    two_reads(&s, asked);
    cr_assert(upstream_stop_reading(s.up, &asked[0]));
    cr_assert(s.up->paused);
    cr_assert(s.up->retired);
    has_failed(&asked[1], REQUEST_LOST);
    node_says(s.fd, "llo\r\n+OK\r\n");
    until(bytes_waiting(s.up->stream.fd) > 0, (void)0);
    world_turns(s.world, LOOP_QUIET_TURNS);
    is_under_way(&asked[0]);
    upstream_pause(s.up, false);
    until(asked[0].completed, world_turn(s.world));
    was_answered(&asked[0], "$5\r\nhello\r\n");
    until(s.cut, world_turn(s.world));
    watched_end(&s);
}

Test(upstream_states, one_that_others_have_stopped_to_read_stays_shared)
{
    struct watched s;
    struct asked asked[2];

    two_reads(&s, asked);
    upstream_pause(s.up, true);
    upstream_stop_reading(s.up, &asked[0]);
    cr_assert_not(s.up->retired);
    is_under_way(&asked[1]);
    watched_end(&s);
}

/* It was to end with its node, for example: what is on it is answered there. */
Test(upstream_states, one_that_is_retired_already_keeps_what_is_on_it)
{
    struct watched s;
    struct asked asked[2];

    two_reads(&s, asked);
    upstream_retire(s.up, "the node is gone");
    upstream_unshare(s.up, &asked[0], "its reply is large");
    is_under_way(&asked[1]);
    says_read(&s, "llo\r\n+OK\r\n");
    was_answered(&asked[0], "$5\r\nhello\r\n");
    was_answered(&asked[1], "+OK\r\n");
    was_cut(&s, false, "the node is gone");
    watched_end(&s);
}

/* A write cannot leave, as a read can: it does not wait for somebody who reads nothing. */
Test(upstream_states, one_with_anothers_write_is_read_on)
{
    struct watched s;
    struct asked asked[3];
    struct world *w = watched_ready(&s);

    log_set_level(LOG_ERROR);
    ask(w, &asked[0], s.up, "one ");
    ask(w, &asked[1], s.up, "two ");
    asked[1].request->write = true;
    ask(w, &asked[2], s.up, "three ");
    asked[2].request->owner_data = &asked[0]; /* its own next one */
    node_hears(w, s.fd, "one two three ");
    says_read(&s, "$5\r\nhe");
    cr_assert(upstream_serves_others(s.up, &asked[0]));
    cr_assert_not(upstream_stop_reading(s.up, &asked[0]));
    cr_assert(s.up->retired);
    cr_assert_not(s.up->paused);
    says_read(&s, "llo\r\n+OK\r\n");
    was_answered(&asked[1], "+OK\r\n");
    cr_assert_not(upstream_serves_others(s.up, &asked[0]), "only its own is left");
    cr_assert(upstream_stop_reading(s.up, &asked[0]));
    asked[2].request->owner_data = &asked[2];
    watched_end(&s);
}

Test(upstream_states, a_closed_one_stays_what_it_was)
{
    struct watched s;
    struct asked asked[2];

    two_reads(&s, asked);
    upstream_close(s.up, "the test closes it");
    cr_assert_not(upstream_stop_reading(s.up, &asked[0]));
    upstream_unshare(s.up, &asked[0], "its reply is large");
    cr_assert_not(s.up->paused);
    cr_assert_not(s.up->retired);
    watched_end(&s);
}
