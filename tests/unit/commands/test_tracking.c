/*
 * tracking: what a session carries of CLIENT TRACKING and kin when the connection it was
 * told to is lost. One test for each mistake that was once made here.
 */
#include "unit/session_stage.h"

#define INVALIDATE_ALL ">2\r\n$10\r\ninvalidate\r\n_\r\n"
#define HELLO_ANSWER "%1\r\n$2\r\nid\r\n:7\r\n"

/* Of user u, in RESP3. */
static struct client tracks_on(struct stage *s, int *lease)
{
    struct client c = client(s);
    int fd;

    client_asks(c, "HELLO 3 AUTH u p | CLIENT TRACKING ON");
    fd = admits(s, 0, "master");
    node_gets(s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(s, fd, "HELLO 3 AUTH u p");
    node_says(fd, HELLO_ANSWER);
    hears(s, c, "%1\r\n$2\r\nid\r\n:1099511627777\r\n");
    fd = admits(s, 0, "master");
    node_gets(s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(s, fd, "CLIENT TRACKING ON");
    node_answers(s, fd, c, "+OK\r\n");
    *lease = fd;
    return c;
}

static struct client tracks(struct stage *s)
{
    int lease;
    return tracks_on(s, &lease);
}

/* It used to ask for the next connection at once, for ever. */
Test(tracking, a_user_who_is_refused_after_a_switch_ends_the_session)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = tracks(&s);
    show(&s, switched);
    hears(&s, c, INVALIDATE_ALL);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "-WRONGPASS invalid username-password pair\r\n-NOAUTH no\r\n");
    node_hears_the_end(s.w, c.fd);
    nobody_comes(&s, 1);
    stage_end(&s);
}

/* It used to be lost: the lease stayed, and was never told. */
Test(tracking, what_a_hold_took_back_is_told_again)
{
    static const struct scene not_yet = {.master = 1};
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = tracks(&s);
    show(&s, switched);
    fd = node_accept(s.w, &s.nodes[1]);
    node_hears(s.w, fd, HEARD_INFO HEARD_ID HEARD_RESET);
    show(&s, not_yet);
    node_hears_the_end(s.w, fd);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(&s, fd, "CLIENT TRACKING ON");
    client_asks(c, "GET k");
    node_gets(&s, fd, "GET k");
    stage_end(&s);
}

/* The tap was missing there: the first message ended the connection, and the next one, ... */
Test(tracking, messages_come_on_the_next_connection_too)
{
    static const char message[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = tracks(&s);
    show(&s, switched);
    hears(&s, c, INVALIDATE_ALL);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(&s, fd, "CLIENT TRACKING ON");
    node_says(fd, "+OK\r\n");
    settles(&s);
    node_answers(&s, fd, c, message);
    client_asks(c, "GET k");
    node_gets(&s, fd, "GET k");
    stage_end(&s);
}

/* Back in RESP2 for a while, and on another node: tracking used to stay off. */
Test(tracking, what_no_node_takes_in_resp2_is_told_in_resp3)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = tracks_on(&s, &fd);
    goes_through(&s, c, fd, "HELLO 2", "*2\r\n$5\r\nproto\r\n:2\r\n");
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth u p");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "CLIENT TRACKING ON");
    node_says(fd, "-ERR Client tracking can be enabled only in RESP3 mode\r\n");
    client_asks(c, "HELLO 3");
    node_gets(&s, fd, "HELLO 3");
    node_says(fd, HELLO_ANSWER);
    hears(&s, c, "%1\r\n$2\r\nid\r\n:" FIRST_ID "\r\n");
    node_gets(&s, fd, "CLIENT TRACKING ON");
    stage_end(&s);
}

/* In RESP2 its messages come as those of a subscription. What it names as its own id is another one at each node,
 * and is known only when the connection stands: it used to be opened anew whenever the client said something. */
Test(tracking, who_tracks_for_itself_is_told_its_id_at_the_next_node)
{
    static const char confirmed[] =
        "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n";
    static const char message[] =
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n";
    static const char all[] = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
    char text[500], *id;
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT TRACKING ON REDIRECT " FIRST_ID " | SUBSCRIBE __redis__:invalidate");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT TRACKING ON REDIRECT 77");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "SUBSCRIBE __redis__:invalidate");
    node_says(fd, confirmed);
    hears(&s, c, "+OK\r\n");
    hears(&s, c, confirmed);
    show(&s, switched);
    hears(&s, c, all);
    fd = node_accept(s.w, &s.nodes[1]);
    node_hears(s.w, fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    client_asks(c, "PING");
    nobody_comes(&s, 1);
    node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true);
    id = strstr(text, ":77");
    cr_assert_not_null(id);
    memcpy(id, ":88", 3);
    node_says(fd, text);
    node_says(fd, "+PONG\r\n");
    node_gets(&s, fd, "SUBSCRIBE __redis__:invalidate | CLIENT TRACKING ON REDIRECT 88 | PING");
    node_says(fd, confirmed);
    node_says(fd, "+OK\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    node_says(fd, message);
    hears(&s, c, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    hears(&s, c, message);
    stage_end(&s);
}

/* Valkey 8.1: a client that copies data from another server, whose expired keys shall not be deleted. */
Test(tracking, a_source_of_an_import_is_one_at_the_next_node_too)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT IMPORT-SOURCE ON");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT IMPORT-SOURCE ON");
    node_says(fd, "+OK\r\n");
    hears(&s, c, "+OK\r\n");
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "CLIENT IMPORT-SOURCE ON");
    node_says(fd, "+OK\r\n");
    client_asks(c, "SET k v");
    node_gets(&s, fd, "SET k v");
    stage_end(&s);
}
