/*
 * state: one client's session, as the files of session/ and commands/ share it.
 *
 * The requests stand in one list, in the order in which they came; their
 * states, not their places, say how far each is:
 *
 *     head                                    next
 *     ANSWERED  SENT  ANSWERED  SENT  QUEUED  WAITING  WAITING
 *     `- delivered when it is the head        `- dispatched when order and topology allow
 */
#ifndef REDISPROXY_SESSION_STATE_H
#define REDISPROXY_SESSION_STATE_H

#include "nodes/identity.h"
#include "nodes/place.h"
#include "nodes/turn.h"
#include "session/barrier.h"
#include "session/client_state.h"
#include "session/lease_state.h"
#include "session/life_state.h"
#include "session/request_queue.h"
#include "session/session.h"
#include "session/session_request.h"
#include "session/transaction_state.h"

#define SESSION_MAGIC 0x73657373u

/* What a dispatch came to. */
enum step {
    STEP_ON,   /* the request went on its way, or was answered: the next one */
    STEP_WAIT, /* an earlier request of this session has to finish first */
    STEP_HOLD, /* there is nobody to send it to now */
};

struct subscriptions;
struct told;
struct redirection;

/* While a session's lease carries replication: what takes its requests, and hears its empty lines. */
struct session_tunnel {
    enum step (*request)(struct session *s, struct session_request *r);
    void (*alive)(struct session *s);
};

/* A question was answered (question.h): `r`, which waited for it, is to be answered now. */
typedef void session_told(struct session *s, struct session_request *r, const struct upstream *from,
                          struct slice reply);

/* What special commands keep for a session; the files of commands/ say more. */
struct special {
    const struct session_tunnel *tunnel; /* its lease carries replication: bytes, not requests */
    struct subscriptions *subs;
    unsigned renewing; /* the proxy's own requests that make them again, unanswered */
    bool unrenewed;    /* they were lost, or are held, and are not confirmed yet */
    struct told *told; /* CLIENT TRACKING, NO-EVICT, NO-TOUCH, in effect */
    uint64_t
        redirects_to; /* TRACKING's REDIRECT: the session that gets the invalidations; 0: none */
    uint64_t redirecting;            /* the session that a CLIENT TRACKING in flight names */
    struct redirection *redirection; /* what another worker was asked about that one */
    bool wrote;                      /* a write was sent: WAIT has something to count */
    bool wait_unreliable; /* the last WAIT's lease could not be told of the session's writes */
    struct list in_script_wait; /* a script is being loaded */
};

/* How far it is on its way to another process (mover.h). */
enum session_move {
    MOVE_NONE,
    MOVE_STOPPING, /* it is not read, and sent when all is answered */
    MOVE_SENT,     /* not acknowledged yet */
    MOVE_REFUSED,  /* the other process does not take it */
};

struct session {
    unsigned magic;
    bool auth_not_needed; /* not authenticated, and Redis does not mind */
    bool timed;           /* its slow requests are logged (slowlog.h) */
    uint64_t id;
    struct session_host *host;
    const struct traffic_listener_options *listener; /* as it was when the session began; kept */
    struct listener_counters *counters;              /* its listener's, of its worker, */
    struct command_counters *commands;               /* and these of that */
    int64_t
        leaves_ms; /* it is not to be here any more, and ends then at the latest; 0: it may stay */
    struct identity *identity; /* who it is, at the nodes */
    struct place place;        /* where its requests go */
    struct list in_host, in_woken, in_dirty, in_expiring, in_unread;
    struct list in_move; /* of the mover's, while it is stopping or sent */
    int64_t move_since_ms;
    uint8_t move; /* enum session_move */

    struct life life;
    struct session_client client;
    struct request_queue queue;
    struct transaction tx;
    struct lease lease;
    struct barrier barrier;
    struct learn_question *learning; /* of BARRIER_LEARNING */
    session_told *told;              /* of BARRIER_QUESTION: answers the next request */
    struct special special;
};

static inline struct request_pool *session_pool(const struct session *s)
{
    return &s->host->turn->requests;
}

static inline bool session_subscribed(const struct session *s)
{
    return lease_kept_for(&s->lease, LEASE_SUBSCRIBED);
}

/* Whether its lease brings what nobody asked for: messages, MONITOR's lines, invalidations. */
static inline bool session_hears(const struct session *s)
{
    return lease_kept_for(&s->lease, LEASE_HEARS);
}

/* A lease is gone: whether the session wants a new one at once, for what it carries. */
static inline bool session_wants_lease(const struct session *s)
{
    return !s->lease.upstream && lease_kept_for(&s->lease, LEASE_CARRIED);
}

/* Whether the node's answer is an error that shows that it did nothing, and that its user may do nothing of the sort: the
 * user has not logged in or has no permission, or the node knows no such command or no such form of it, which it says
 * before it looks at either. */
static inline bool session_was_refused(const struct session *s, const struct session_request *r)
{
    return r->reply_type == '-' && (r->denied || r->unknown || s->identity->outside ||
                                    !command_arity_ok(r->command, r->argc));
}

/* The open transaction is, or is no longer, on the lease; what is watched, likewise. */
static inline void session_tx_enter(struct session *s, enum tx state)
{
    tx_enter(&s->tx, state);
    lease_keep_if(&s->lease, LEASE_TRANSACTION, state == TX_OPEN);
}

static inline void session_tx_watch(struct session *s, bool watching)
{
    s->tx.watching = watching;
    lease_keep_if(&s->lease, LEASE_WATCHES, watching);
}

#endif
