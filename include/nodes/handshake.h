/*
 * handshake: what is said on a fresh connection before it carries the first command of a client. It takes an
 * upstream from VERIFYING to READY, or ends it.
 *
 *     on_open(upstream)                     the upstream's owner begins a handshake
 *        `-> handshake_begin()              as the proxy: is this the right node?       checks->verify()
 *               `-> ENTERING                as the client: AUTH, SELECT, HELLO
 *                      `-> READY            the upstream's on_ready()
 *
 * A handshake lives as long as one of its commands is unanswered: the last of them frees it, whether it was
 * answered or its connection ended. The upstream does not know that there is such a thing.
 *
 * One worker's thread only. tests/unit/nodes/test_handshake.c holds every byte and every order of it.
 */
#ifndef REDISPROXY_NODES_HANDSHAKE_H
#define REDISPROXY_NODES_HANDSHAKE_H

#include "nodes/upstream.h"

/* What a node says of itself. */
struct node_claim {
    bool master, replica;
    bool busy; /* it runs a script, and says nothing of its replication ids */
    char replid[2][REPLID_SIZE];
};

/* Whoever begins a handshake decides these. */
struct handshake_checks {
    /* Whether the node is what the upstream is for: NULL, or a text for the log that says why not. */
    const char *(*verify)(struct upstream *upstream, const struct node_claim *node);
    /* Only for an identity that is not authenticated: whether the node serves it without a password. Then the
     * upstream becomes READY, or, when its identity is for the other sort of node (identity->outside), is closed. */
    void (*on_greeted)(struct upstream *upstream, bool admitted);
};

/* Begins with an upstream whose connection is open: enters VERIFYING and queues the first commands. `own` is the
 * proxy's credential for the node (NULL: none); it is retained as long as it may be needed. */
void handshake_begin(struct upstream *upstream, struct credential *own,
                     const struct handshake_checks *checks);

#endif
