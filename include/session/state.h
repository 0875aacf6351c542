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

#include "net/stream.h"
#include "redis/resp.h"
#include "session/session.h"

#define SESSION_MAGIC 0x73657373u

/* What a dispatch came to. */
enum step {
    STEP_ON,   /* the request went on its way, or was answered: the next one */
    STEP_WAIT, /* an earlier request of this session has to finish first */
    STEP_HOLD, /* there is nobody to send it to now */
};

/* The transaction as of the last dispatched request. */
enum tx {
    TX_NONE,
    TX_OPEN,   /* on the lease */
    TX_ABORT,  /* its connection is gone: the rest is answered here, EXEC with EXECABORT */
    TX_NIL,    /* the same with a WATCH before it: EXEC answers nil */
    TX_BUSY,   /* the node was busy with a script: as Redis does, EXEC says EXECABORT */
    TX_UNHELD, /* a part of it could not be held: answered here, EXEC with EXECABORT */
};

struct subscriptions;
struct told;
struct redirection;
struct partial;

/* While a session's lease carries replication: what takes its requests, and hears its empty lines. */
struct session_tunnel {
    enum step (*request)(struct session *s, struct request *r);
    void (*alive)(struct session *s);
};

/* A question was answered (question.h): `r`, which waited for it, is to be answered now. */
typedef void session_told(struct session *s, struct request *r, const struct upstream *from,
                          struct slice reply);

struct session {
    unsigned magic;
    bool closing;     /* terminal */
    bool eof;         /* the client ended its side: what it sent is still answered */
    bool gone;        /* the same, seen without reading */
    bool last_words;  /* nothing more is read; closes when all is answered and written */
    bool quitting;    /* nothing more is dispatched */
    bool said_all;    /* QUIT was answered: closes when that is written */
    bool draining;    /* closes when nothing is unfinished */
    bool reads_ahead; /* the client takes no replies: what it sends is kept as bytes */
    bool ahead_end;   /* and behind these it ended its side */
    /* dispatch-time state */
    int64_t pauses_until_ms; /* of `pauses` */
    bool reply_off, reply_skip;
    unsigned unplaced; /* requests that were refused before their turn came */
    bool mixed;        /* requests (reads) are in flight on several upstreams */
    bool watching, watch_broken;
    bool tx_refused;  /* a command of the open transaction was refused */
    bool tx_dirty;    /* by the node that its lease goes to: EXEC there says so */
    bool sticky;      /* the lease is kept until the session ends */
    bool lease_dirty; /* the lease must not go to another session */
    bool lease_named; /* and bears this session's name */
    bool pauses;      /* a CLIENT PAUSE of its own is on its way, */
    bool monitoring;
    bool unrenewed; /* its subscriptions were lost, or are held, and are not confirmed yet */
    bool wrote;
    bool uncounted;       /* the last WAIT's lease could not be told of the session's writes */
    bool tx_scans;        /* a SCAN, or one of its kin, is in the open transaction */
    bool tx_lost;         /* the open transaction is to be sent again on the next lease */
    bool tx_rejected;     /* a node rejected a part of it, for a reason that a switch will mend */
    bool tx_logged;       /* everything of it is in tx_log */
    bool tx_publishes;    /* it may publish a message */
    bool tx_scripts;      /* there is an EVALSHA in it */
    bool tx_rights;       /* it may change who is let in */
    uint8_t script_tries; /* to load what its EVALSHAs need */
    bool let_in;          /* not authenticated, and Redis does not mind */
    uint8_t tx;           /* enum tx */
    /* as confirmed by replies */
    bool tx_confirmed, watch_confirmed;

    struct stream stream;
    struct session_host *host;
    const struct traffic_listener_options *listener;
    uint64_t id;
    struct list in_host, in_woken, in_dirty;
    struct list in_script_wait; /* a script is being loaded */
    struct held held;
    struct place place;
    int64_t opened_ms,
        read_ms; /* for CLIENT LIST: since when it is here, and last said something */
    const struct command *last; /* its newest request's; its name may be NULL */
    struct identity *identity;
    char *name;       /* CLIENT SETNAME */
    char *hello_name; /* HELLO's SETNAME, until Redis has let it in */
    struct buf out;
    struct partial *partial; /* a request that has not arrived wholly */
    struct list ahead;       /* bytes behind it, not looked at yet */
    size_t ahead_bytes;
    struct list in_stalled; /* its replies wait, and it is not read for that */
    int64_t taken_ms;       /* since when, or when it last took some */

    struct list requests;
    struct request *next;   /* the first WAITING one */
    unsigned count, writes; /* unanswered: all, and those that may write */
    unsigned inflight, inflight_writes, rejected;
    size_t waiting_bytes;
    struct list tx_log; /* the open transaction's delivered requests, MULTI first */
    size_t tx_bytes;
    struct upstream *at; /* where the ones in flight are, unless `mixed` */

    /* barriers: nothing is dispatched while one of these is set */
    struct request *adopting;        /* AUTH, HELLO, SELECT */
    struct request *blocked;         /* a blocking command */
    struct request *copying;         /* SCRIPT LOAD and kin: copies of it are on other nodes */
    struct learn_question *question; /* what is the command of `learning`? */
    struct request *learning;
    struct request *asking; /* a question of the session's own; then told() answers `next` */
    session_told *told;

    struct request *refused_multi; /* not delivered yet: what follows it is refused, up to EXEC */

    struct upstream *lease;
    struct ended ended; /* the last one, while it is not known why (session_ended.c) */
    struct list in_doubted;
    unsigned unblocks; /* the proxy's own that were sent for the lease, and have ended nothing */
    struct upstream *paused; /* not read because this client does not read */
    struct upstream *early;  /* not read because other replies have to come first */
    struct subscriptions *subs;
    unsigned renewing; /* the proxy's own requests that make them again, unanswered */
    const struct session_tunnel *tunnel; /* its lease carries replication: bytes, not requests */
    struct told
        *told_node; /* CLIENT TRACKING, NO-EVICT, NO-TOUCH, in effect (commands/tracking.c) */
    bool tracks;    /* TRACKING is among them */
    uint64_t redirects_to; /* its REDIRECT: the session that gets the invalidations; 0: none */
    uint64_t redirecting;  /* the session that a CLIENT TRACKING in flight names */
    struct redirection *redirection; /* what another worker was asked about that one */
};

static inline struct request_pool *session_pool(const struct session *s)
{
    return &s->host->turn->requests;
}

/* Of a node in a list of the session's requests. */
static inline struct request *session_request(struct list *node)
{
    return container_of(node, struct request, in_session);
}

static inline const struct request *session_const_request(const struct list *node)
{
    return container_of(node, const struct request, in_session);
}

/* The argument with this number, 0 being the command's name. */
static inline struct slice session_arg(const struct request *r, int number)
{
    return resp_arg(r->data, r->len, number);
}

static inline bool session_subscribed(const struct session *s)
{
    return s->subs != NULL;
}

/* Whether its lease brings what nobody asked for: messages, MONITOR's lines, invalidations. */
static inline bool session_hears(const struct session *s)
{
    return session_subscribed(s) || s->monitoring || s->tracks;
}

/* A lease is gone: whether the session wants a new one at once, for what it carries. */
static inline bool session_wants_lease(const struct session *s)
{
    return !s->lease && (s->subs || s->monitoring || s->told_node);
}

#endif
