/*
 * upstream: one connection from a worker to a node, for one identity. Requests
 * queue on it and are answered in order; it never looks at what they are.
 *
 *     CONNECTING --> VERIFYING --> ENTERING --> READY       each of them --> CLOSED
 *                 open     the right node   the identity is let in
 *
 * VERIFYING runs as the proxy itself (AUTH, INFO replication, CLIENT ID; see handshake.c) and
 * ends with RESET, so that the proxy's own credential never carries a client's
 * command (decision 7), and no client's credential goes to a wrong node. Who is not authenticated is
 * let in or not by what the node says to a PING then.
 *
 * A retired upstream takes no new requests and closes when the last is
 * answered. One worker's thread only.
 */
#ifndef REDISPROXY_TRAFFIC_UPSTREAM_H
#define REDISPROXY_TRAFFIC_UPSTREAM_H

#include "base/buf.h"
#include "net/stream.h"
#include "topology/topology.h"
#include "traffic/identity.h"
#include "traffic/request.h"
#include "traffic/turn.h"

enum upstream_state {
    UPSTREAM_CONNECTING,
    UPSTREAM_VERIFYING,
    UPSTREAM_ENTERING,
    UPSTREAM_READY,
    UPSTREAM_CLOSED,
};

/* Room for what a node says when it lets somebody not in: HELLO's is long. */
#define ERROR_LINE_MAX 400

/* What a node is used as; an upstream is good for one of them. */
enum purpose { PURPOSE_MASTER, PURPOSE_REPLICA };

struct target {
    size_t group;
    uint64_t node;
    enum purpose purpose;
    const struct topology_node *view; /* valid during the call */
};

/* What a verified node says of itself. */
struct node_claim {
    bool master, replica;
    bool busy; /* with a script: it says nothing of its replication id */
    char replid[2][REPLID_SIZE];
};

struct upstream;

struct upstream_owner {
    /* Whether the node is what the upstream is for; a text for the log when it is not. */
    const char *(*verify)(struct upstream *upstream, const struct node_claim *node);
    void (*on_ready)(struct upstream *upstream);
    /* Of an identity that is not authenticated: whether the node lets it in without. Then it comes to
     * on_ready(), or, if its identity is said to stand elsewhere (identity->outside), is closed. */
    void (*on_greeted)(struct upstream *upstream, bool let_in);
    /* Whether the node is known to be shutting down, as struct topology_node says it. */
    bool (*lets_no_write_through)(const struct upstream *upstream);
    /* Before the requests on it are failed. `error`: it ended before it was READY, or unasked. */
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
    bool singly;       /* what it is asked is sent when all before it is answered */
    bool busy;         /* while VERIFYING: the node runs a script, and is asked in another way */
    bool select_first; /* while ENTERING: the second way, for users who may not SELECT */
    bool refused;      /* cut because the node does not let the proxy in, see refusals.h; */
    bool waits;        /* and the password's file is read again */
    bool retired;
    bool paused; /* not read: whoever is answered does not drain */
    bool ended;  /* by its node */
    bool undone; /* it ended, and its node executed no write that it had not answered */
    struct stream stream;
    struct turn *turn;
    const struct upstream_owner *owner;
    void *owner_data;
    struct list in_pool;  /* every upstream of the worker */
    struct list in_idle;  /* a lease that waits in its slot */
    struct list in_turn;  /* has something to write */
    struct list queue;    /* on the wire, or next to be */
    struct list pending;  /* accepted before READY */
    struct list *send_at; /* the first in queue that is not wholly written; &queue: none */
    size_t sent;          /* how much of that one is */
    struct resp_reply reply;
    struct buf stash; /* the piece of a reply that must be seen whole */
    const struct upstream_tap *tap;
    upstream_bytes *tunnel;
    upstream_lost *on_lost; /* tells a lease's holder that it was cut */
    void *lease_data;       /* the holder: for tap and on_lost */
    struct identity *identity;
    struct credential *own; /* the proxy's, until READY; NULL: none */
    size_t group;
    uint64_t node;
    uint64_t tenure; /* the node's, when it was opened */
    enum purpose purpose;
    uint64_t client_id; /* at the node; 0: unknown */
    uint32_t process;   /* which one the node is (process.h); 0: it has not said so */
    bool process_asked;
    int64_t deadline_ms; /* until READY; afterwards, of one that nobody uses: when it is closed */
    int64_t retired_ms;
    /* When it was opened, and the generation of rights (rights.h) then: what the node said to its
     * identity it said later. The pool's. */
    int64_t opened_ms;
    uint64_t generation;
    char name[ENDPOINT_TEXT_MAX]; /* the node's, for logs */
    char why[160];                /* why it was cut; with select_first, what it is refused with */
};

/* Starts connecting. `identity` and `own` (NULL: none) are retained. Returns NULL when the
 * connection failed at once: *error says why. */
struct upstream *upstream_open(struct turn *turn, const struct target *target,
                               struct identity *identity, struct credential *own,
                               int64_t timeout_ms, const struct upstream_owner *owner,
                               void *owner_data, const char **error);

/* Takes the request (REQUEST_WAITING) over until it is answered or fails. */
void upstream_submit(struct upstream *upstream, struct request *request);

/* Writes what is queued. The turn calls it before the loop sleeps. */
void upstream_flush(struct upstream *upstream);

/* Gives back what was not written (on_failed(UNSENT)); what is partly written goes on. */
void upstream_withdraw(struct upstream *upstream);

/* Takes back from a retired upstream what may be sent elsewhere although it was sent: other owners'
 * reads (on_failed(LOST)); their replies are swallowed here. */
void upstream_evict_reads(struct upstream *upstream, const void *except_owner_data);

/* Takes one request back that is not wholly written and of which no byte was (REQUEST_QUEUED). */
void upstream_unqueue(struct upstream *upstream, struct request *request);

/* Ends it at once: what was written is LOST, what was not is UNSENT. upstream_cut() is for
 * failures: the owner hears of an error; upstream_close() is for those who decided it. */
void upstream_cut(struct upstream *upstream, const char *why);
void upstream_close(struct upstream *upstream, const char *why);

/* No new requests; closes when the last is answered. */
void upstream_retire(struct upstream *upstream, const char *why);

/* Stops or resumes reading. */
void upstream_pause(struct upstream *upstream, bool paused);

/* From now on every message goes through `tap` (NULL: no longer) when it is whole, but for what is a
 * reply for certain. No reply may have come in part. */
void upstream_set_tap(struct upstream *upstream, const struct upstream_tap *tap);

/* From now on the node's bytes go through `tunnel` as they come, and requests are bytes, too: nobody
 * answers them, their on_reply() comes, without a byte, when they are written. No request of its holder may be unanswered. */
void upstream_set_tunnel(struct upstream *upstream, upstream_bytes *tunnel);

bool upstream_idle(const struct upstream *upstream);

/* Whether a write that was sent, though it be in part, is unanswered. */
bool upstream_has_write(const struct upstream *upstream);

/* handshake.c: begins VERIFYING. */
void upstream_handshake(struct upstream *upstream);
/* For handshake.c: the identity was let in / was not. */
void upstream_entered(struct upstream *upstream);
void upstream_refused(struct upstream *upstream, const char *error_line);
/* For handshake.c: a command of the proxy's own goes straight to the wire's queue. */
void upstream_send_own(struct upstream *upstream, struct request *request);

#endif
