/*
 * login_bound: what a client may send before it has logged in, in whole sessions, on a node that the test plays: as much
 * as Redis takes from one that has to, whatever it wants where everybody is let in, and no more than the bound until
 * the node has said which it is.
 */
#include "session/state.h"
#include "unit/session_stage.h"

#define NOAUTH "-NOAUTH Authentication required.\r\n"
#define TOO_LONG "-ERR Protocol error: unauthenticated bulk length\r\n"
#define TOO_MANY "-ERR Protocol error: unauthenticated multibulk length\r\n"
#define HEARD_CHECK HEARD_RESET HEARD_PING

enum {
    LARGE = 1000000,
    /* What the session keeps at most, and what the kernel's buffers and one read hold besides. */
    BOUNDED = 400000
};

/* Sends up to `len` bytes of a value, until nobody takes any more. Returns how many. */
static size_t pours_value(struct stage *s, struct client c, size_t len)
{
    static char bytes[LARGE];
    memset(bytes, 'x', sizeof(bytes));
    return pours(s, c.fd, bytes, len);
}

static void begins_set(struct client c, int len)
{
    char head[80];
    int little = 65536; /* what nobody reads does not fit into the kernel */
    cr_assert_eq(setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    cr_assert_eq(setsockopt(c.theirs, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
    snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", len);
    node_says(c.fd, head);
}

/* The connection on which the node is asked whether it wants a password. */
static int is_asked(struct stage *s)
{
    int fd = admits(s, 0, "master");
    node_hears(s->w, fd, HEARD_CHECK);
    return fd;
}

/* The node gets the whole request, and answers it. */
static void comes_whole(struct stage *s, struct client c, int fd)
{
    char piece[65536];
    size_t got = 0, whole = strlen("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n") + LARGE + 2;
    while (got < whole) {
        ssize_t n = -1;
        until((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) != -1, world_turn(s->w));
        cr_assert_gt(n, 0);
        got += (size_t)n;
    }
    cr_assert_eq(got, whole);
    node_says(fd, "+OK\r\n");
    hears(s, c, "+OK\r\n");
}

/* The rest of the value goes out while its beginning comes in: both sides hold little. */
static void arrives(struct stage *s, struct client c, int fd, size_t poured)
{
    poured += pours_value(s, c, LARGE - poured);
    cr_assert_eq(poured, LARGE, "only %zu bytes were taken", poured);
    node_says(c.fd, "\r\n");
    comes_whole(s, c, fd);
}

/* A client that is let in; returns the node's end of the connection that it shares. */
static int first_is_let_in(struct stage *s)
{
    struct client c = client(s);
    int fd;
    client_asks(c, "GET k");
    fd = admits(s, 0, "master");
    node_gets(s, fd, "GET k");
    node_says(fd, "$-1\r\n");
    hears(s, c, "$-1\r\n");
    return fd;
}

/* A client that stands outside, and knows it. */
static struct client outsider_at(struct stage *s, int *node)
{
    struct client c = client(s);
    char text[500];
    int fd = -1;
    client_asks(c, "GET k");
    for (int i = 0; i < 2; i++) { /* a connection that is to be let in, and one that is not */
        fd = node_accept(s->w, &s->nodes[0]);
        node_hears(s->w, fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
        node_says(fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
        node_says(fd, NOAUTH);
    }
    node_gets(s, fd, "GET k");
    node_says(fd, NOAUTH);
    hears(s, c, NOAUTH);
    *node = fd;
    return c;
}

static struct client outsider(struct stage *s)
{
    int fd;
    return outsider_at(s, &fd);
}

Test(login_bound, where_everybody_is_let_in_nothing_is_asked)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    (void)first_is_let_in(&s);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_eq(pours_value(&s, c, LARGE), LARGE, "it does not wait");
    nobody_comes(&s, 0);
    stage_end(&s);
}

Test(login_bound, a_first_request_waits_for_the_nodes_word_and_grows)
{
    struct stage s;
    struct client c;
    size_t poured;
    int check;

    stage_begin(&s);
    c = client(&s);
    begins_set(c, LARGE);
    poured = pours_value(&s, c, LARGE);
    cr_assert_lt(poured, BOUNDED);
    check = is_asked(&s);
    cr_assert_lt(poured + pours_value(&s, c, LARGE - poured), BOUNDED, "it has not said so yet");
    node_says(check, "+RESET\r\n+PONG\r\n");
    settles(&s);
    poured += pours_value(&s, c, LARGE - poured);
    cr_assert_eq(poured, LARGE);
    node_says(c.fd, "\r\n");
    settles(&s);
    stage_end(&s);
}

Test(login_bound, a_first_request_that_is_too_much_ends_with_the_nodes_word)
{
    struct stage s;
    struct client c;
    int check;

    stage_begin(&s);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_lt(pours_value(&s, c, LARGE), BOUNDED);
    check = is_asked(&s);
    node_says(check, "+RESET\r\n" NOAUTH);
    hears(&s, c, TOO_LONG);
    stage_end(&s);
}

/* The node goes before it has answered: another connection asks it again. */
Test(login_bound, a_lost_question_is_asked_again)
{
    struct stage s;
    struct client c;
    int check;

    stage_begin(&s);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_lt(pours_value(&s, c, LARGE), BOUNDED);
    check = is_asked(&s);
    close(check);
    check = is_asked(&s);
    node_says(check, "+RESET\r\n" NOAUTH);
    hears(&s, c, TOO_LONG);
    stage_end(&s);
}

Test(login_bound, who_stands_outside_may_send_what_redis_takes)
{
    struct stage s;
    struct client many, longer, whole;

    stage_begin(&s);
    many = outsider(&s);
    node_says(many.fd, "*11\r\n$3\r\nSET");
    hears(&s, many, TOO_MANY);
    longer = client(&s);
    node_says(longer.fd, "*2\r\n$3\r\nGET\r\n$16385\r\nx");
    hears(&s, longer, TOO_LONG);
    whole = client(&s);
    client_asks(whole, "SET 1 2 3 4 5 6 7 8 9 10");
    hears(&s, whole, TOO_MANY);
    stage_end(&s);
}

/* Bytes that the node has got. */
static size_t taken(struct stage *s, int fd)
{
    char got[65536];
    ssize_t n;
    settles(s);
    n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static const struct session *first_session(const struct stage *s)
{
    return container_of(s->host.sessions.next, const struct session, in_host);
}

/* The node grants so many unanswered ones, and the proxy keeps some more; the rest waits as bytes. */
Test(login_bound, who_stands_outside_is_not_far_ahead)
{
    enum { ALL = 1000, ONE = sizeof("*1\r\n$4\r\nPING\r\n") - 1 };
    struct stage s;
    struct client c;
    int fd, answered = 0;

    stage_begin(&s);
    c = outsider_at(&s, &fd);
    for (int i = 0; i < ALL; i++)
        node_says(c.fd, "*1\r\n$4\r\nPING\r\n");
    while (answered < ALL) {
        size_t n = taken(&s, fd) / ONE;
        cr_assert_gt(n, 0);
        cr_assert_leq(n, 32, "a node grants no more to one of them");
        cr_assert_leq(first_session(&s)->queue.count, 64);
        for (size_t i = 0; i < n; i++, answered++) {
            node_says(fd, NOAUTH);
            hears(&s, c, NOAUTH);
        }
    }
    cr_assert_eq(s.host.ahead_bytes, 0);
    stage_end(&s);
}

Test(login_bound, what_a_client_sent_that_has_left_is_not_sent_after_it)
{
    enum { ALL = 1000, ONE = sizeof("*1\r\n$4\r\nPING\r\n") - 1 };
    struct stage s;
    struct client c;
    size_t sent = 0, n;
    int fd;

    stage_begin(&s);
    c = outsider_at(&s, &fd);
    for (int i = 0; i < ALL; i++)
        node_says(c.fd, "*1\r\n$4\r\nPING\r\n");
    settles(&s);
    close(c.fd);
    while ((n = taken(&s, fd) / ONE) > 0) {
        sent += n;
        for (size_t i = 0; i < n; i++)
            node_says(fd, NOAUTH);
    }
    cr_assert_lt(sent, ALL / 2);
    until(s.host.count == 0, world_turn(s.w));
    stage_end(&s);
}

/* Redis would have executed AUTH before it looked at what follows. */
Test(login_bound, a_login_that_is_on_its_way_is_waited_for)
{
    struct stage s;
    struct client c;
    size_t poured;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "AUTH secret");
    begins_set(c, LARGE);
    poured = pours_value(&s, c, LARGE);
    cr_assert_lt(poured, BOUNDED);
    fd = node_accept(s.w, &s.nodes[0]);
    while (true) { /* the login's connection, among those that ask */
        char text[500], got[800];
        ssize_t n;
        settles(&s);
        n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
        cr_assert_gt(n, 0);
        got[n] = '\0';
        node_says(fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
        settles(&s);
        n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
        got[n > 0 ? n : 0] = '\0';
        if (strstr(got, "secret"))
            break;
        node_says(fd, "+RESET\r\n" NOAUTH);
        fd = node_accept(s.w, &s.nodes[0]);
    }
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "AUTH secret");
    node_says(fd, "+OK\r\n");
    hears(&s, c, "+OK\r\n");
    arrives(&s, c, fd, poured);
    stage_end(&s);
}

/* ---- there is no node that could be asked ---- */

static const char masterdown[] = "-MASTERDOWN redisproxy: no master for mymaster within ";

static void is_refused(struct stage *s, struct client c)
{
    char line[200];
    hears_line(s, c.fd, line, sizeof(line));
    cr_assert(strncmp(line, masterdown, sizeof(masterdown) - 1) == 0, "%s", line);
}

static void nobody_can_be_asked(struct stage *s, size_t hold_memory, int64_t hold_ms)
{
    stage_begin(s);
    show(s, switching);
    hold_of_at_most(s, hold_memory, hold_ms);
}

Test(login_bound, in_an_outage_it_grows_as_long_as_the_hold_has_room)
{
    struct stage s;
    struct client c;
    struct hold *hold;

    nobody_can_be_asked(&s, 2 * LARGE + 500000, 60000);
    hold = router_hold(s.host.router, 0);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_eq(pours_value(&s, c, LARGE), LARGE);
    cr_assert_geq(hold->bytes, LARGE, "it is counted");
    cr_assert_eq(hold->count, 1);
    node_says(c.fd, "\r\n");
    settles(&s);
    cr_assert_geq(hold->bytes, LARGE);
    show(&s, steady);
    comes_whole(&s, c, admits(&s, 0, "master"));
    cr_assert_eq(hold->bytes, 0);
    stage_end(&s);
}

Test(login_bound, in_an_outage_what_does_not_fit_is_refused_where_it_ends)
{
    struct stage s;
    struct client c;

    nobody_can_be_asked(&s, LARGE / 4, 60000);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_eq(pours_value(&s, c, LARGE), LARGE, "it is read on");
    cr_assert_eq(router_hold(s.host.router, 0)->bytes, 0);
    hears_nothing(&s, c);
    node_says(c.fd, "\r\n*1\r\n$4\r\nQUIT\r\n");
    is_refused(&s, c);
    hears(&s, c, "+OK\r\n");
    stage_end(&s);
}

Test(login_bound, in_an_outage_it_waits_no_longer_than_others)
{
    struct stage s;
    struct client c;

    nobody_can_be_asked(&s, 2 * LARGE, 100);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_eq(pours_value(&s, c, LARGE / 2), LARGE / 2);
    until(router_hold(s.host.router, 0)->count == 0, world_turn(s.w));
    cr_assert_eq(pours_value(&s, c, LARGE / 2), LARGE / 2);
    cr_assert_eq(router_hold(s.host.router, 0)->bytes, 0);
    node_says(c.fd, "\r\n");
    is_refused(&s, c);
    stage_end(&s);
}

Test(login_bound, a_client_that_leaves_in_an_outage)
{
    struct stage s;
    struct client c;

    nobody_can_be_asked(&s, 2 * LARGE, 60000);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_eq(pours_value(&s, c, LARGE / 2), LARGE / 2);
    close(c.fd);
    until(s.host.count == 0, world_turn(s.w));
    cr_assert_eq(router_hold(s.host.router, 0)->bytes, 0);
    stage_end(&s);
}

/* A request that is held in the air does not outlive its client. */
Test(login_bound, a_client_that_leaves_while_it_waits)
{
    struct stage s;
    struct client c;
    int check;

    stage_begin(&s);
    c = client(&s);
    begins_set(c, LARGE);
    cr_assert_lt(pours_value(&s, c, LARGE), BOUNDED);
    check = is_asked(&s);
    close(c.fd);
    settles(&s);
    node_says(check, "+RESET\r\n+PONG\r\n");
    until(s.host.count == 0, world_turn(s.w));
    stage_end(&s);
}

/* It has waited as long as a whole one would: what came of it is kept no longer, though nothing more comes. */
Test(login_bound, what_is_held_of_a_request_has_an_end)
{
    struct stage s;
    stage_begin(&s);
    hold_of_at_most(&s, (size_t)16 * 1024 * 1024, 50);
    show(&s, switching);
    struct client c = client(&s);
    struct hold *hold = router_hold(s.host.router, 0);
    begins_set(c, LARGE);
    cr_assert_eq(pours_value(&s, c, 200000), 200000);
    until(hold->bytes > 100000, world_turn(s.w));
    until(hold->bytes == 0, world_turn(s.w));
    cr_assert_eq(hold->count, 0);
    stage_end(&s);
}
