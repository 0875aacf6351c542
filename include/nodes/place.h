/*
 * place: where one session stands, between its requests: which group, by which route, and what came of it when it asked
 * for an upstream. The router fills it; a session has one.
 */
#ifndef REDISPROXY_NODES_PLACE_H
#define REDISPROXY_NODES_PLACE_H

#include "base/list.h"
#include "nodes/logins.h"
#include "nodes/options.h"

#include <stddef.h>
#include <stdint.h>

struct held;
struct upstream;

/* The role in which a node is to serve a request. */
enum target_role { TARGET_MASTER, TARGET_REPLICA };

/* What a node is used as; an upstream is good for one of them. */
enum purpose { PURPOSE_MASTER, PURPOSE_REPLICA };

/* What comes of asking whether a session may use a node (admission.h). */
enum entrance {
    ENTRY_NONE,    /* there is no node to ask now */
    ENTRY_FREE,    /* it may come in, or its new connection will tell */
    ENTRY_WAITS,   /* the node is being asked: on_change() comes */
    ENTRY_OTHER,   /* without a password it stands on the other side (identity->outside) */
    ENTRY_REFUSED, /* the node does not let this identity in any more */
};

struct place {
    size_t group;
    enum route route;
    uint64_t replica; /* the node it reads from; 0: none chosen yet */
    /* What router_shared() gave it last for each role: good while the pool's epoch is this one. */
    struct upstream *last[2];
    uint64_t epoch[2];
    uint64_t entered[2]; /* the nodes that have admitted it, or are about to; 0: none */
    enum entrance entry; /* why it got no upstream, the last time */
    const char *refusal; /* with ENTRY_REFUSED: the node's error, good until the loop turns */
    struct held *held;   /* its session's: who is woken */
    struct list
        in_admission; /* while the node is being asked whether it admits the session's identity */
    /* How often its client has tried to be somebody else, and whether it waits for that. */
    struct login login;
};

/* A connection that its node ended, and when. */
struct ended {
    uint64_t node, tenure;
    enum purpose purpose;
    int64_t at_ms;
};

#endif
