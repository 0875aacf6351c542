/*
 * counters: what one worker counts, for whoever asks. Only its worker writes them, with plain additions (base/counter.h);
 * a scrape reads them on another thread, and adds up those of all workers. A worker is never asked, and never waits.
 *
 * Most requests cost one addition to a bucket of their command's histogram, and one to its sum: of one that was sent in
 * the turn in which it came and answered without an error, the time at the node is the whole time, and its result is
 * "ok", so three families are read from the same numbers. The others go through counters_note_other().
 */
#ifndef REDISPROXY_THREADS_COUNTERS_H
#define REDISPROXY_THREADS_COUNTERS_H

#include "base/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request came to: `label` in redisproxy_requests_total. */
#define REQUEST_RESULTS(X)                                                                         \
    X(OK, "ok")                                                                                    \
    X(ERROR, "error")         /* the node's, or the proxy's, that is none of these: */             \
    X(UNKNOWN, "unknown")     /* a write whose connection broke before its answer */               \
    X(STRAY, "refused_stray") /* a write that came to the read port */                             \
    X(LIMIT, "refused_limit") /* could not be held, or no longer */

/* Why a client's connection ended. */
#define CLOSE_REASONS(X)                                                                           \
    X(CLIENT, "client")                                                                            \
    X(CONNECTION, "connection")                                                                    \
    X(TLS, "tls")                                                                                  \
    X(PROTOCOL, "protocol")                                                                        \
    X(KILLED, "killed")                                                                            \
    X(MOVED, "moved")                                                                              \
    X(DRAINED, "drained")                                                                          \
    X(LIMIT, "limit")                                                                              \
    X(UNKNOWN, "unknown_outcome")                                                                  \
    X(NODE, "node")                                                                                \
    X(ENTRY, "not_let_in")

/* Why a client that connected got no session. */
#define REFUSE_REASONS(X)                                                                          \
    X(MAX_CLIENTS, "max_clients")                                                                  \
    X(FAILED, "failed")

/* Why a request is sent once more. */
#define RETRY_CAUSES(X)                                                                            \
    X(UNSENT, "unsent") /* its connection ended, or was taken away, before a byte was written */   \
    X(LOST, "lost")     /* a read, whose connection ended before the answer */                     \
    X(REJECTED, "rejected") /* the node executed nothing: READONLY, LOADING, ... */                \
    X(LEASE, "lease")       /* as a part of its transaction, whose connection was lost */

/* How a connection to a node failed. */
#define CONNECT_FAILURES(X)                                                                        \
    X(CONNECT, "connect")                                                                          \
    X(TIMEOUT, "timeout")                                                                          \
    X(HANDSHAKE, "handshake") /* it answered, but is not what it should be */                      \
    X(REFUSED, "refused")     /* it does not let the proxy in */                                   \
    X(BROKEN, "broken")       /* it was in use */

#define UPSTREAM_KINDS(X)                                                                          \
    X(SHARED, "shared")                                                                            \
    X(LEASED, "leased")                                                                            \
    X(SINGLE, "single") /* for one question: AUTH, or whether the node lets the proxy in */

#define UPSTREAM_PHASES(X)                                                                         \
    X(CONNECTING, "connecting")                                                                    \
    X(READY, "ready")                                                                              \
    X(IDLE, "idle") /* a lease that nobody holds */

#define COUNTERS_ENUM(prefix, plural, LIST) enum prefix { LIST plural }
#define RESULT_(id, label) RESULT_##id,
#define CLOSED_(id, label) CLOSED_##id,
#define REFUSED_(id, label) REFUSE_##id,
#define RETRY_(id, label) RETRY_##id,
#define FAILED_(id, label) CONNECT_##id,
#define KIND_(id, label) UPSTREAM_KIND_##id,
#define PHASE_(id, label) UPSTREAM_PHASE_##id,
enum request_result { REQUEST_RESULTS(RESULT_) RESULTS };
enum close_reason { CLOSE_REASONS(CLOSED_) CLOSE_REASON_COUNT };
enum refuse_reason { REFUSE_REASONS(REFUSED_) REFUSE_REASON_COUNT };
enum retry_cause { RETRY_CAUSES(RETRY_) RETRY_CAUSE_COUNT };
enum connect_failure { CONNECT_FAILURES(FAILED_) CONNECT_FAILURE_COUNT };
enum upstream_kind { UPSTREAM_KINDS(KIND_) UPSTREAM_KIND_COUNT };
enum upstream_phase { UPSTREAM_PHASES(PHASE_) UPSTREAM_PHASE_COUNT };
#undef RESULT_
#undef CLOSED_
#undef REFUSED_
#undef RETRY_
#undef FAILED_
#undef KIND_
#undef PHASE_
#undef COUNTERS_ENUM

/* Commands by number, and classes of them: what they are is said elsewhere (redis/command.h), that there are no more is
 * asserted in session/host.c. */
#define COUNTED_COMMANDS 512
#define COUNTED_CLASSES 8

/* One command on one listener. Its size is a power of two: it is found by a shift. */
struct command_counters {
    struct histogram at_once; /* sent when they came, and answered without an error */
    counter others[RESULTS];  /* all others */
} __attribute__((aligned(256)));

struct listener_counters {
    struct command_counters *commands; /* COUNTED_COMMANDS; the first is of all unknown ones */
    struct histogram
        whole[COUNTED_CLASSES];             /* of those others, from their coming to their answer */
    struct histogram node[COUNTED_CLASSES]; /* and of these of which a node answered: at the node */
    counter opened, closed[CLOSE_REASON_COUNT], refused[REFUSE_REASON_COUNT];
    counter received, sent; /* bytes */
};

/* Bytes from and to nodes. */
struct traffic_counters {
    counter received, sent;
};

struct group_counters {
    struct traffic_counters traffic;
    counter held_bytes; /* now */
    /* What became of requests for want of a node, ever; a switchover's summary is made of the same numbers
     * (topology/switch_counts.h). */
    counter held;                       /* had to wait */
    counter retries[RETRY_CAUSE_COUNT]; /* were sent, and are sent again */
    counter unknown; /* writes that were sent, of which nobody knows whether they were executed */
    counter refused; /* answered with an error: not held, or not any longer */
    struct histogram hold; /* how long those waited that did, */
    counter hold_max;      /* and the longest of them, in ticks */
};

struct node_counters {
    _Atomic uint64_t node; /* topology_node.id; 0: nobody's */
    size_t group;
    counter connects, failures[CONNECT_FAILURE_COUNT];
    struct traffic_counters traffic;
    counter upstreams[UPSTREAM_KIND_COUNT][UPSTREAM_PHASE_COUNT]; /* now */
};

/* Nodes of all groups that a worker counts apart from each other. */
#define NODE_COUNTERS_MAX 256
/* Client libraries with their version that a worker tells from each other. */
#define CLIENT_LIBS_MAX 32
#define CLIENT_LIB_SIZE 48

struct client_lib {
    char name[CLIENT_LIB_SIZE], version[CLIENT_LIB_SIZE];
};

struct counters {
    size_t listener_count, group_count;
    struct listener_counters *listeners;
    struct group_counters *groups;
    struct node_counters nodes[NODE_COUNTERS_MAX];
    struct client_lib libs[CLIENT_LIBS_MAX]; /* written once each, before they are counted: */
    atomic_size_t lib_count;
    counter lag_ms; /* how late the loop came to its tick: the longest of late */
};

struct counters *counters_new(size_t listeners, size_t groups);
void counters_free(struct counters *counters);

/* Of this node; NULL: there is none. The worker's thread, or a reader's. */
struct node_counters *counters_node(struct counters *counters, size_t group, uint64_t node);
/* The same, taken for it. NULL: all are taken. `counters_release_node` gives it to others. The worker's thread. */
struct node_counters *counters_take_node(struct counters *counters, size_t group, uint64_t node);
void counters_release_node(struct node_counters *node);

/* A client has said what it is. What is not printable, and more than there is room for, is "other". */
void counters_note_lib(struct counters *counters, const char *name, const char *version);

/* A request that was answered, and not as most are: its command's number and class; how long it took, and, if it was sent,
 * how long at the node, in ticks. */
struct counted_request {
    unsigned command, class;
    enum request_result result;
    uint64_t whole, node;
    bool was_sent;
};
void counters_note_other(struct listener_counters *listener, const struct counted_request *request);

/* One that was: sent in the turn in which it came, and answered `ticks` (below HISTOGRAM_OVER) later. */
static inline void counters_note_at_once(struct command_counters *commands, unsigned command,
                                         uint64_t ticks)
{
    struct histogram *h = &commands[command].at_once;
    counter_add(&h->buckets[histogram_bucket(ticks)], 1);
    counter_add(&h->sum, ticks);
}

/* The labels. */
const char *request_result_label(enum request_result result);
const char *close_reason_label(enum close_reason reason);
const char *refuse_reason_label(enum refuse_reason reason);
const char *retry_cause_label(enum retry_cause cause);
const char *connect_failure_label(enum connect_failure why);
const char *upstream_kind_label(enum upstream_kind kind);
const char *upstream_phase_label(enum upstream_phase phase);

#endif
