/*
 * session_request: a client's request, as its session knows it. It begins with what the nodes' room knows of every
 * request (nodes/request.h): one allocation, and one list of recycled ones, serve both. The rest is the session's
 * alone; no file of nodes/ can name it.
 *
 *     [ struct request: bytes, owner, state, ... | what the session keeps for it ]
 *       ^ &r->wire goes to an upstream             ^ r->in_session, r->verb, ...
 *       `------ session_request_of() in the callbacks comes back
 *
 * The first part is there under two names. As `wire` it is handed to the functions of nodes/. Without a name (this is
 * what -fms-extensions is for: gcc and clang know it, C itself only lets an untagged struct stand so) its fields are
 * the request's own: r->len is as good as r->wire.len, and nobody who reads the session has to remember which half
 * a field is in.
 */
#ifndef REDISPROXY_SESSION_SESSION_REQUEST_H
#define REDISPROXY_SESSION_SESSION_REQUEST_H

#include "nodes/request.h"
#include "redis/resp.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct copies;
struct identity;
struct verb;

/* In `sent`, so that one comparison tells a request that is counted as most are from others (request_count()). */
#define REQUEST_LATE ((uint64_t)1 << 62)  /* it did not go in the turn in which it came: `came` */
#define REQUEST_EARLY ((uint64_t)1 << 61) /* it was answered before its turn: `at_node` */

struct session_request {
    union {
        struct request wire;
        struct request;
    };
    struct list in_session; /* the session's unfinished requests, in order */
    /* Its times, in a turn's ticks (turn.h), and its node: each where `sent` says that it is there. request_times() knows
     * all times. */
    uint64_t came; /* when it came, if it could not go at once */
    uint64_t
        at_node;   /* how long its node took, if it was answered before its turn to be delivered */
    uint64_t node; /* to which one it was given, where slow requests are logged (slowlog.h) */

    /* From here on a new one is zero: session_request_begin(). */
    uint64_t sent;            /* when it was given to a node, and REQUEST_LATE, REQUEST_EARLY */
    const struct verb *verb;  /* what its command adds (hooks.h), once it is classified */
    struct identity *login;   /* AUTH, HELLO, SELECT: the session's identity once this succeeds */
    struct copies *copies;    /* of it, on other nodes, that are not answered yet */
    int64_t held_since_ms;    /* 0: not held */
    int64_t blocked_until_ms; /* a blocking command's own deadline; 0: none */
    size_t reply_len;         /* bytes of the reply so far */
    int32_t argc;
    uint32_t number;    /* its place among all that its session ever had, in order */
    uint32_t cursor_of; /* SCAN and kin: the process that the cursor is of (cursor.h); 0: none */

    /* what it is */
    bool classified : 1;  /* known: the flags of this part are set */
    bool maybe_write : 1; /* it may write, as far as could be told when it came */
    bool after_write : 1; /* came while a write before it was unanswered */
    bool publishes : 1;   /* it may publish messages */
    bool script : 1;      /* its error reply does not prove that nothing was executed */
    bool read_form : 1;   /* EVAL and kin: was rewritten to its read-only form */
    bool silent : 1;      /* CLIENT REPLY OFF or SKIP: the client wants no answer */
    bool
        replies_off : 1; /* CLIENT REPLY OFF, or SKIP, queued in a transaction as CLIENT REPLY ON */
    bool replies_skip : 1;
    bool close_after : 1; /* QUIT: the session ends once this is delivered */

    bool subscribes : 1; /* SUBSCRIBE and kin: may change what the session is subscribed to */

    /* its way to a node */
    bool authenticates : 1; /* AUTH: goes to an upstream for that, pool_auth_upstream() */
    bool leased : 1;        /* sent on its session's lease */
    bool sticks : 1;        /* for it the session keeps its lease */
    bool retried : 1;       /* sent before, and taken back */
    bool taken_back : 1;    /* it blocks: the proxy's own CLIENT UNBLOCK is on its way for it */
    bool called_back : 1;   /* a client's CLIENT UNBLOCK ERROR is */

    /* its transaction */
    bool in_tx : 1;    /* sent between MULTI and EXEC: queued there, not executed */
    bool logged : 1;   /* part of an open one: kept until EXEC, to be sent again */
    bool unbegun : 1;  /* part of one that counts as unsent, though it was sent */
    bool doomed : 1;   /* a MULTI of which a part was refused, or not held: EXEC will say so */
    bool ends_tx : 1;  /* EXEC, DISCARD: what was kept of the transaction goes with it */
    bool discards : 1; /* EXEC that executes nothing: a part of the transaction was refused */
    bool scripts : 1;  /* EXEC: there is an EVALSHA in it */
    bool scans : 1;    /* EXEC: there is a SCAN, or one of its kin, in it */

    /* its reply */
    bool rejecting : 1;   /* the reply at hand is a rejection */
    bool unknown : 1;     /* the node does not know such a command */
    bool denied : 1;      /* its user may not, or has not logged in */
    bool executed : 1;    /* ANSWERED, and perhaps executed (not rejected) */
    bool capture : 1;     /* kept whole, and rewritten before it is delivered */
    bool streaming : 1;   /* a part of it has gone to the client's buffer */
    bool page_begins : 1; /* SCAN: the cursor in it has not come wholly */
    bool page_lost : 1;   /* and the rest of it is not to be given out */

    bool large : 1; /* is (large.h) */

    unsigned result : 3;    /* enum request_result, if `concluded`: */
    unsigned concluded : 1; /* what the proxy itself found */

    /* CLIENT KILL */
    bool looked : 1; /* other workers were asked whether they have whom it means, */
    bool found : 1;  /* and one has */
};

/* Of the part that the upstream gives back. */
static inline struct session_request *session_request_of(struct request *wire)
{
    return container_of(wire, struct session_request, wire);
}
static inline const struct session_request *session_request_of_const(const struct request *wire)
{
    return container_of(wire, struct session_request, wire);
}

/* What it takes of memory: the object, and the heap behind it. Whatever bounds bytes of requests counts in this. */
static inline size_t request_cost(const struct session_request *r)
{
    return sizeof(*r) + request_heap(&r->wire);
}

/* Of a node in a list of the session's requests. */
static inline struct session_request *session_request(struct list *node)
{
    return container_of(node, struct session_request, in_session);
}

static inline const struct session_request *session_const_request(const struct list *node)
{
    return container_of(node, const struct session_request, in_session);
}

/* The argument with this number, 0 being the command's name. */
static inline struct slice session_arg(const struct session_request *r, int number)
{
    return resp_arg(r->data, r->len, number);
}

/* The session's part of one that the pool has just handed out. The pool must be one of such objects. */
static inline struct session_request *session_request_begin(struct request_pool *pool,
                                                            struct request *wire)
{
    struct session_request *r = session_request_of(wire);
    const size_t part = offsetof(struct session_request, sent);
    assert(pool->size == sizeof(*r));
    memset((char *)r + part, 0, sizeof(*r) - part);
    list_init(&r->in_session);
    return r;
}

/* As request_new(), request_try_new() and request_own(). */
static inline struct session_request *session_request_new(struct request_pool *pool, size_t len)
{
    return session_request_begin(pool, request_new(pool, len));
}

static inline struct session_request *session_request_try_new(struct request_pool *pool, size_t len)
{
    struct request *wire = request_try_new(pool, len);
    return wire ? session_request_begin(pool, wire) : NULL;
}

static inline struct session_request *session_request_own(struct request_pool *pool,
                                                          struct slice bytes,
                                                          const struct request_owner *owner,
                                                          void *owner_data)
{
    return session_request_begin(pool, request_own(pool, bytes, owner, owner_data));
}

/* Drops its hold of `login`. */
void session_request_forget_login(struct session_request *r);

/* The session is done with it: it lets go of what its part holds. The upstream may have the wire's part still, as one
 * that nobody owns. */
static inline void session_request_leave(struct session_request *r)
{
    assert(!list_linked(&r->in_session) && !r->copies);
    if (r->login)
        session_request_forget_login(r);
}

/* The same, and the pool gets it back. */
static inline void session_request_free(struct request_pool *pool, struct session_request *r)
{
    session_request_leave(r);
    request_free(pool, &r->wire);
}

#endif
