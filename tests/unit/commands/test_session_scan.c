/*
 * session and iterations: a page goes to the process that its cursor is of, from whatever session, and what
 * another process makes of it is not given out.
 */
#include "unit/session_stage.h"

/* The nodes' run ids begin so. */
#define RUNID_0 "00001"
#define RUNID_1 "00002"
#define RUNID_NEW "00003"

/* Cursors of theirs, as a client has them: 5 * 2^20 + 1, ... */
#define AT_0 "5242881"
#define AT_1 "5242882"
#define PAGE(cursor, len) "*2\r\n$" len "\r\n" cursor "\r\n*1\r\n$1\r\nk\r\n"
#define EMPTY_0 "*2\r\n$1\r\n1\r\n*0\r\n"

static const struct scene readers = {.master = 0, .writable = true, .readable = 2};

static void processes_begin(struct stage *s)
{
    stage_begin(s);
    s->nodes[0].view.process = topology_process(RUNID_0);
    s->nodes[1].view.process = topology_process(RUNID_1);
    show(s, readers);
}

/* What INFO server answers. */
static void says_runid(int fd, const char *begins)
{
    char info[120], reply[160];
    snprintf(info, sizeof(info), "# Server\r\nrun_id:%s%.35s\r\n", begins, REPLID_A);
    snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(info), info);
    node_says(fd, reply);
}

/* A first page, of node 0; returns the connection. */
static int scanned(struct stage *s, struct client c)
{
    client_asks(c, "SCAN 0");
    int fd = admits(s, 0, "master");
    node_gets(s, fd, "Info server | SCAN 0");
    says_runid(fd, RUNID_0);
    node_says(fd, PAGE("5", "1"));
    hears(s, c, PAGE(AT_0, "7"));
    return fd;
}

Test(session_scan, a_cursor_says_whose_it_is)
{
    struct stage s;
    processes_begin(&s);
    struct client a = client(&s), b = client(&s);
    int fd = scanned(&s, a);
    client_asks(b, "SCAN " AT_0 " COUNT 10 | HSCAN h " AT_0);
    node_gets(&s, fd, "SCAN 5 COUNT 10 | HSCAN h 5"); /* it was asked who it is */
    node_says(fd, PAGE("0", "1") PAGE("6", "1"));
    hears(&s, b, PAGE("0", "1") PAGE("6291457", "7"));
    stage_end(&s);
}

Test(session_scan, a_page_goes_where_its_iteration_began)
{
    struct stage s;
    processes_begin(&s);
    struct client reader = client_on(&s, ROUTE_SPLIT);
    client_asks(reader, "SCAN " AT_0);
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Info server | SCAN 5");
    says_runid(fd, RUNID_0);
    node_says(fd, PAGE("6", "1"));
    hears(&s, reader, PAGE("6291457", "7"));
    client_asks(reader, "SCAN 0");
    fd = admits(&s, 1, "slave");
    node_gets(&s, fd, "Info server | SCAN 0");
    stage_end(&s);
}

Test(session_scan, the_master_does_not_go_on_with_a_replicas)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    int fd = scanned(&s, c);
    client_asks(c, "SCAN " AT_1 " MATCH x");
    node_gets(&s, fd, "SCAN 0 MATCH x");
    nobody_comes(&s, 1);
    stage_end(&s);
}

/* It may be the same one that is released: nobody begins again for a hold. */
Test(session_scan, a_page_is_held)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    int fd = scanned(&s, c);
    show(&s, switching);
    client_asks(c, "SCAN " AT_0);
    node_gets_nothing(&s, fd);
    show(&s, steady);
    node_gets(&s, fd, "SCAN 5");
    stage_end(&s);
}

Test(session_scan, another_master_begins_again)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    (void)scanned(&s, c);
    show(&s, switching);
    client_asks(c, "SCAN " AT_0);
    settles(&s);
    show(&s, switched);
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Info server | SCAN 0");
    says_runid(fd, RUNID_1);
    node_says(fd, PAGE("5", "1"));
    hears(&s, c, PAGE(AT_1, "7"));
    stage_end(&s);
}

/* The snapshot does not know it yet. */
Test(session_scan, a_process_that_was_restarted_unseen)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    close(scanned(&s, c));
    settles(&s);
    client_asks(c, "SCAN " AT_0 " | PING");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Info server | SCAN 5 | PING");
    says_runid(fd, RUNID_NEW);
    node_says(fd, "*2\r\n$1\r\n");
    settles(&s);
    node_says(fd, "6\r\n*1\r\n");
    settles(&s);
    node_says(fd, "$1\r\nk\r\n+PONG\r\n");
    hears(&s, c, "*2\r\n$1\r\n3\r\n*0\r\n+PONG\r\n");
    client_asks(c, "SCAN 3");
    node_gets(&s, fd, "SCAN 0");
    stage_end(&s);
}

/* The snapshot has to do. */
Test(session_scan, a_user_who_may_not_ask)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    client_asks(c, "SCAN 0");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Info server | SCAN 0");
    node_says(fd, "-NOPERM this user has no permissions\r\n" PAGE("5", "1"));
    hears(&s, c, PAGE(AT_0, "7"));
    client_asks(c, "SCAN " AT_0);
    node_gets(&s, fd, "SCAN 5");
    stage_end(&s);
}

Test(session_scan, a_page_in_pieces)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    int fd = scanned(&s, c);
    const char *page = PAGE("5", "1");
    client_asks(c, "SCAN " AT_0);
    node_gets(&s, fd, "SCAN 5");
    for (size_t i = 0; page[i]; i++) {
        node_says_bytes(fd, page + i, 1);
        settles(&s);
    }
    hears(&s, c, PAGE(AT_0, "7"));
    stage_end(&s);
}

Test(session_scan, errors_are_the_nodes)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    int fd = scanned(&s, c);
    goes_through(&s, c, fd, "SCAN x | SCAN | HSCAN k",
                 "-ERR invalid cursor\r\n-ERR wrong\r\n-ERR wrong\r\n");
    stage_end(&s);
}

Test(session_scan, a_session_with_a_connection_of_its_own)
{
    struct stage s;
    processes_begin(&s);
    s.listeners[ROUTE_SPLIT].multiplexing = MULTIPLEXING_NO;
    struct client c = client_on(&s, ROUTE_SPLIT);
    client_asks(c, "SCAN 0");
    int master = admits(&s, 0, "master");
    node_gets(&s, master, "Info server | SCAN 0");
    says_runid(master, RUNID_0);
    node_says(master, PAGE("5", "1"));
    hears(&s, c, PAGE(AT_0, "7"));
    client_asks(c, "SCAN " AT_1 " | SCAN " AT_0);
    int replica = admits(&s, 1, "slave");
    node_gets(&s, replica, "Info server | SCAN 5");
    node_gets(&s, master, "SCAN 5"); /* reads go beside reads */
    stage_end(&s);
}

/* ---- transactions ---- */

Test(session_scan, pages_in_a_transaction)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    client_asks(c, "MULTI | SCAN 0 | GET k | SCAN " AT_1 " | SCAN " AT_0 " | EXEC | SCAN 0");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | SCAN 0 | GET k | SCAN 5 | SCAN 5 | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n" PAGE(
                      "5", "1") "$1\r\nv\r\n" PAGE("6", "1") PAGE("0", "1"));
    hears(&s, c,
          "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n" PAGE(
              AT_0, "7") "$1\r\nv\r\n" EMPTY_0 PAGE("0", "1"));
    stage_end(&s);
}

/* It is sent again, and what it asks of the old master's table means nothing to the new one. */
Test(session_scan, a_transaction_that_changes_its_master)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    client_asks(c, "MULTI | SCAN " AT_0);
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MULTI | SCAN 5");
    node_answers(&s, fd, c, "+OK\r\n+QUEUED\r\n");
    show(&s, switched);
    client_asks(c, "EXEC");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | SCAN 5 | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n*1\r\n" PAGE("6", "1"));
    hears(&s, c, "*1\r\n*2\r\n$1\r\n2\r\n*0\r\n");
    stage_end(&s);
}

/* ---- order ---- */

/* A page that was answered behind a rejected write is no reason to give that one up. */
Test(session_scan, a_page_does_not_overtake)
{
    struct stage s;
    processes_begin(&s);
    struct client c = client(&s);
    int fd = scanned(&s, c);
    client_asks(c, "SET k v | SCAN " AT_0);
    node_gets(&s, fd, "SET k v | SCAN 5");
    node_says(fd, "-LOADING Redis is loading\r\n" PAGE("5", "1"));
    node_gets(&s, fd, "SET k v | SCAN 5");
    node_says(fd, "+OK\r\n" PAGE("6", "1"));
    hears(&s, c, "+OK\r\n" PAGE("6291457", "7"));
    stage_end(&s);
}
