/*
 * election: who is master? The state machine of decision 5, fed with what the
 * Sentinels say and what the nodes say of themselves.
 *
 *     Sentinels' answers and events, nodes' ROLE and INFO, the time
 *         --> election --> a view: state, master, who may be read
 *                          requests: poll now, probe this node now or more often
 *                          a deadline: call election_tick() then
 *
 *              majority and ROLE                 +elected-leader, a promotion seen,
 *     none --------------------------> steady ------------------------------------+
 *                                       ^ ^                a majority for another |
 *       majority, ROLE, good replicas;  | | majority                              v
 *       or aborted: ROLE of the old one | +--------- provisional <---------- switching
 *                                       |                 |      eager            |
 *                                       |                 +---------------------->|
 *                                       +-----------------------------------------+
 *
 * It does no I/O and has no clock: every input carries the time (clock_ms()).
 * One thread at a time.
 */
#ifndef REDISPROXY_TOPOLOGY_ELECTION_H
#define REDISPROXY_TOPOLOGY_ELECTION_H

#include "base/log.h"
#include "net/address.h"
#include "topology/facts.h"
#include "topology/fence.h"
#include "topology/history.h"
#include "topology/topology.h"
#include "topology/votes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct election;

/* What the election asks of the data path; NULL: nothing is in flight, nobody pauses. */
struct election_writes {
    /* No write that was sent before the present hold is unanswered at the old master. */
    bool (*quiet)(void *arg);
    /* Until when clients have paused this node. */
    int64_t (*paused_until)(void *arg, uint64_t node);
    void *arg;
};

struct election_options {
    const char *name; /* the group's, for the story */
    bool eager;       /* drain into a provisional master */
    /* With `eager`: point a replica at the candidate without waiting for Sentinel to do it. */
    bool reconfigure_assist;
    enum fence fence; /* election_fence.c */
    bool spare_links; /* ... which leaves the replicas' links alone: the nodes speak TLS */
    bool demote;
    struct election_writes writes;
    int64_t settle_timeout_ms;
    int64_t stale_reads_ms;     /* -1: unlimited */
    int64_t replica_lag_ms;     /* a replica that is behind by more is not read; -1: unlimited */
    int64_t quorum_timeout_ms;  /* writes are held so long after the last majority; -1: never */
    int64_t failover_assist_ms; /* a master that refuses for so long is failed over; -1: never */
    /* Receives the story that an operator reads: log_event()'s arguments, `pairs` as log_fields() writes them. */
    void (*story)(void *arg, enum log_level level, const char *msg, const char *pairs);
    void *story_arg;
    /* Hears of each switch when it has ended: all of it but `counts` and `began_ms`, which is how many milliseconds
     * ago it began. NULL: nobody wants to. */
    void (*switched)(void *arg, const struct switchover *s);
    void *switched_arg;
};

/* ---- inputs: Sentinels ---- */

enum election_event {
    EVENT_TRY_FAILOVER,
    EVENT_ELECTED_LEADER,
    EVENT_SELECTED_REPLICA, /* subject: the candidate */
    EVENT_WAIT_PROMOTION,
    EVENT_PROMOTED,      /* subject: the candidate */
    EVENT_SWITCH_MASTER, /* master: the old one, subject: the new one */
    EVENT_ABORTED,
};

/* ---- inputs: nodes ---- */

enum node_role { ROLE_UNKNOWN, ROLE_MASTER, ROLE_REPLICA };

/* How connecting to a node failed. */
enum node_failure {
    NODE_SILENT,  /* nothing came back, or the network said no */
    NODE_REFUSES, /* nobody listens there, says the node's kernel */
    NODE_REJECTS, /* it accepted, and turned us away */
};

/* What a node says of itself: PING, ROLE, INFO. */
struct node_answer {
    enum node_role role;
    bool unready;          /* it answers PING with LOADING, MASTERDOWN or BUSY */
    bool link_connected;   /* a replica's */
    struct address master; /* a replica's; len 0: a name that does not resolve */
    char replid[2][REPLID_SIZE];
    char runid[RUNID_SIZE];    /* changes when the process restarts; "": not known */
    int good_replicas_missing; /* good replicas that min-replicas-to-write still lacks */
    int64_t offset;            /* of its replication stream; 0: not known */
    int64_t promoted_offset;   /* a promoted master's, up to which it shares its past */
};

/* A node as the election sees it; readable for the owner, who runs a probe for each. */
struct election_node {
    struct topology_node shown; /* `suspect`: it is silent, or refuses connections */
    uint32_t probe_seq;         /* grows: ask at once */
    int64_t probe_every_ms;     /* and so often */
    /* A majority of the Sentinels has named this address. What fewer name may be anybody's: it is asked what
     * it is, and neither believed, nor used, nor shown a password that it asks for. */
    bool named;
    bool in_group; /* named, and its data is the group's, as far as is known */
    /* the rest is the election's */
    struct node_answer says; /* role is ROLE_UNKNOWN until the first answer, and after a loss */
    int64_t asked_ms;        /* when the question behind `says` was asked */
    int64_t answered_ms;     /* the last answer; -1: none yet */
    int64_t listed_ms;       /* when a Sentinel last named it */
    uint64_t named_by;       /* the voters that did, by their slots */
    int64_t foreign_ms;      /* since when it is a master of unknown lineage; -1: it is not */
    int64_t refused_ms;      /* since when every connection was refused; -1: it is not so */
    int64_t refused_last_ms; /* the last refusal */
    int64_t suspect_ms;      /* when shown.suspect last changed */
    int64_t
        unwell_ms; /* when it was first found down, or silent, since its last answer; -1: it was not */
    bool was_master;                /* when it last said what it is */
    int64_t turned_ms;              /* when it last turned from a master into a replica; 0: never */
    enum node_role last_role;       /* what it last said, also after a loss, */
    struct address last_master;     /* and whose replica it was then */
    char replica_runid[RUNID_SIZE]; /* its run id when it last said that it is a replica */
    bool silent;                    /* a question is unanswered for too long */
    bool down;                      /* connecting to it failed */
    bool link_lost;                 /* a replica that reports its link down */
    bool member;                    /* this process was seen with the group's replication id */
    bool candidate;                 /* a leader selected it in this switch */
    bool dismissed;                 /* a master that was found not to be the group's */
    bool last_resort;               /* `shown.readable` only because nobody else can be read */
    bool gone;                      /* to be forgotten */
};

/* What the election asks its owner to do once, whenever the number grows. */
struct election_request {
    uint32_t repoint_seq; /* send REPLICAOF `master` to `replica` */
    struct address replica;
    char master[ENDPOINT_TEXT_MAX];
    uint32_t quorum_seq;   /* ask `sentinel` for SENTINEL CKQUORUM */
    uint32_t failover_seq; /* ask `sentinel` for SENTINEL FAILOVER */
    uint64_t sentinel;
    uint32_t fence_seq; /* send `fence` to `fenced` */
    struct address fenced;
    struct fence_order fence;
    char demote_to[ENDPOINT_TEXT_MAX]; /* FENCE_DEMOTE: the new master */
};

struct election_view {
    enum group_state state;
    int master; /* index into nodes, or -1 */
    int reader; /* a master that may be read when no replica can be, writable or not; or -1 */
    bool writable, settling;
    bool quorum; /* a majority named one master in the last 2 s */
    uint64_t epoch;
    int64_t since_ms;
    char replid[2][REPLID_SIZE];
    char reason[160];
    struct election_node *const *nodes;
    size_t node_count;
    uint32_t poll_seq; /* grows: ask every Sentinel at once */
    uint32_t hold_seq; /* grows with every hold */
    bool urgent;       /* a switch is under way: poll often, reconnect fast */
    struct election_request request;
};

/* ---- life ---- */

struct election *election_new(const struct election_options *options, int64_t now_ms);
void election_free(struct election *election);

/* It goes on with these options; what it knows stays. A switch that is under way ends by the rules that it began with. */
void election_change(struct election *election, const struct election_options *options,
                     int64_t now_ms);

/* The view is valid until the next input. */
const struct election_view *election_view(const struct election *election);

/* When election_tick() must be called at the latest; INT64_MAX: no need. */
int64_t election_deadline(const struct election *election, int64_t now_ms);
void election_tick(struct election *election, int64_t now_ms);

/* What it knows, for people who measure. */
void election_facts(const struct election *election, int64_t now_ms, struct group_facts *out);
/* Where the master's replication stream is: to be noted twice a second, for that. */
void election_mark_offset(struct election *election);

/* ---- what Sentinels say; `key` is the caller's, not 0 ---- */

void election_sentinel_add(struct election *election, uint64_t key, bool configured,
                           const char *name);
void election_sentinel_remove(struct election *election, uint64_t key, int64_t now_ms);
void election_sentinel_runid(struct election *election, uint64_t key, const char *runid);
void election_sentinel_answer(struct election *election, uint64_t key,
                              const struct sentinel_answer *answer, int64_t asked_ms,
                              int64_t now_ms);
/* The command connection is lost: its answer does not count any more. */
void election_sentinel_lost(struct election *election, uint64_t key, int64_t now_ms);
/* Its address refuses connections: the process is gone. */
void election_sentinel_refused(struct election *election, uint64_t key, int64_t now_ms);
/* Its answer to CKQUORUM, that the owner was asked to send. */
void election_sentinel_quorum(struct election *election, uint64_t key, bool good, int64_t now_ms);
/* The subscription is lost: its events will not be heard. */
void election_sentinel_deaf(struct election *election, uint64_t key, int64_t now_ms);
/* It lists this node. `name` is for logs. */
void election_sentinel_lists(struct election *election, uint64_t key, const struct address *address,
                             const char *name, int64_t now_ms);
/* It says that it is in TILT, or no longer. Nothing is decided by that: it is shown. */
void election_sentinel_tilt(struct election *election, uint64_t key, bool tilt);
void election_event(struct election *election, uint64_t key, enum election_event event,
                    const struct address *master, const struct address *subject, int64_t now_ms);

/* ---- what nodes say ---- */

void election_node_answer(struct election *election, const struct address *address,
                          const struct node_answer *answer, int64_t asked_ms, int64_t now_ms);
/* The connection broke: nothing is known until the next answer. */
void election_node_lost(struct election *election, const struct address *address, int64_t now_ms);
/* Connecting failed. */
void election_node_down(struct election *election, const struct address *address,
                        enum node_failure why, int64_t now_ms);
/* It has begun to shut down, or has not after all. */
void election_node_leaving(struct election *election, const struct address *address, bool leaving,
                           int64_t now_ms);
/* It answered an order of the fence with this error. */
void election_fence_refused(struct election *election, const struct address *address,
                            const char *error);
/* A question has been unanswered for too long, or was answered at last. */
void election_node_silent(struct election *election, const struct address *address, bool silent,
                          int64_t now_ms);

#endif
