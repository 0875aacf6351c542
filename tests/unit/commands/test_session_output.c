/*
 * session and large replies: nobody waits for who does not read one, it shares no more with others, and what waits for it
 * has bounds.
 */
#include "session/ahead.h"
#include "session/large.h"
#include "session/state.h"
#include "unit/session_stage.h"

enum { MB = 1024 * 1024, BETWEEN = 12 * MB }; /* more than sockets hold */

struct scene_of_two {
    struct stage s;
    struct client slow, other;
    int shared; /* the master's end of the connection that both are on */
    char *text; /* a large reply to the slow one, */
    size_t len;
};

/* A large reply is due, and behind it an answer to another one's write. */
static void begin(struct scene_of_two *t, size_t size, size_t output_limit)
{
    stage_begin(&t->s);
    t->s.options.output_limit = output_limit;
    t->slow = client(&t->s);
    t->other = client(&t->s);
    t->shared = reaches_master(&t->s, t->slow, "GET large");
    client_asks(t->other, "SET k v");
    node_gets(&t->s, t->shared, "SET k v");
    t->text = bulk(size, &t->len);
}

static void end(struct scene_of_two *t)
{
    free(t->text);
    stage_end(&t->s);
}

Test(session_output, a_write_does_not_wait_for_who_does_not_read)
{
    struct scene_of_two t;
    begin(&t, BETWEEN, 64 * MB);
    cr_assert_eq(pours(&t.s, t.shared, t.text, t.len), t.len, "the rest waits at the node");
    cr_assert_gt(t.s.host.output_bytes, BETWEEN / 2);
    node_answers(&t.s, t.shared, t.other, "+OK\r\n");
    node_hears_bytes(t.s.w, t.slow.fd, t.text, t.len);
    settles(&t.s);
    cr_assert_eq(t.s.host.output_bytes, 0);
    cr_assert_eq(t.s.shared->unread_bytes, 0);
    end(&t);
}

Test(session_output, who_is_over_output_limit_is_disconnected)
{
    struct scene_of_two t;
    begin(&t, BETWEEN, 2 * MB);
    cr_assert_eq(pours(&t.s, t.shared, t.text, t.len), t.len);
    cr_assert_eq(t.s.host.count, 1);
    cr_assert_eq(t.s.host.over_output, 1);
    cr_assert_eq(t.s.host.disconnected, 1);
    cr_assert_eq(t.s.shared->unread_bytes, 0);
    node_answers(&t.s, t.shared, t.other, "+OK\r\n");
    end(&t);
}

Test(session_output, all_together_have_a_bound_too)
{
    struct scene_of_two t;
    begin(&t, BETWEEN, 64 * MB);
    t.s.options.output_memory = 2 * MB;
    cr_assert_eq(pours(&t.s, t.shared, t.text, t.len), t.len);
    cr_assert_eq(t.s.host.over_output, 1);
    node_answers(&t.s, t.shared, t.other, "+OK\r\n");
    end(&t);
}

/* A reply that is rewritten is kept whole until it has come. */
Test(session_output, a_reply_that_is_kept_whole_has_the_bound)
{
    struct stage s;
    size_t len;
    char *text = bulk(3 * MB, &len);
    stage_begin(&s);
    s.options.output_limit = 2 * MB;
    struct client c = client(&s);
    int fd = open_transaction(&s, c);
    goes_through(&s, c, fd, "SCAN 0", "+QUEUED\r\n"); /* its cursor is rewritten */
    client_asks(c, "EXEC");
    node_gets(&s, fd, "EXEC");
    node_says(fd, "*2\r\n");
    (void)pours(&s, fd, text, len);
    until(s.host.count == 0, world_turn(s.w));
    cr_assert_eq(s.host.over_output, 1);
    cr_assert_eq(s.shared->unread_bytes, 0);
    free(text);
    stage_end(&s);
}

/* Neither replies nor requests go on: over a bound that is the end. */
static void sends_and_reads_nothing(size_t limit, size_t memory)
{
    struct stage s;
    size_t len;
    char *text = bulk(12 * MB, &len);
    stage_begin(&s);
    s.options.output_limit = limit;
    s.options.output_memory = memory;
    struct client c = client(&s);
    int fd = reaches_master(&s, c, "GET large");
    (void)pours(&s, fd, text, len); /* it is paused: nobody else is behind */
    cr_assert_eq(s.host.count, 1);
    session_look_at_stalled(&s.host, turn_now(&s.w->turn) + 100);
    char *requests = calloc(1, MB);
    memset(requests, '\n', MB);
    (void)pours(&s, c.fd, requests, MB);
    cr_assert_eq(s.host.count, 1);
    until(s.host.count == 0,
          (session_look_at_stalled(&s.host, turn_now(&s.w->turn) + 10000), world_turn(s.w)));
    cr_assert_eq(s.host.over_output, 1);
    free(requests);
    free(text);
    stage_end(&s);
}

Test(session_output, who_sends_and_reads_nothing_has_the_same_bound)
{
    sends_and_reads_nothing((size_t)256 * 1024, 128 * MB);
    sends_and_reads_nothing(64 * MB, (size_t)256 * 1024);
}

/* ---- apart ---- */

/* The slow one has its large reply, and another connection comes for what is shared. */
static int has_had_a_large_one(struct scene_of_two *t)
{
    begin(t, 2 * MB, 64 * MB);
    cr_assert_eq(pours(&t->s, t->shared, t->text, t->len), t->len);
    node_says(t->shared, "+OK\r\n");
    node_hears_bytes(t->s.w, t->slow.fd, t->text, t->len);
    hears(&t->s, t->other, "+OK\r\n");
    client_asks(t->other, "SET k w");
    int shared = admits(&t->s, 0, "master");
    node_gets(&t->s, shared, "SET k w");
    node_answers(&t->s, shared, t->other, "+OK\r\n");
    return shared;
}

Test(session_output, who_had_a_large_reply_has_a_connection_of_its_own)
{
    struct scene_of_two t;
    int shared = has_had_a_large_one(&t);
    client_asks(t.slow, "GET something");
    int own = admits(&t.s, 0, "master");
    node_gets(&t.s, own, "GET something");
    node_answers(&t.s, own, t.slow, "$1\r\nv\r\n");
    goes_through(&t.s, t.other, shared, "SET k x", "+OK\r\n");
    session_look_at_large(&t.s.host, turn_now(&t.s.w->turn) + 59000);
    goes_through(&t.s, t.slow, own, "GET something", "$1\r\nv\r\n");
    session_look_at_large(&t.s.host, turn_now(&t.s.w->turn) + 61000);
    goes_through(&t.s, t.slow, shared, "GET something", "$1\r\nv\r\n");
    end(&t);
}

Test(session_output, who_asks_for_the_same_is_on_its_own_too)
{
    struct scene_of_two t;
    int shared = has_had_a_large_one(&t);
    struct client third = client(&t.s);
    goes_through(&t.s, third, shared, "GET small", "$1\r\nv\r\n");
    client_asks(third, "GET large");
    int own = admits(&t.s, 0, "master");
    node_gets(&t.s, own, "GET large");
    node_answers(&t.s, own, third, "$5\r\nsmall\r\n"); /* not any more */
    goes_through(&t.s, third, shared, "GET large", "$5\r\nsmall\r\n");
    end(&t);
}

/* The node's client-output-buffer-limit ends the connection, and one of the reads on it may be why. */
Test(session_output, a_read_whose_connection_its_node_ends_is_sent_again_alone)
{
    struct stage s;
    stage_begin(&s);
    struct client reader = client(&s), writer = client(&s);
    int shared = reaches_master(&s, reader, "GET large");
    client_asks(writer, "SET k v");
    node_gets(&s, shared, "SET k v");
    close(shared);
    int own = admits(&s, 0, "master");
    node_gets(&s, own, "GET large");
    char line[200];
    hears_line(&s, writer.fd, line, sizeof(line));
    cr_assert(strncmp(line, "-ERR redisproxy: outcome unknown", 32) == 0, "%s", line);
    client_asks(writer, "SET k w");
    int again = admits(&s, 0, "master");
    node_gets(&s, again, "SET k w");
    node_answers(&s, again, writer, "+OK\r\n");
    close(own);
    own = admits(&s, 0, "master");
    node_gets(&s, own, "GET large");
    node_answers(&s, own, reader, "$1\r\nv\r\n");
    goes_through(&s, writer, again, "SET k x", "+OK\r\n");
    stage_end(&s);
}

/* That is no reason to suspect anybody. */
Test(session_output, at_a_switch_all_share_again)
{
    struct stage s;
    stage_begin(&s);
    struct client reader = client(&s), other = client(&s);
    int fd = reaches_master(&s, reader, "GET a");
    client_asks(other, "GET b");
    node_gets(&s, fd, "GET b");
    close(fd);
    settles(&s);
    cr_assert_eq(s.host.large_count, 2);
    show(&s, switching);
    cr_assert_eq(s.host.large_count, 0);
    show(&s, switched);
    int next = admits(&s, 1, "master");
    node_gets(&s, next, "GET a");
    node_gets(&s, next, "GET b");
    stage_end(&s);
}
