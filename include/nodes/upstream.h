/*
 * upstream: one connection from a worker to a node, for one identity. Requests
 * queue on it and are answered in order; it never looks at what they are.
 *
 *     CONNECTING --> VERIFYING --> ENTERING --> READY       each of them --> CLOSED
 *              on_open()    the right node   the identity may use it
 *
 * What happens between CONNECTING and READY is said by the handshake (handshake.h), which the owner begins when
 * the connection is open. Requests that were submitted before READY wait for it.
 *
 * A retired upstream takes no new requests and closes when the last is
 * answered. One worker's thread only.
 */
#ifndef REDISPROXY_NODES_UPSTREAM_H
#define REDISPROXY_NODES_UPSTREAM_H

#include "base/buf.h"
#include "net/stream.h"
#include "nodes/identity.h"
#include "nodes/options.h"
#include "nodes/place.h"
#include "nodes/request.h"
#include "nodes/turn.h"
#include "topology/topology.h"

enum upstream_state {
    UPSTREAM_CONNECTING,
    UPSTREAM_VERIFYING,
    UPSTREAM_ENTERING,
    UPSTREAM_READY,
    UPSTREAM_CLOSED,
};

/* Room for what a node says when it lets somebody not in: HELLO's is long. */
#define ERROR_LINE_MAX 400

struct target {
    size_t group;
    uint64_t node;
    enum purpose purpose;
    const struct topology_node *view; /* valid during the call */
};

struct upstream;

struct upstream_owner {
    /* The connection stands: the owner begins the handshake, which brings it to READY or ends it. */
    void (*on_open)(struct upstream *upstream);
    void (*on_ready)(struct upstream *upstream);
    /* Whether the node is known to be shutting down (`leaving` in struct topology_node), and so lets no write through. */
    bool (*lets_no_write_through)(const struct upstream *upstream);
    /* It ends; the requests on it fail after this call. `error`: that is a failure, not somebody's decision. */
    void (*on_cut)(struct upstream *upstream, const char *why, bool error);
};

/* Whose is this message (a whole reply), on an upstream that also brings what nobody asked for? */
enum tap_verdict {
    TAP_PUSH,   /* nobody's: the tap has dealt with it */
    TAP_PART,   /* the first request's, and more of its reply is to come */
    TAP_ANSWER, /* the first request's, and the last of it */
};
struct upstream_tap {
    /* The first sent request, or NULL; a whole message. */
    enum tap_verdict (*message)(void *lease_data, struct request *head, const char *message,
                                size_t len);
    /* Does only a reply begin with this byte? Such a one does not come to message(), but goes to the
     * first request piece by piece, however large it is. */
    bool (*is_reply)(void *lease_data, char type);
};

/* What the node sends, where nothing is a reply to a request. */
typedef void upstream_bytes(void *lease_data, const char *data, size_t len);

typedef void upstream_lost(void *lease_data);

struct upstream {
    unsigned magic;
    uint8_t state;
    bool leased;
    bool singly; /* asked one thing at a time, and closed when it has answered */
    uint8_t
        window; /* so many requests may be unanswered, no more are sent meanwhile; 0: any number */
    bool refused; /* cut because the node does not let the proxy in, see refusals.h; */
    bool waits;   /* and the password's file is read again */
    bool retired;
    bool stale;  /* a lease that is to be closed when it is given back (router_renew()) */
    bool paused; /* not read: the session that is being answered does not read its replies */
    bool ended;  /* its node has ended it */
    bool undone; /* its node has ended it, and executed no write that it had not answered */
    struct stream stream;
    struct turn *turn;
    const struct upstream_owner *owner;
    void *owner_data;
    struct list in_pool;      /* every upstream of the worker */
    struct list in_idle;      /* a lease that nobody holds, in its slot */
    struct list in_turn;      /* has something to write */
    struct list queue;        /* requests that were sent, and behind them those that will be */
    struct list pending;      /* requests that were submitted before READY */
    struct list in_evicting;  /* reads are taken from it (upstream_evict_reads()), */
    struct list *evict_at;    /* and this is the next to be looked at, in queue */
    const void *evict_except; /* not those of this owner */
    struct list *send_at; /* the first in queue that is not wholly written; &queue: there is none */
    size_t sent;          /* how many bytes of that one are written */
    struct resp_reply reply;
    struct buf stash; /* the beginning of a reply that is kept until more of it is there */
    const struct upstream_tap *tap;
    upstream_bytes *tunnel;
    upstream_lost *on_lost; /* tells a lease's holder that it was cut */
    void *lease_data;       /* the holder: for tap and on_lost */
    struct traffic_counters *traffic,
        *node_traffic; /* its bytes are counted here: its group's, its node's */
    struct identity *identity;
    size_t group;
    uint64_t node;
    uint64_t tenure; /* the node's, when it was opened */
    enum purpose purpose;
    uint64_t client_id; /* at the node; 0: unknown */
    uint32_t process;   /* which one the node is (process.h); 0: it has not said so */
    bool process_asked;
    int64_t
        deadline_ms; /* when it ends unless it is READY; afterwards, of one that nobody uses: when it is closed; 0: never */
    /* When it was opened, and the generation of rights (rights.h) then: what the node said to its
     * identity it said later. The pool's. */
    int64_t opened_ms;
    uint64_t generation;
    char name[ENDPOINT_TEXT_MAX]; /* the node's, for logs */
    char why[160];                /* why it was cut, or is retired */
};

/* Starts connecting. `identity` is retained. Returns NULL when the
 * connection failed at once: *error says why. */
struct upstream *upstream_open(struct turn *turn, const struct target *target,
                               struct identity *identity,
                               const struct traffic_group_options *options,
                               const struct upstream_owner *owner, void *owner_data,
                               const char **error);

/* A connection that stands: another process had it, for the same identity (moved.h). The socket is taken, or closed: then
 * NULL is returned. It is READY when upstream_adopted() returns, which tells the owner. */
struct upstream *upstream_adopt(struct turn *turn, const struct target *target,
                                struct identity *identity, int fd,
                                const struct upstream_owner *owner, void *owner_data);
void upstream_adopted(struct upstream *upstream);
/* Whether another process could go on with its socket: it is a plain lease, nothing is on its way, no message has come in
 * part. */
bool upstream_may_move(const struct upstream *upstream);

/* Takes the request (REQUEST_WAITING) over until it is answered or fails. The caller has got the upstream from the router
 * in this turn, or asked router_may_write(). */
void upstream_submit(struct upstream *upstream, struct request *request);

/* Writes what is queued. The turn calls it before the loop sleeps. */
void upstream_flush(struct upstream *upstream);

/* Gives back the requests that were not written (on_failed(UNSENT)); one that is partly written stays. */
void upstream_withdraw(struct upstream *upstream);

/* Takes back from a retired upstream the reads of other owners, although they were sent: they fail as LOST, may be sent
 * elsewhere, and their replies are swallowed here. What is too much for this turn is done in the next ones. */
void upstream_evict_reads(struct upstream *upstream, const void *except_owner_data);
/* Goes on with that, within the turn's budget. */
void upstreams_evict(struct turn *turn);

/* Takes one request back of which no byte is written (REQUEST_QUEUED). */
void upstream_unqueue(struct upstream *upstream, struct request *request);

/* Ends it at once: requests that were written fail as LOST, the others as UNSENT. upstream_cut() is for
 * failures: the owner hears of an error; upstream_close() is for those who decided it. */
void upstream_cut(struct upstream *upstream, const char *why);
void upstream_close(struct upstream *upstream, const char *why);

/* Whether its holder is to give it back as soon as it can do without it. */
static inline bool upstream_is_stale(const struct upstream *upstream)
{
    return upstream->stale;
}

/* No new requests; closes when the last is answered. */
void upstream_retire(struct upstream *upstream, const char *why);

/* A shared one is retired, and the reads on it are taken elsewhere but for those of `owner_data`, whose reply is at its
 * head and would keep others waiting. A lease stays what it is. */
void upstream_unshare(struct upstream *upstream, const void *owner_data, const char *why);
/* The same, and it is not read until upstream_pause(upstream, false), for its head's owner does not read the reply;
 * returns true then. While requests of others are behind the reply it is read on: they must not wait for that owner, who
 * has to take what comes. */
bool upstream_stop_reading(struct upstream *upstream, const void *owner_data);

/* Stops or resumes reading. */
void upstream_pause(struct upstream *upstream, bool paused);

/* From now on every message goes through `tap` (NULL: no longer) when it is whole, but for what is a
 * reply for certain. No reply may have come in part. */
void upstream_set_tap(struct upstream *upstream, const struct upstream_tap *tap);

/* From now on the node's bytes go through `tunnel` as they come, and requests are bytes, too: nobody
 * answers them, their on_reply() comes, without a byte, when they are written. No request of its holder may be unanswered. */
void upstream_set_tunnel(struct upstream *upstream, upstream_bytes *tunnel);

/* ---- what it is ---- */

/* Its node: the id, the name, and its tenure (topology.h) when this was opened. */
static inline uint64_t upstream_node(const struct upstream *upstream)
{
    return upstream->node;
}

static inline const char *upstream_name(const struct upstream *upstream)
{
    return upstream->name;
}

static inline uint64_t upstream_tenure(const struct upstream *upstream)
{
    return upstream->tenure;
}

static inline bool upstream_same_node(const struct upstream *a, const struct upstream *b)
{
    return a->group == b->group && a->node == b->node;
}

static inline enum purpose upstream_purpose(const struct upstream *upstream)
{
    return upstream->purpose;
}

/* Its id at the node (CLIENT ID there), 0: unknown. */
static inline uint64_t upstream_client_id(const struct upstream *upstream)
{
    return upstream->client_id;
}

/* Whether its node has ended it. */
static inline bool upstream_is_ended(const struct upstream *upstream)
{
    return upstream->ended;
}

/* Whether its node has ended it, and executed no write that it had not answered. */
static inline bool upstream_is_undone(const struct upstream *upstream)
{
    return upstream->undone;
}

static inline bool upstream_is_tapped(const struct upstream *upstream)
{
    return upstream->tap != NULL;
}

/* Whether no message has come in part: only then a tap may be set. */
static inline bool upstream_may_tap(const struct upstream *upstream)
{
    return upstream->reply.total == 0 && buf_len(&upstream->stash) == 0;
}

/* Whether no request is on it, nor waits for it. */
bool upstream_idle(const struct upstream *upstream);

/* Whether somebody else than `owner_data` waits for what it brings. */
bool upstream_serves_others(const struct upstream *upstream, const void *owner_data);

/* Whether a write that was sent, though it be in part, is unanswered. */
bool upstream_has_write(const struct upstream *upstream);

/* ---- for the handshake ---- */

/* Enters the next state: VERIFYING, ENTERING or READY. At READY what was submitted meanwhile is queued, and the
 * owner is told. */
void upstream_enter(struct upstream *upstream, enum upstream_state state);
/* Puts a command of the handshake into the wire's queue, before READY. */
void upstream_send_own(struct upstream *upstream, struct request *request);
/* Ends it: the node does not let the identity in, and the requests on it fail as REFUSED with this text. */
void upstream_refused(struct upstream *upstream, const char *error_line);
/* Ends it as upstream_cut() does: the node does not let the proxy itself in. `waits`: another password may be
 * found in its file. */
void upstream_cut_refused(struct upstream *upstream, const char *why, bool waits);
/* Its socket broke, with this libuv code. */
void upstream_broke(struct upstream *upstream, int error);

#endif
