/*
 * session: CLIENT PAUSE keeps writes waiting at the node, and must not keep reads waiting here.
 */
#include "unit/session_stage.h"

#define PAUSE "CLIENT PAUSE 60000 WRITE"

/* Two clients that share a connection: the node's end of it. */
static int share(struct stage *s, struct client *a, struct client *b)
{
    int fd;
    *a = client(s);
    *b = client(s);
    client_asks(*a, "GET a");
    fd = admits(s, 0, "master");
    node_gets(s, fd, "GET a");
    node_says(fd, "$-1\r\n");
    hears(s, *a, "$-1\r\n");
    return fd;
}

/* Somebody pauses the node; the node's end of his connection. */
static int pauses(struct stage *s, const char *asked, const char *answers)
{
    struct client c = client(s);
    int fd;
    fd = reaches_master(s, c, asked);
    node_answers(s, fd, c, answers);
    settles(s);
    return fd;
}

static void is_apart(struct stage *s, struct client c, const char *asked)
{
    int own;
    own = reaches_master(s, c, asked);
    node_answers(s, own, c, ":1\r\n");
    close(own); /* so that the next one is seen to come */
    settles(s);
}

static void is_shared(struct stage *s, struct client c, int fd, const char *asked)
{
    goes_through(s, c, fd, asked, ":1\r\n");
}

Test(session_pause, writes_travel_alone_and_reads_go_on)
{
    struct stage s;
    struct client a, b, c;
    int fd;

    stage_begin(&s);
    fd = share(&s, &a, &b);
    is_shared(&s, a, fd, "INCR k");
    pauses(&s, PAUSE, "+OK\r\n");
    cr_assert_gt(board_paused_until(s.w->turn.board, 0, 1), turn_now(&s.w->turn) + 50000);
    is_apart(&s, a, "INCR k");
    is_apart(&s, a, "PFCOUNT h"); /* it may replicate */
    is_shared(&s, b, fd, "STRLEN k");
    c = client(&s);
    int own = reaches_master(&s, c, "CLIENT UNPAUSE");
    node_answers(&s, own, c, "+OK\r\n");
    cr_assert_eq(board_paused_until(s.w->turn.board, 0, 1), 0);
    is_shared(&s, a, fd, "INCR k");
    stage_end(&s);
}

/* A write that went just before the pause was caught by it; the read behind it goes elsewhere. */
Test(session_pause, reads_behind_a_caught_write_are_parted_from_it)
{
    struct stage s;
    struct client a, b;
    int fd, next;

    stage_begin(&s);
    fd = share(&s, &a, &b);
    client_asks(a, "INCR k");
    node_gets(&s, fd, "INCR k");
    client_asks(b, "STRLEN k");
    node_gets(&s, fd, "STRLEN k");
    pauses(&s, PAUSE, "+OK\r\n");
    next = admits(&s, 0, "master");
    node_gets(&s, next, "STRLEN k");
    node_answers(&s, next, b, ":7\r\n");
    is_shared(&s, b, next, "STRLEN k");
    node_says(fd, ":8\r\n:8\r\n"); /* the pause is over */
    hears(&s, a, ":8\r\n");
    node_hears_the_end(s.w, fd);
    stage_end(&s);
}

Test(session_pause, it_begins_with_exec)
{
    struct stage s;
    struct client a, b;

    stage_begin(&s);
    (void)share(&s, &a, &b);
    pauses(&s, "MULTI | " PAUSE " | EXEC", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    is_apart(&s, a, "INCR k");
    stage_end(&s);
}

Test(session_pause, one_that_is_refused_changes_nothing)
{
    static const char *const asked[][2] = {
        {PAUSE, "-NOPERM no permission\r\n"},
        {"CLIENT PAUSE soon", "-ERR timeout is not an integer or out of range\r\n"},
        {"MULTI | " PAUSE " | EXEC", "+OK\r\n-NOPERM no permission\r\n-EXECABORT no\r\n"}};
    struct stage s;
    struct client a, b;
    int fd;

    stage_begin(&s);
    fd = share(&s, &a, &b);
    for (int i = 0; i < 3; i++) {
        pauses(&s, asked[i][0], asked[i][1]);
        is_shared(&s, a, fd, "INCR k");
    }
    stage_end(&s);
}

Test(session_pause, it_ends_by_itself)
{
    struct stage s;
    struct client a, b;
    int fd;
    int64_t begun;

    stage_begin(&s);
    fd = share(&s, &a, &b);
    pauses(&s, "CLIENT PAUSE 50", "+OK\r\n");
    begun = clock_ms();
    until(clock_ms() - begun > 60, world_turn(s.w));
    is_shared(&s, a, fd, "INCR k");
    cr_assert_eq(s.host.paused_until_ms, 0);
    stage_end(&s);
}

/* The next master is not paused. */
Test(session_pause, it_is_of_its_node)
{
    struct stage s;
    struct client a, b;
    int fd;

    stage_begin(&s);
    (void)share(&s, &a, &b);
    pauses(&s, PAUSE, "+OK\r\n");
    show(&s, switched);
    client_asks(a, "INCR k");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "INCR k");
    node_answers(&s, fd, a, ":1\r\n");
    is_shared(&s, b, fd, "INCR k");
    stage_end(&s);
}

/* What a stranger asks for is no pause: neither while it is on its way, nor when its connection dies. */
Test(session_pause, one_that_is_not_answered_changes_nothing)
{
    struct stage s;
    struct client a, b, c;
    int fd, own;

    stage_begin(&s);
    fd = share(&s, &a, &b);
    c = client(&s);
    client_asks(c, PAUSE);
    own = admits(&s, 0, "master");
    node_gets(&s, own, PAUSE);
    is_shared(&s, a, fd, "INCR k");
    close(c.fd);
    settles(&s);
    close(own);
    settles(&s);
    is_shared(&s, a, fd, "INCR k");
    cr_assert_eq(s.host.paused_until_ms, 0);
    cr_assert_eq(board_paused_until(s.w->turn.board, 0, 1), 0);
    stage_end(&s);
}

/* Neither is another one's over because somebody else may not pause the node. */
Test(session_pause, one_that_is_refused_ends_no_other)
{
    struct stage s;
    struct client a, b;
    int64_t until;

    stage_begin(&s);
    (void)share(&s, &a, &b);
    close(pauses(&s, PAUSE, "+OK\r\n"));
    settles(&s);
    until = board_paused_until(s.w->turn.board, 0, 1);
    pauses(&s, "CLIENT PAUSE 70000", "-NOAUTH Authentication required.\r\n");
    cr_assert_eq(board_paused_until(s.w->turn.board, 0, 1), until);
    is_apart(&s, a, "INCR k");
    stage_end(&s);
}

/* EXEC may execute nothing, or fail in this part. */
Test(session_pause, with_an_exec_that_does_not_pause_nothing_changes)
{
    static const char *const answers[] = {"+OK\r\n+QUEUED\r\n*-1\r\n",
                                          "+OK\r\n+QUEUED\r\n*1\r\n-ERR timeout\r\n",
                                          "+OK\r\n+QUEUED\r\n-EXECABORT no\r\n"};
    struct stage s;
    struct client a, b;
    int fd;

    stage_begin(&s);
    fd = share(&s, &a, &b);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        close(pauses(&s, "MULTI | " PAUSE " | EXEC", answers[i]));
        settles(&s);
        is_shared(&s, a, fd, "INCR k");
        cr_assert_eq(s.host.paused_until_ms, 0);
    }
    stage_end(&s);
}
