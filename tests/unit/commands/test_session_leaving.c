/*
 * session at a master that shuts down: Redis pauses writes first, so what is unanswered when the
 * connection ends in good order was not executed, and goes to whoever is master next. Without that
 * proof the outcome stays unknown.
 */
#include "unit/session_stage.h"

static const struct scene leaving = {.master = 0, .leaving = 1};
static const struct scene leaving_unseen = {.master = 0, .leaving = 1, .unseen = true};

static void goes_to_the_next_master(struct stage *s, struct client c, const char *text)
{
    hears_nothing(s, c);
    show(s, switched);
    int fd = admits(s, 1, "master");
    node_gets(s, fd, text);
    node_answers(s, fd, c, "+OK\r\n");
}

static void hears_of_unknown_outcome(struct stage *s, struct client c)
{
    char line[200];
    hears_line(s, c.fd, line, sizeof(line));
    cr_assert(strstr(line, "outcome unknown"), "%s", line);
}

Test(session_leaving, an_unanswered_write_goes_to_the_next_master)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "SET k v");
    show(&s, leaving);
    close(fd);
    goes_to_the_next_master(&s, c, "SET k v");
    stage_end(&s);
}

Test(session_leaving, the_newest_snapshot_counts)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "SET k v");
    show(&s, leaving_unseen);
    close(fd);
    settles(&s);
    show(&s, switching);
    goes_to_the_next_master(&s, c, "SET k v");
    stage_end(&s);
}

Test(session_leaving, one_that_just_dies_leaves_the_outcome_unknown)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    close(reaches_master(&s, c, "SET k v"));
    hears_of_unknown_outcome(&s, c);
    stage_end(&s);
}

Test(session_leaving, a_reset_proves_nothing)
{
    const struct linger at_once = {.l_onoff = 1};
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "SET k v");
    show(&s, leaving);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
    hears_of_unknown_outcome(&s, c);
    stage_end(&s);
}

/* What was cut short may have been followed by the answer that is missing. */
Test(session_leaving, behind_half_a_reply_the_outcome_is_unknown)
{
    struct stage s;
    struct client reader, writer;

    stage_begin(&s);
    reader = client(&s);
    writer = client(&s);
    int fd = reaches_master(&s, reader, "GET k");
    client_asks(writer, "SET k v");
    node_gets(&s, fd, "SET k v");
    show(&s, leaving);
    node_says(fd, "$10\r\n01234");
    close(fd);
    hears_of_unknown_outcome(&s, writer);
    stage_end(&s);
}

/* Only writes are paused. */
Test(session_leaving, what_is_not_paused_may_have_been_executed)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "CONFIG SET maxmemory 1");
    show(&s, leaving);
    close(fd);
    hears_of_unknown_outcome(&s, c);
    stage_end(&s);
}

Test(session_leaving, an_unanswered_transaction_goes_to_the_next_master)
{
    static const char *const said[] = {"", "+OK\r\n", "+OK\r\n+QUEUED\r\n"};
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct stage s;
        struct client c;

        stage_begin(&s);
        c = client(&s);
        int fd = reaches_master(&s, c, "MULTI | SET k v | EXEC | SET k w");
        node_answers(&s, fd, c, said[i]);
        show(&s, leaving);
        close(fd);
        hears_nothing(&s, c);
        show(&s, switched);
        fd = admits(&s, 1, "master");
        node_gets(&s, fd, "MULTI | SET k v | EXEC | SET k w");
        node_says(fd, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n");
        hears(&s, c, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n" + strlen(said[i]));
        stage_end(&s);
    }
}

Test(session_leaving, an_unanswered_exec_of_what_was_watched_answers_nil)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "WATCH k");
    node_answers(&s, fd, c, "+OK\r\n");
    client_asks(c, "MULTI | SET k v | EXEC");
    node_gets(&s, fd, "MULTI | SET k v | EXEC");
    show(&s, leaving);
    close(fd);
    settles(&s);
    show(&s, switched);
    hears(&s, c, "+OK\r\n+QUEUED\r\n*-1\r\n");
    stage_end(&s);
}

Test(session_leaving, a_blocked_pop_goes_to_the_next_master)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = reaches_master(&s, c, "BLPOP l 0");
    show(&s, leaving);
    close(fd);
    settles(&s);
    show(&s, switched);
    int next = node_admit(s.w, &s.nodes[1], "master", true);
    node_gets(&s, next, "BLPOP l 0");
    stage_end(&s);
}
