/*
 * session_replication: the tunnel between a replica and its node passes on every byte of the node's, and of
 * the other side what a replica says; it keeps few: neither side is read while the other one takes nothing.
 */
#include "unit/session_stage.h"

/* LITTLE is what the kernel keeps for four sockets, and more. */
enum { MUCH = 48 << 20, LITTLE = 24 << 20 };

static struct client replica(struct stage *s, int *node)
{
    stage_begin(s);
    s->listeners[ROUTE_MASTER].allow_replication = true;
    struct client c = client(s);
    client_asks(c, "PSYNC ? -1");
    *node = admits(s, 0, "master");
    node_gets(s, *node, "PSYNC ? -1");
    node_says(*node, "+CONTINUE\r\n");
    hears(s, c, "+CONTINUE\r\n");
    return c;
}

/* What one side sends while the other one reads nothing, and then does. */
static void passes(struct stage *s, int from, int to)
{
    char *bytes = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (char)(i % 251);
    size_t sent = pours(s, from, bytes, MUCH);
    cr_assert_lt(sent, (size_t)LITTLE, "%zu bytes were taken that nobody wants", sent);
    node_hears_bytes(s->w, to, bytes, sent);
    sent = pours(s, from, "more", 4);
    node_hears_bytes(s->w, to, "more", sent);
    free(bytes);
}

/* So many ACKs of the same length that no socket takes them all; to be freed. */
static char *acks(size_t *one, size_t *all)
{
    const char *ack = wire("REPLCONF ACK 1234567890");
    *one = strlen(ack);
    *all = MUCH / *one * *one;
    char *bytes = malloc(*all);
    for (size_t i = 0; i < *all; i += *one)
        memcpy(bytes + i, ack, *one);
    return bytes;
}

static void acks_pass(struct stage *s, struct client c, int node)
{
    size_t one, all;
    char *bytes = acks(&one, &all);
    size_t sent = pours(s, c.fd, bytes, all), whole = sent / one * one;
    cr_assert_lt(sent, (size_t)LITTLE, "%zu bytes were taken that nobody wants", sent);
    node_hears_bytes(s->w, node, bytes, whole);
    if (sent > whole) {
        cr_assert_eq(pours(s, c.fd, bytes + sent, whole + one - sent), whole + one - sent);
        node_hears_bytes(s->w, node, bytes, one);
    }
    free(bytes);
}

Test(session_replication, a_node_that_does_not_read_holds_up_its_replica)
{
    struct stage s;
    int node;
    struct client c = replica(&s, &node);
    acks_pass(&s, c, node);
    acks_pass(&s, c, node);
    close(c.fd);
    close(node);
    stage_end(&s);
}

Test(session_replication, a_replica_that_does_not_read_holds_up_its_node)
{
    struct stage s;
    int node;
    struct client c = replica(&s, &node);
    passes(&s, node, c.fd);
    passes(&s, node, c.fd);
    close(c.fd);
    close(node);
    stage_end(&s);
}

/* What was not written when nothing may go to the node would be missing in the middle of it. */
Test(session_replication, bytes_that_cannot_go_to_their_node_end_it)
{
    struct stage s;
    int node;
    struct client c = replica(&s, &node);
    size_t one, all;
    char *bytes = acks(&one, &all);
    (void)pours(&s, c.fd, bytes, all);
    show(&s, switching);
    until(s.host.count == 0, world_turn(s.w));
    free(bytes);
    close(c.fd);
    close(node);
    stage_end(&s);
}

/* ---- what a replica says, and what not ---- */

Test(session_replication, a_replica_reports)
{
    struct stage s;
    int node;
    struct client c = replica(&s, &node);
    client_asks(c,
                "REPLCONF ACK 1 | replconf ack 2 FACK 3 | PING | REPLCONF capa eof capa psync2 | "
                "REPLCONF listening-port 1 ip-address x rdb-only 1 rdb-filter-only x version 7");
    node_gets(&s, node,
              "REPLCONF ACK 1 | replconf ack 2 FACK 3 | PING | REPLCONF capa eof capa psync2 | "
              "REPLCONF listening-port 1 ip-address x rdb-only 1 rdb-filter-only x version 7");
    node_says(c.fd, "\n");
    node_hears(s.w, node, "\n");
    node_says(c.fd, "\r\nREPLCONF ACK 4\r\n");
    node_hears(s.w, node, "\n");
    node_gets(&s, node, "REPLCONF ACK 4");
    const char *ack = wire("REPLCONF ACK 5");
    for (size_t i = 0; ack[i]; i++) {
        node_says_bytes(c.fd, ack + i, 1);
        settles(&s);
    }
    node_gets(&s, node, "REPLCONF ACK 5");
    node_answers(&s, node, c, "*1\r\n$4\r\nPING\r\n");
    stage_end(&s);
}

/* It would be executed as a client's. */
static void is_cut_off(const char *bytes)
{
    struct stage s;
    int node;
    struct client c = replica(&s, &node);
    client_asks(c, "REPLCONF ACK 1");
    node_gets(&s, node, "REPLCONF ACK 1");
    node_says(c.fd, bytes);
    node_hears_the_end(s.w, node);
    node_hears_the_end(s.w, c.fd);
    cr_assert_eq(s.host.count, 0);
    close(c.fd);
    close(node);
    stage_end(&s);
}

Test(session_replication, nothing_else_passes, .timeout = 60)
{
    static const char *const others[] = {"CONFIG SET maxmemory 1",
                                         "ACL SETUSER x on",
                                         "SHUTDOWN NOSAVE",
                                         "SET k v",
                                         "GET k",
                                         "AUTH p",
                                         "HELLO 3",
                                         "MULTI",
                                         "QUIT",
                                         "RESET",
                                         "SYNC",
                                         "PSYNC ? -1",
                                         "NOSUCH",
                                         "REPLCONF GETACK *",
                                         "REPLCONF nosuch x",
                                         "REPLCONF ACK",
                                         "REPLCONF ACK 1 nosuch 2"};
    static const char *const raw[] = {"CONFIG SET maxmemory 1\r\n", "*1\r\n+x\r\n", "*x\r\n",
                                      "\"unbalanced\r\n"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        is_cut_off(wire(others[i]));
    for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++)
        is_cut_off(raw[i]);
}

/* What came in one piece with the PSYNC is no other case. */
Test(session_replication, what_comes_right_behind_is_looked_at)
{
    struct stage s;
    stage_begin(&s);
    s.listeners[ROUTE_MASTER].allow_replication = true;
    struct client c = client(&s);
    client_asks(c, "PSYNC ? -1 | CONFIG SET maxmemory 1");
    until(s.host.count == 0, world_turn(s.w));
    stage_end(&s);
}

Test(session_replication, nobody_is_promoted)
{
    struct stage s;
    stage_begin(&s);
    s.listeners[ROUTE_MASTER].allow_replication = true;
    struct client c = client(&s);
    client_asks(c, "PSYNC aaaa 1 FAILOVER");
    hears(&s, c, "-ERR redisproxy: PSYNC with FAILOVER is not available through the proxy\r\n");
    nobody_comes(&s, 0);
    stage_end(&s);
}
