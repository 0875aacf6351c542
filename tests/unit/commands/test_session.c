/*
 * session: which request goes where and when, what becomes of it when its
 * node does not want it or its client does not read, and how a connection
 * ends. One test for each mistake that was once made here.
 */
#include "session/state.h"
#include "unit/session_stage.h"

static const struct scene with_replica = {.master = 0, .writable = true, .readable = 2};

/* ---- order ---- */

Test(session, in_split_a_read_follows_the_write_before_it_to_the_master)
{
    struct stage s;
    struct client c;
    int master, replica;

    stage_begin(&s);
    show(&s, with_replica);
    c = client_on(&s, ROUTE_SPLIT);
    master = reaches_master(&s, c, "SET k v | GET k");
    nobody_comes(&s, 1);
    node_answers(&s, master, c, "+OK\r\n$1\r\nv\r\n");
    client_asks(c, "GET k");
    replica = admits(&s, 1, "slave");
    node_gets(&s, replica, "GET k");
    stage_end(&s);
}

Test(session, in_split_a_write_waits_for_the_read_before_it_on_the_replica)
{
    struct stage s;
    struct client c;
    int master, replica;

    stage_begin(&s);
    show(&s, with_replica);
    c = client_on(&s, ROUTE_SPLIT);
    master = reaches_master(&s, c, "SET k 1");
    node_answers(&s, master, c, "+OK\r\n");
    client_asks(c, "GET k | GET l | SET k 2 | GET k");
    replica = admits(&s, 1, "slave");
    node_gets(&s, replica, "GET k | GET l");
    node_says(replica, "$1\r\n1\r\n");
    node_gets_nothing(&s, master);
    node_says(replica, "$-1\r\n");
    node_gets(&s, master, "SET k 2 | GET k");
    node_gets_nothing(&s, replica);
    node_says(master, "+OK\r\n$1\r\n2\r\n");
    hears(&s, c, "$1\r\n1\r\n$-1\r\n+OK\r\n$1\r\n2\r\n");
    stage_end(&s);
}

/* ---- a reply that its client does not read ---- */

#define LARGE 1200000 /* costs its upstream the sharing; what is more the sockets take */

Test(session, reads_taken_elsewhere_do_not_overtake_the_writes_behind_them)
{
    struct stage s;
    struct client slow, other;
    size_t len;
    char *large = bulk(LARGE, &len);
    int shared, again;

    stage_begin(&s);
    slow = client(&s);
    other = client(&s);
    shared = reaches_master(&s, slow, "GET large");
    client_asks(other, "GET k | SET k new | GET k");
    node_gets(&s, shared, "GET k | SET k new | GET k");
    cr_assert_eq(pours(&s, shared, large, len), len);
    again = admits(&s, 0, "master"); /* where the last one may go, once the write is answered */
    node_gets_nothing(&s, again);
    hears_nothing(&s, other);
    node_hears_bytes(s.w, slow.fd, large, len);
    node_answers(&s, shared, other, "$3\r\nold\r\n+OK\r\n");
    node_gets(&s, again, "GET k");
    node_answers(&s, again, other, "$3\r\nnew\r\n");
    free(large);
    stage_end(&s);
}

Test(session, a_client_that_closed_its_sending_side_hears_all_of_a_long_reply)
{
    struct stage s;
    struct client c;
    size_t len;
    char *text = bulk(100000, &len);
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "GET long");
    cr_assert_eq(pours(&s, fd, text, len), len);
    settles(&s); /* all of it waits for the client */
    cr_assert_eq(shutdown(c.fd, SHUT_WR), 0);
    settles(&s);
    node_hears_bytes(s.w, c.fd, text, len);
    node_hears_the_end(s.w, c.fd);
    free(text);
    stage_end(&s);
}

enum {
    MUCH = 48 << 20,
    LITTLE = 24 << 20
}; /* LITTLE is what two sockets' buffers hold, and more */

/* GET k is on its way on the master, the reply to GET large begins on the replica. Returns how much of it
 * was taken. */
static size_t comes_early(struct stage *s, struct client *c, int *master, int *replica,
                          const char *large, size_t len)
{
    stage_begin(s);
    show(s, with_replica);
    *c = client_on(s, ROUTE_SPLIT);
    client_asks(*c, "SET k v|GET k");
    *master = admits(s, 0, "master");
    node_gets(s, *master, "SET k v|GET k");
    node_says(*master, "+OK\r\n");
    hears(s, *c, "+OK\r\n");
    client_asks(*c, "GET large");
    *replica = admits(s, 1, "slave");
    node_gets(s, *replica, "GET large");
    return pours(s, *replica, large, len);
}

Test(session, a_large_reply_that_comes_early_waits_at_its_node)
{
    struct stage s;
    struct client c;
    int master, replica;
    size_t len, heard = 0;
    char *text = bulk(MUCH, &len), *got = malloc(len);
    size_t sent = comes_early(&s, &c, &master, &replica, text, len);

    cr_assert_lt(sent, (size_t)LITTLE, "%zu bytes were taken that nobody can have yet", sent);
    hears_nothing(&s, c);
    node_answers(&s, master, c, "$1\r\nv\r\n");
    while (heard < len) {
        ssize_t n = recv(c.fd, got + heard, len - heard, MSG_DONTWAIT);
        cr_assert_neq(n, 0);
        heard += n > 0 ? (size_t)n : 0;
        sent += pours(&s, replica, text + sent, len - sent);
        world_turn(s.w);
    }
    cr_assert_eq(memcmp(got, text, len), 0);
    free(got);
    free(text);
    stage_end(&s);
}

/* What comes before it has to be sent again: for that, all that is in flight has to land. */
Test(session, a_large_reply_that_comes_early_holds_up_no_repetition)
{
    struct stage s;
    struct client c;
    int master, replica;
    size_t len;
    char *text = bulk(MUCH, &len);
    size_t sent = comes_early(&s, &c, &master, &replica, text, len);

    node_says(master, "-LOADING Redis is loading the dataset in memory\r\n");
    until(sent == len, sent += pours(&s, replica, text + sent, len - sent));
    node_gets(&s, master, "GET k");
    free(text);
    stage_end(&s);
}

Test(session, a_client_leaves_before_its_large_reply_may_come)
{
    struct stage s;
    struct client c;
    int master, replica;
    size_t len;
    char *text = bulk(MUCH, &len);

    (void)comes_early(&s, &c, &master, &replica, text, len);
    close(c.fd);
    node_says(master, "$1\r\nv\r\n");
    until(s.host.count == 0, world_turn(s.w));
    free(text);
    stage_end(&s);
}

/* Its client reads it; all the same it would keep others waiting for as long as it takes. */
Test(session, nobody_waits_behind_a_very_large_reply)
{
    struct stage s;
    struct client large, small;
    size_t len, sent = 0, heard = 0;
    char *text = bulk((size_t)8 << 20, &len), *got = malloc(len);
    int fd, other;

    stage_begin(&s);
    large = client(&s);
    small = client(&s);
    fd = reaches_master(&s, large, "GET large");
    client_asks(small, "GET small");
    node_gets(&s, fd, "GET small");
    while (sent < (size_t)5 << 20) {
        ssize_t n = recv(large.fd, got + heard, len - heard, MSG_DONTWAIT);
        heard += n > 0 ? (size_t)n : 0;
        sent += pours(&s, fd, text + sent, (size_t)64 << 10);
    }
    other = admits(&s, 0, "master");
    node_gets(&s, other, "GET small");
    node_answers(&s, other, small, "$1\r\nv\r\n");
    client_asks(small, "SET small w");
    node_gets(&s, other, "SET small w");
    free(got);
    free(text);
    stage_end(&s);
}

/* Sent elsewhere, a read would see the write that was sent behind it. */
Test(session, a_read_before_a_write_stays_behind_a_very_large_reply)
{
    struct stage s;
    struct client large, small;
    int fd, other;

    stage_begin(&s);
    large = client(&s);
    small = client(&s);
    fd = reaches_master(&s, large, "GET large");
    client_asks(small, "GET small | SET small v | GET small");
    node_gets(&s, fd, "GET small | SET small v | GET small");
    struct session *first = container_of(s.host.sessions.next, struct session, in_host);
    struct upstream *up = session_request(first->queue.requests.next)->upstream;
    upstream_retire(up, "a reply is very large");
    upstream_evict_reads(up, first);
    other = admits(&s, 0, "master");
    node_gets_nothing(&s, other); /* the last one waits for the write to be answered */
    node_says(fd, "$1\r\nl\r\n$1\r\nu\r\n+OK\r\n");
    hears(&s, small, "$1\r\nu\r\n+OK\r\n");
    node_gets(&s, other, "GET small");
    node_answers(&s, other, small, "$1\r\nv\r\n");
    stage_end(&s);
}

/* ---- scripts on every node ---- */

static void script_load(bool copy_first)
{
    static const char loading[] = "-LOADING Redis is loading the dataset in memory\r\n";
    struct stage s;
    struct client c;
    int master, replica;

    stage_begin(&s);
    show(&s, with_replica);
    c = client(&s);
    client_asks(c, "SCRIPT LOAD code");
    master = admits(&s, 0, "master");
    replica = admits(&s, 1, "slave");
    node_gets(&s, master, "SCRIPT LOAD code");
    node_gets(&s, replica, "SCRIPT LOAD code");
    node_says(copy_first ? replica : master, copy_first ? "$3\r\nsha\r\n" : loading);
    settles(&s);
    node_says(copy_first ? master : replica, copy_first ? loading : "$3\r\nsha\r\n");
    node_gets(&s, master, "SCRIPT LOAD code");
    node_gets(&s, replica, "SCRIPT LOAD code");
    node_says(replica, "$3\r\nsha\r\n");
    hears_nothing(&s, c);
    node_answers(&s, master, c, "$3\r\nsha\r\n");
    client_asks(c, "GET k");
    node_gets(&s, master, "GET k");
    stage_end(&s);
}

Test(session, script_load_is_made_again_when_the_master_is_loading)
{
    script_load(true);
}

Test(session, script_load_is_made_again_when_the_master_is_loading_and_says_so_first)
{
    script_load(false);
}

/* ---- rejections on a shared upstream ---- */

Test(session, a_write_behind_a_rejected_one_is_not_executed_twice)
{
    static const struct scene settling = {.master = 0, .writable = true, .settling = true};
    static const char answers[] = "-NOREPLICAS Not enough good replicas to write.\r\n:1\r\n";
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    show(&s, settling);
    c = client(&s);
    fd = reaches_master(&s, c, "RPUSH a 1 | RPUSH b 1");
    node_answers(&s, fd, c, answers);
    node_gets_nothing(&s, fd);
    stage_end(&s);
}

Test(session, a_rejected_write_and_the_reads_behind_it_are_sent_again)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "SET k v | GET k");
    node_says(fd, "-LOADING Redis is loading\r\n$-1\r\n");
    node_gets(&s, fd, "SET k v | GET k");
    node_answers(&s, fd, c, "+OK\r\n$1\r\nv\r\n");
    stage_end(&s);
}

/* ---- the end of a connection ---- */

Test(session, nothing_behind_quit_is_executed)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "SET a 1 | QUIT | SET b 1");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SET a 1");
    node_says(fd, "+OK\r\n");
    hears(&s, c, "+OK\r\n+OK\r\n");
    node_hears_the_end(s.w, c.fd);
    node_gets_nothing(&s, fd);
    stage_end(&s);
}

Test(session, a_blocking_command_is_not_sent_for_a_client_that_left)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "INCR slow | BLPOP l 0");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "INCR slow");
    close(c.fd);
    settles(&s);
    node_says(fd, ":1\r\n");
    until(s.host.count == 0, world_turn(s.w));
    nobody_comes(&s, 0);
    node_gets_nothing(&s, fd);
    stage_end(&s);
}

/* What will end the session waits for a reply from another node. It used to read on; then it did not, and the stream
 * was not told: the worker's loop never slept again. */
Test(session, nothing_spins_behind_what_ends_it)
{
    struct stage s;
    struct client c;
    int master, replica;

    stage_begin(&s);
    show(&s, (struct scene){.master = 0, .writable = true, .readable = 2});
    c = client_on(&s, ROUTE_SPLIT);
    client_asks(c, "SELECT 3");
    master = admits(&s, 0, "master");
    node_gets(&s, master, "Select 3");
    node_says(master, "+OK\r\n");
    node_gets(&s, master, "SELECT 3");
    node_answers(&s, master, c, "+OK\r\n");
    client_asks(c, "GET k");
    replica = admits(&s, 1, "slave");
    node_gets(&s, replica, "Select 3");
    node_says(replica, "+OK\r\n");
    node_gets(&s, replica, "GET k");
    close(master);
    settles(&s);
    client_asks(c, "PING");
    master = admits(&s, 0, "master");
    node_gets(&s, master, "Select 3");
    node_says(master, "-ERR DB index is out of range\r\n");
    settles(&s);
    client_asks(c, "ECHO x");
    settles(&s);
    node_says(replica, "$1\r\nv\r\n");
    hears(&s, c, "$1\r\nv\r\n-ERR DB index is out of range\r\n");
    stage_end(&s);
}
