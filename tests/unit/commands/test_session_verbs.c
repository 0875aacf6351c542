/*
 * session: what it performs itself (AUTH, HELLO, CLIENT ...), where its own
 * knowledge and a node's have to meet. One test for each mistake that was once
 * made here.
 */
#include "unit/session_stage.h"

#define SECOND_ID "1099511627778"

/* Somebody who did not authenticate asks for a verb of the session's: may he come in? */
static int lets_in(struct stage *s)
{
    int fd = admits(s, 0, "master");

    node_gets(s, fd, "CLIENT GETNAME");
    node_says(fd, "$-1\r\n");
    return fd;
}

/* ---- who it is ---- */

Test(session_verbs, a_user_name_may_hold_any_byte)
{
    static const char auth[] = "*3\r\n$4\r\nAUTH\r\n$5\r\na\0b\0c\r\n$1\r\np\r\n";
    static const char own[] = "*3\r\n$4\r\nAuth\r\n$5\r\na\0b\0c\r\n$1\r\np\r\n";
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    node_says_bytes(c.fd, auth, sizeof(auth) - 1);
    fd = admits(&s, 0, "master");
    node_hears_bytes(s.w, fd, own, sizeof(own) - 1); /* the upstream's */
    node_says(fd, "+OK\r\n");
    node_hears_bytes(s.w, fd, auth, sizeof(auth) - 1); /* the client's */
    node_answers(&s, fd, c, "+OK\r\n");
    stage_end(&s);
}

Test(session_verbs, hello_keeps_its_name_while_it_is_held)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "HELLO 2 SETNAME foo | CLIENT GETNAME");
    settles(&s);
    show(&s, switching); /* it tries again */
    hears_nothing(&s, c);
    show(&s, steady);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "HELLO 2");
    node_says(fd, "*2\r\n$2\r\nid\r\n:5\r\n");
    hears(&s, c, "*2\r\n$2\r\nid\r\n:" FIRST_ID "\r\n");
    node_gets(&s, fd, "CLIENT GETNAME");
    node_says(fd, "$-1\r\n");
    hears(&s, c, "$3\r\nfoo\r\n");
    stage_end(&s);
}

Test(session_verbs, a_long_name_is_told_whole)
{
    struct stage s;
    struct client c;
    char name[601], text[700];
    int fd;

    stage_begin(&s);
    c = client(&s);
    memset(name, 'n', 600);
    name[600] = '\0';
    snprintf(text, sizeof(text), "CLIENT SETNAME %s | CLIENT GETNAME | GET k", name);
    client_asks(c, text);
    fd = admits(&s, 0, "master");
    node_permits(&s, fd, ASKED_SETNAME);
    node_gets(&s, fd, "CLIENT GETNAME"); /* may it? */
    node_says(fd, "$-1\r\n");
    hears(&s, c, "+OK\r\n");
    snprintf(text, sizeof(text), "$600\r\n%s\r\n", name);
    hears(&s, c, text);
    node_gets(&s, fd, "GET k");
    node_answers(&s, fd, c, "$-1\r\n");
    stage_end(&s);
}

#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"

/* Its password was changed while it was connected, and the connections to the node were lost: no
 * request on this connection can ever succeed again. */
Test(session_verbs, who_is_not_let_in_again_is_told_and_closed)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "AUTH p");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth p"); /* the upstream's */
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "AUTH p"); /* the client's */
    node_answers(&s, fd, c, "+OK\r\n");
    close(fd);
    settles(&s);
    client_asks(c, "SET k v | GET k");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth p");
    node_says(fd, WRONGPASS);
    hears(&s, c, WRONGPASS WRONGPASS); /* both were on their way */
    node_hears_the_end(s.w, c.fd);
    close(fd);
    stage_end(&s);
}

/* Who was never let in stays, and may try another one. */
Test(session_verbs, who_is_refused_at_first_may_try_again)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "AUTH q");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth q");
    node_answers(&s, fd, c, WRONGPASS);
    close(fd);
    client_asks(c, "AUTH p");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth p");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "AUTH p");
    node_answers(&s, fd, c, "+OK\r\n");
    stage_end(&s);
}

/* multiplexing = no: its own connection is there from the first command on, whichever that is. So two
 * clients that are connected are heard in the order in which they speak. */
Test(session_verbs, one_that_shares_nothing_selects_on_its_own_connection)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = MULTIPLEXING_NO;
    c = client(&s);
    client_asks(c, "AUTH q | AUTH p | SELECT 9 | GET k");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "AUTH q");
    node_says(fd, WRONGPASS);
    node_gets(&s, fd, "AUTH p");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "SELECT 9");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "GET k");
    node_says(fd, "$-1\r\n");
    hears(&s, c, WRONGPASS "+OK\r\n+OK\r\n$-1\r\n");
    nobody_comes(&s, 0);
    show(&s, switched); /* the next one becomes what this one was */
    client_asks(c, "GET k");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth p | Select 9");
    node_says(fd, "+OK\r\n+OK\r\n");
    node_gets(&s, fd, "GET k");
    stage_end(&s);
}

/* ---- other clients ---- */

/* A client that blocks, and another that asks to end that; the ends of the lease and of the shared
 * upstream. */
static struct client unblocks(struct stage *s, struct client blocked, int *lease, int *shared)
{
    struct client other = client(s);

    client_asks(blocked, "BLPOP l 0");
    *lease = admits(s, 0, "master"); /* which says that its id is 77 */
    node_gets(s, *lease, "BLPOP l 0");
    client_asks(other, "CLIENT UNBLOCK " FIRST_ID " ERROR");
    *shared = lets_in(s);
    node_gets(s, *shared, "CLIENT UNBLOCK 77 ERROR");
    return other;
}

Test(session_verbs, a_client_that_blocks_is_unblocked_by_its_id)
{
    struct stage s;
    struct client blocked, other;
    int lease, shared;

    stage_begin(&s);
    blocked = client(&s);
    other = unblocks(&s, blocked, &lease, &shared);
    node_says(shared, ":1\r\n");
    node_says(lease, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    hears(&s, other, ":1\r\n");
    hears(&s, blocked, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    client_asks(other, "CLIENT UNBLOCK " FIRST_ID);
    hears(&s, other, ":0\r\n");
    node_gets_nothing(&s, shared);
    stage_end(&s);
}

Test(session_verbs, unblock_does_not_hit_a_stranger_on_the_next_master)
{
    struct stage s;
    struct client blocked, other;
    int lease, shared;

    stage_begin(&s);
    blocked = client(&s);
    other = unblocks(&s, blocked, &lease, &shared);
    show(&s, switched);
    hears(&s, other, ":0\r\n");
    node_gets_nothing(&s, admits(&s, 1, "master"));
    stage_end(&s);
}

Test(session_verbs, unblock_is_held_without_forgetting_whom)
{
    struct stage s;
    struct client blocked, other;
    char line[200];
    int own, shared;

    stage_begin(&s);
    blocked = client(&s);
    other = client(&s);
    shared = reaches_master(&s, other, "CLIENT ID");
    node_says(shared, ":77\r\n");
    hears(&s, other, ":" SECOND_ID "\r\n");
    (void)reaches_master(&s, blocked, "BLPOP l 0");
    show(&s, switching);
    own = node_admit(s.w, &s.nodes[0], "master", false); /* takes it back, and gets no answer */
    node_gets(&s, own, "Client UNBLOCK 77 ERROR");
    client_asks(other, "CLIENT UNBLOCK " FIRST_ID);
    hears_nothing(&s, other);
    show(&s, switched);
    hears(&s, other, ":0\r\n");
    hears_line(&s, blocked.fd, line, sizeof(line));
    cr_assert(strstr(line, "outcome unknown"), "%s", line);
    node_gets_nothing(&s, admits(&s, 1, "master"));
    node_hears_the_end(s.w, shared);
    stage_end(&s);
}

/* ---- INFO ---- */

Test(session_verbs, info_has_a_section_of_ours)
{
    static const char own[] =
        "# Redisproxy\r\nredisproxy_version:" REDISPROXY_VERSION "\r\nredisproxy_route:master\r\n";
    struct stage s;
    struct client c;
    char line[200], text[2000] = "";
    size_t len = 0, claimed = 0;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "INFO");
    node_says(fd, "$21\r\n# Server\r\nport:6379\r\n");
    node_gets_nothing(&s, fd);
    node_says(fd, "\r\n");
    hears_line(&s, c.fd, line, sizeof(line));
    cr_assert_eq(sscanf(line, "$%zu", &claimed), 1);
    while (len < claimed) {
        hears_line(&s, c.fd, line, sizeof(line));
        len += (size_t)sprintf(text + len, "%s\r\n", line);
    }
    cr_assert_eq(len, claimed);
    cr_assert(strncmp(text, "# Server\r\nport:6379\r\n", 21) == 0, "%s", text);
    cr_assert_not_null(strstr(text, own), "%s", text);
    cr_assert_not_null(strstr(text, "\r\nredisproxy_group_state:steady\r\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\r\nredisproxy_sessions:1\r\n"), "%s", text);
    hears(&s, c, "\r\n");
    stage_end(&s);
}

Test(session_verbs, info_of_another_section_is_the_nodes)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "INFO server clients");
    node_answers(&s, fd, c, "$10\r\n# Server\r\n\r\n");
    goes_through(&s, c, fd, "INFO all", "-NOPERM no\r\n");
    fd = reaches_master(&s, c, "MULTI | INFO | EXEC");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n*1\r\n$2\r\nab\r\n");
    stage_end(&s);
}
