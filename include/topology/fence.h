/*
 * fence: what keeps the old master from taking writes while it is being replaced: the choices, what
 * the election has its owner send there (election_fence.c), and the commands.
 */
#ifndef REDISPROXY_TOPOLOGY_FENCE_H
#define REDISPROXY_TOPOLOGY_FENCE_H

#include <stdbool.h>
#include <stdint.h>

struct control_conn;
struct endpoint;

enum fence {
    FENCE_NO,
    FENCE_WRITE, /* writes are paused */
    FENCE_FULL,  /* and at the promotion everything is, and its replicas are cut off */
};

enum fence_act {
    FENCE_PAUSE,  /* CLIENT PAUSE WRITE */
    FENCE_CUT,    /* CLIENT PAUSE ALL in the place of that, and CLIENT KILL TYPE replica, at once */
    FENCE_LIFT,   /* CLIENT UNPAUSE */
    FENCE_DEMOTE, /* REPLICAOF */
};

struct fence_order {
    enum fence_act act;
    int64_t ms;                    /* how long the pause lasts by itself */
    bool keep;                     /* a client's pause stands: it is not lifted */
    bool extend;                   /* FENCE_CUT: the last one still stands, nobody is let through */
    bool spare;                    /* FENCE_CUT: not the replicas' links, see election_fence.c */
    const struct endpoint *master; /* of FENCE_DEMOTE */
};

/* Sends the commands of an order; their answers bear `tag`. */
void fence_send(struct control_conn *conn, int tag, const struct fence_order *order);

/* MONITOR: Redis never pauses who has said that, so a pause of all clients can be taken back, and the
 * node be asked what it is, meanwhile. What others send comes along from then on. */
void fence_exempt(struct control_conn *conn, int tag);
/* Takes the pause back, and is a client like others again: one that monitors may not send REPLICAOF. What
 * goes out in one piece with it (control_conn_cork()) is executed before anybody else's turn comes. */
void fence_end_exemption(struct control_conn *conn, int tag);

#endif
