/*
 * transaction_state: a session's transaction, as of the last request that was dispatched and as confirmed by replies,
 * and what is kept of it so that it can be sent again.
 */
#ifndef REDISPROXY_SESSION_TRANSACTION_STATE_H
#define REDISPROXY_SESSION_TRANSACTION_STATE_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_request;
struct request_pool;

/* As of the last dispatched request. */
enum tx {
    TX_NONE,
    TX_OPEN,   /* on the lease */
    TX_ABORT,  /* its connection is gone: the rest is answered here, EXEC with EXECABORT */
    TX_NIL,    /* the same with a WATCH before it: EXEC answers nil */
    TX_BUSY,   /* the node was busy with a script: as Redis does, EXEC says EXECABORT */
    TX_UNHELD, /* a part of it could not be held: answered here, EXEC with EXECABORT */
};

struct transaction {
    uint8_t state; /* enum tx; tx_enter() */
    bool watching, watch_broken;
    bool confirmed, watch_confirmed; /* the same, as confirmed by replies */
    bool refused;                    /* a command of the open transaction was refused */
    bool dirty;                      /* by the node that its lease goes to: EXEC there says so */
    bool scans;                      /* a SCAN, or one of its kin, is in it */
    bool performs;  /* something is in it that the session performs when EXEC says so (exec.c) */
    bool with_exec; /* something takes effect here when EXEC has executed it */
    bool lost;      /* it is to be sent again on the next lease */
    bool rejected;  /* a node rejected a part of it, for a reason that a switch will mend */
    bool logged;    /* everything of it is in the log */
    bool publishes; /* it may publish a message */
    bool scripts;   /* there is an EVALSHA in it */
    bool rights;    /* it may change who is let in */
    uint8_t script_tries; /* to load what its EVALSHAs need */
    struct list log;      /* its delivered requests, MULTI first */
    size_t bytes;         /* of these */
    struct session_request
        *refused_multi; /* not delivered yet: what follows it is refused, up to EXEC */
};

void tx_init(struct transaction *tx);

/* The only way to change the state; a transition that must not be aborts. */
void tx_enter(struct transaction *tx, enum tx state);

/* Its connection is gone for good, or the node was busy: its rest is answered by the proxy, up to EXEC. */
static inline bool tx_answered_here(const struct transaction *tx)
{
    return tx->state != TX_NONE && tx->state != TX_OPEN;
}

/* A delivered request becomes part of the log, and belongs to it. Over TX_LOG_MAX bytes the whole log is given up. */
void tx_log(struct transaction *tx, struct request_pool *pool, struct session_request *request);
/* Frees the log, which is complete again then: it is empty. */
void tx_empty_log(struct transaction *tx, struct request_pool *pool);
/* The same, and it is not to be sent again any more. */
void tx_forget(struct transaction *tx, struct request_pool *pool);

#endif
