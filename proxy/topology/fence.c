/* fence: see the header. One transaction where nothing may come between; what the proxy's user has no
 * right to is refused there as a whole. */
#include "topology/fence.h"

#include "net/address.h"
#include "topology/control_conn.h"

#include <inttypes.h>
#include <stdio.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__})
#define SEND(conn, tag, ...)                                                                       \
    control_conn_send(conn, tag, (int)(sizeof(WORDS(__VA_ARGS__)) / sizeof(char *)),               \
                      WORDS(__VA_ARGS__))

/* A pause's end is only ever moved later, and its kind made stricter: the one of writes goes first. */
static void cut(struct control_conn *conn, int tag, const char *ms, const struct fence_order *order)
{
    SEND(conn, tag, "MULTI");
    if (!order->extend)
        SEND(conn, tag, "Client", "UNPAUSE");
    SEND(conn, tag, "Client", "PAUSE", ms, "ALL");
    if (!order->spare)
        SEND(conn, tag, "Client", "KILL", "TYPE", "slave"); /* every server knows this spelling */
    SEND(conn, tag, "EXEC");
}

/* A pause would stop the node's own replication. Sentinel would have the configuration written, but
 * finds nothing left to do. */
static void demote(struct control_conn *conn, int tag, const struct fence_order *order)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)order->master->port);
    SEND(conn, tag, "REPLICAOF", order->master->host, port);
    if (!order->keep)
        SEND(conn, tag, "Client", "UNPAUSE");
    SEND(conn, tag, "Config", "REWRITE");
}

void fence_send(struct control_conn *conn, int tag, const struct fence_order *order)
{
    char ms[24];
    snprintf(ms, sizeof(ms), "%" PRId64, order->ms);
    switch (order->act) {
    case FENCE_PAUSE:
        SEND(conn, tag, "Client", "PAUSE", ms, "WRITE");
        break;
    case FENCE_CUT:
        cut(conn, tag, ms, order);
        break;
    case FENCE_LIFT:
        SEND(conn, tag, "Client", "UNPAUSE");
        break;
    case FENCE_DEMOTE:
        demote(conn, tag, order);
        break;
    }
}

void fence_exempt(struct control_conn *conn, int tag)
{
    SEND(conn, tag, "MONITOR");
}

void fence_end_exemption(struct control_conn *conn, int tag)
{
    SEND(conn, tag, "Client", "UNPAUSE");
    SEND(conn, tag, "Reset");
    control_conn_authenticate(conn);
}
