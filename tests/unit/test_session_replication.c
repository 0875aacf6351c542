/*
 * session_replication: the tunnel between a replica and its node passes on every byte, and keeps few:
 * neither side is read while the other one takes nothing.
 */
#include "session_stage.h"

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

Test(session_replication, a_node_that_does_not_read_holds_up_its_replica)
{
    struct stage s;
    int node;
    struct client c = replica(&s, &node);
    passes(&s, c.fd, node);
    passes(&s, c.fd, node);
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
    char *bytes = calloc(1, MUCH);
    (void)pours(&s, c.fd, bytes, MUCH);
    show(&s, switching);
    until(s.host.count == 0, world_turn(s.w));
    free(bytes);
    close(c.fd);
    close(node);
    stage_end(&s);
}
