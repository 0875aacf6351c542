/*
 * session: CLIENT LIST, INFO, ID and KILL, where a node knows connections and its clients are ours.
 */
#include "unit/session_stage.h"

#define SECOND_ID "1099511627778"
#define NOBODY "1099511627776"

/* A node's line; 77 is the id of every upstream here. */
#define LINE(id, flags)                                                                            \
    "id=" id " addr=9.9.9.9:9 laddr=8.8.8.8:8 fd=5 name= age=50 idle=40 flags=" flags              \
    " db=0 sub=0 "                                                                                 \
    "psub=0 multi=-1 qbuf=26 omem=0 events=r cmd=client|list user=default redir=-1 resp=2\n"

static void node_lists(int fd, const char *text)
{
    char reply[4000];
    snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(text), text);
    node_says(fd, reply);
}

/* A whole bulk string arrives: what is in it. */
static const char *is_told(struct stage *s, struct client c, char *out, size_t size)
{
    char line[32];
    size_t len, have = 0;
    hears_line(s, c.fd, line, sizeof(line));
    cr_assert_eq(line[0], '$', "%s", line);
    len = (size_t)strtoul(line + 1, NULL, 10) + 2;
    cr_assert_lt(len, size);
    while (have < len) {
        ssize_t n = -1;
        until((n = recv(c.fd, out + have, len - have, MSG_DONTWAIT)) != -1, world_turn(s->w));
        cr_assert_gt(n, 0);
        have += (size_t)n;
    }
    out[len - 2] = '\0';
    return out;
}

static int lines_in(const char *text)
{
    int lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

/* "addr=..." of a client, as the session sees it. */
static const char *addr_of(struct client c, char *out, size_t size)
{
    struct sockaddr_in at;
    socklen_t len = sizeof(at);
    cr_assert_eq(getsockname(c.fd, (struct sockaddr *)&at, &len), 0);
    snprintf(out, size, "127.0.0.1:%d", ntohs(at.sin_port));
    return out;
}

static void has(const char *text, const char *wanted)
{
    cr_assert_not_null(strstr(text, wanted), "no %s in %s", wanted, text);
}

static void has_not(const char *text, const char *unwanted)
{
    cr_assert_null(strstr(text, unwanted), "%s in %s", unwanted, text);
}

/* ---- LIST and INFO ---- */

Test(session_clients, list_shows_sessions_and_what_is_not_ours)
{
    struct stage s;
    struct client quiet, asks;
    char text[4000], addr[40], wanted[200];
    int fd;

    stage_begin(&s);
    quiet = client(&s);
    asks = client(&s);
    fd = reaches_master(&s, asks, "CLIENT LIST");
    node_lists(fd, LINE("3", "S") LINE("77", "N"));
    is_told(&s, asks, text, sizeof(text));
    cr_assert_eq(lines_in(text), 3, "%s", text);
    has(text, "id=3 addr=9.9.9.9:9 ");
    has_not(text, "id=77 ");
    snprintf(wanted, sizeof(wanted), "id=" FIRST_ID " addr=%s ",
             addr_of(quiet, addr, sizeof(addr)));
    has(text, wanted);
    has(text, " qbuf=0 omem=0 events=r cmd=NULL user=default redir=-1 resp=2\n");
    snprintf(wanted, sizeof(wanted), "id=" SECOND_ID " addr=%s ",
             addr_of(asks, addr, sizeof(addr)));
    has(text, wanted);
    has(text, "age=0 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 qbuf=26 omem=0 events=r "
              "cmd=client|list user=default");
    stage_end(&s);
}

Test(session_clients, a_lease_tells_of_its_session)
{
    struct stage s;
    struct client blocks, asks;
    char text[4000];
    int fd;

    stage_begin(&s);
    blocks = client(&s);
    (void)reaches_master(&s, blocks, "BLPOP l 0");
    asks = client(&s);
    client_asks(asks, "CLIENT LIST");
    fd = node_accept(s.w, &s.nodes[0]);
    node_hears(s.w, fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true);
    memcpy(strstr(text, ":77"), ":78", 3);
    node_says(fd, text);
    node_says(fd, "+PONG\r\n");
    node_gets(&s, fd, "CLIENT LIST");
    node_lists(fd, LINE("77", "b") LINE("78", "N"));
    is_told(&s, asks, text, sizeof(text));
    cr_assert_eq(lines_in(text), 2, "%s", text);
    has(strstr(text, "id=" FIRST_ID), " idle=0 flags=b ");
    has(text, "cmd=blpop");
    has(strstr(text, "id=" SECOND_ID), " flags=N ");
    stage_end(&s);
}

Test(session_clients, list_by_id_and_by_type)
{
    static const struct {
        const char *asked, *shows, *hides;
        int lines;
    } cases[] = {
        {"CLIENT LIST ID " FIRST_ID, "id=" FIRST_ID, "id=" SECOND_ID, 1},
        {"CLIENT LIST ID 3 " SECOND_ID " 77", "id=3", "id=" FIRST_ID, 2},
        {"CLIENT LIST TYPE normal", "id=" FIRST_ID, "id=3", 2},
        {"CLIENT LIST TYPE replica", "id=3", "id=" FIRST_ID, 1},
        {"CLIENT LIST TYPE pubsub", "id=4", "id=" FIRST_ID, 1},
        {"CLIENT LIST TYPE master", "", "id=", 0},
    };
    struct stage s;
    struct client first, asks;
    char text[4000];
    int fd;

    stage_begin(&s);
    first = client(&s);
    asks = client(&s);
    fd = reaches_master(&s, asks, "GET k");
    node_answers(&s, fd, asks, "$-1\r\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_asks(asks, cases[i].asked);
        node_gets(&s, fd, "CLIENT LIST");
        node_lists(fd, LINE("3", "S") LINE("4", "P") LINE("77", "N"));
        is_told(&s, asks, text, sizeof(text));
        cr_assert_eq(lines_in(text), cases[i].lines, "%s: %s", cases[i].asked, text);
        has(text, cases[i].shows);
        has_not(text, cases[i].hides);
    }
    hears_nothing(&s, first);
    stage_end(&s);
}

/* What is no filter of LIST is the node's to refuse, and so is whoever may not do it. */
Test(session_clients, the_nodes_errors_are_its_own)
{
    static const char *const asked[] = {"CLIENT LIST",
                                        "CLIENT LIST TYPE wrong",
                                        "CLIENT LIST ID 0",
                                        "CLIENT LIST ID",
                                        "CLIENT INFO",
                                        "CLIENT ID",
                                        "CLIENT KILL ID str",
                                        "CLIENT KILL ID 3 wrong",
                                        "CLIENT KILL TYPE wrong",
                                        "CLIENT KILL NEWER 1"};
    struct stage s;
    struct client c;
    int fd = -1;

    stage_begin(&s);
    c = client(&s);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        client_asks(c, asked[i]);
        if (i == 0 || strncmp(asked[i], "CLIENT KILL", 11) == 0)
            fd = admits(&s, 0, "master"); /* it might end the connection that it comes on */
        node_gets(&s, fd, asked[i]);
        node_answers(&s, fd, c, "-ERR that is wrong\r\n");
    }
    stage_end(&s);
}

Test(session_clients, info_is_of_the_session)
{
    struct stage s;
    struct client c;
    char text[4000];
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "CLIENT INFO");
    node_lists(fd, LINE("77", "N"));
    is_told(&s, c, text, sizeof(text));
    cr_assert_eq(lines_in(text), 1, "%s", text);
    has(text, "id=" FIRST_ID " addr=127.0.0.1:");
    has(text, " age=0 idle=0 ");
    has(text, " cmd=client|info ");
    stage_end(&s);
}

/* In RESP3 it is a verbatim string. */
Test(session_clients, the_answer_has_the_form_of_the_nodes)
{
    struct stage s;
    struct client c;
    char line[64];
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT LIST ID 3 | CLIENT LIST TYPE master | PING");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT LIST");
    node_answers(&s, fd, c, "=19\r\ntxt:id=3 db=0 me=1\n\r\n");
    node_gets(&s, fd, "CLIENT LIST");
    node_answers(&s, fd, c, "=4\r\ntxt:\r\n");
    node_gets(&s, fd, "PING");
    node_says(fd, "+PONG\r\n");
    hears_line(&s, c.fd, line, sizeof(line));
    cr_assert_str_eq(line, "+PONG");
    stage_end(&s);
}

Test(session_clients, id_needs_no_master_once_it_is_known_who_asks)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "CLIENT ID");
    node_answers(&s, fd, c, "-NOAUTH Authentication required.\r\n");
    show(&s, switching);
    client_asks(c, "CLIENT ID");
    hears_nothing(&s, c);
    show(&s, steady);
    node_gets(&s, fd, "CLIENT ID");
    node_says(fd, ":77\r\n");
    hears(&s, c, ":" FIRST_ID "\r\n");
    show(&s, switching);
    client_asks(c, "CLIENT ID");
    hears(&s, c, ":" FIRST_ID "\r\n");
    stage_end(&s);
}

/* The node went away before it had answered. */
Test(session_clients, a_lost_question_is_asked_again)
{
    struct stage s;
    struct client c;
    char text[4000];
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "CLIENT INFO");
    close(fd);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT INFO");
    node_lists(fd, LINE("77", "N"));
    has(is_told(&s, c, text, sizeof(text)), "id=" FIRST_ID);
    client_asks(c, "CLIENT INFO");
    node_gets(&s, fd, "CLIENT INFO");
    close(c.fd); /* and now the client does */
    settles(&s);
    node_lists(fd, LINE("77", "N"));
    settles(&s);
    cr_assert_eq(s.host.count, 0);
    stage_end(&s);
}

/* ---- names ---- */

/* SLOWLOG, and whoever asks the node, know a client by its name where it has a connection for good. */
Test(session_clients, a_connection_for_good_bears_its_clients_name)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT ID | CLIENT SETNAME one | BLPOP l 1");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT ID");
    node_says(fd, ":77\r\n");
    node_permits(&s, fd, ASKED_SETNAME);
    hears(&s, c, ":" FIRST_ID "\r\n+OK\r\n");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "BLPOP l 1"); /* it goes back, and shall bear no name */
    node_answers(&s, fd, c, "*-1\r\n");
    client_asks(c, "DEBUG SLEEP 0");
    node_gets(&s, fd, "Client SETNAME one | DEBUG SLEEP 0");
    node_says(fd, "+OK\r\n+OK\r\n");
    hears(&s, c, "+OK\r\n");
    node_hears_the_end(s.w, fd);
    client_asks(c, "CLIENT NO-EVICT on");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Client SETNAME one | CLIENT NO-EVICT on");
    node_says(fd, "+OK\r\n+OK\r\n");
    hears(&s, c, "+OK\r\n");
    client_asks(c, "PING | CLIENT SETNAME two | PING | PING");
    node_gets(&s, fd, "PING | Client SETNAME two | PING | PING");
    node_says(fd, "+PONG\r\n-NOPERM no permission\r\n+PONG\r\n+PONG\r\n");
    hears(&s, c, "+PONG\r\n+OK\r\n+PONG\r\n+PONG\r\n");
    stage_end(&s);
}

/* ---- KILL ---- */

Test(session_clients, a_client_is_killed_only_by_those_who_may)
{
    struct stage s;
    struct client victim, other;
    int fd;

    stage_begin(&s);
    victim = client(&s);
    other = client(&s);
    fd = reaches_master(&s, other, "CLIENT KILL ID " FIRST_ID);
    node_answers(&s, fd, other, "-NOPERM no permission\r\n");
    hears_nothing(&s, victim);
    client_asks(other, "CLIENT KILL ID " FIRST_ID);
    node_gets(&s, fd, "CLIENT KILL ID " FIRST_ID);
    node_says(fd, ":0\r\n"); /* nobody there has that id */
    hears(&s, other, ":1\r\n");
    node_hears_the_end(s.w, victim.fd);
    stage_end(&s);
}

Test(session_clients, who_kills_itself_hears_it_and_is_gone)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "CLIENT KILL ID " FIRST_ID " SKIPME no | PING");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT KILL ID " FIRST_ID " SKIPME no");
    node_says(fd, ":0\r\n");
    hears(&s, c, ":1\r\n");
    node_hears_the_end(s.w, c.fd);
    stage_end(&s);
}

/* Whom `asked` ends of a client that subscribed, one of user u, one that only came, and who asks. */
static void ends(const char *asked, const char *node_hears_it, const char *answer, bool subscriber,
                 bool user, bool idle)
{
    struct stage s;
    struct client c[4];
    bool gone[3] = {subscriber, user, idle};
    int fd, own, lease;

    stage_begin(&s);
    for (int i = 0; i < 4; i++)
        c[i] = client(&s);
    client_asks(c[0], "SUBSCRIBE ch");
    lease = admits(&s, 0, "master");
    node_gets(&s, lease, "SUBSCRIBE ch");
    node_says(lease, "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    hears(&s, c[0], "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    client_asks(c[1], "AUTH u p");
    own = admits(&s, 0, "master");
    for (int i = 0; i < 2; i++) { /* the upstream's, and the client's */
        node_gets(&s, own, i == 0 ? "Auth u p" : "AUTH u p");
        node_says(own, "+OK\r\n");
    }
    hears(&s, c[1], "+OK\r\n");
    client_asks(c[3], asked);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, node_hears_it);
    node_says(fd, ":0\r\n");
    hears(&s, c[3], answer);
    for (int i = 0; i < 3; i++) {
        if (gone[i])
            node_hears_the_end(s.w, c[i].fd);
        else
            hears_nothing(&s, c[i]);
    }
    stage_end(&s);
}

Test(session_clients, kill_by_type)
{
    ends("CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE pubsub ID " NOBODY, ":1\r\n", true, false,
         false);
}

Test(session_clients, kill_all_but_me)
{
    ends("CLIENT KILL TYPE normal", "CLIENT KILL TYPE normal ID " NOBODY, ":2\r\n", false, true,
         true);
}

Test(session_clients, kill_by_user)
{
    ends("CLIENT KILL USER u", "CLIENT KILL USER u ID " NOBODY, ":1\r\n", false, true, false);
}

Test(session_clients, kill_by_everything)
{
    ends("CLIENT KILL SKIPME yes USER default LADDR 9.9.9.9:1",
         "CLIENT KILL SKIPME yes USER default LADDR 9.9.9.9:1", ":0\r\n", false, false, false);
}

Test(session_clients, kill_the_young)
{
    ends("CLIENT KILL MAXAGE 3600", "CLIENT KILL MAXAGE 3600 ID " NOBODY, ":0\r\n", false, false,
         false);
}

Test(session_clients, replicas_are_the_nodes_own)
{
    ends("CLIENT KILL TYPE replica", "CLIENT KILL TYPE replica", ":0\r\n", false, false, false);
}

Test(session_clients, kill_by_address)
{
    struct stage s;
    struct client victim, asks;
    char addr[40], text[100];
    int fd, lease;

    stage_begin(&s);
    victim = client(&s);
    asks = client(&s);
    snprintf(text, sizeof(text), "CLIENT KILL %s", addr_of(victim, addr, sizeof(addr)));
    client_asks(asks, text);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "CLIENT KILL ID " NOBODY);
    node_says(fd, ":0\r\n");
    hears(&s, asks, "+OK\r\n");
    node_hears_the_end(s.w, victim.fd);
    lease = reaches_master(&s, asks, text);
    node_answers(&s, lease, asks, "-ERR No such client\r\n");
    node_hears_the_end(s.w, lease); /* nobody else gets it */
    stage_end(&s);
}

/* A connection that is the node's own, beside one of ours. */
Test(session_clients, what_the_node_ended_counts_too)
{
    struct stage s;
    struct client victim, asks;
    int lease;

    stage_begin(&s);
    victim = client(&s);
    asks = client(&s);
    lease = reaches_master(&s, asks, "CLIENT KILL ID 5 " FIRST_ID);
    node_says(lease, ":1\r\n");
    hears(&s, asks, ":2\r\n");
    node_hears_the_end(s.w, victim.fd);
    stage_end(&s);
}
