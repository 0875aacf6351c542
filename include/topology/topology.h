/*
 * topology: who is master, who are replicas, who may be read: an immutable
 * snapshot, and the board on which the control plane publishes the newest one.
 *
 *     control thread: board_publish(new snapshot) --> subscribers are told (uv_async_send)
 *     worker thread:  board_seq() != mine?  --> board_acquire(), act, topology_release(old)
 *                     and the other way round --> board_acknowledge(), board_note_pause()
 *
 * A snapshot is freed when the last holder releases it. Workers never wait for
 * the control plane: they read the newest snapshot, whatever it says.
 */
#ifndef REDISPROXY_TOPOLOGY_TOPOLOGY_H
#define REDISPROXY_TOPOLOGY_TOPOLOGY_H

#include "net/address.h"
#include "topology/credential.h"
#include "topology/facts.h"
#include "topology/history.h"
#include "topology/refusals.h"
#include "topology/switch_counts.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLID_SIZE 41 /* 40 hexadecimal digits and the NUL */

/* A number for a Redis process has so many bits (topology_process()). */
#define PROCESS_BITS 20

enum group_state {
    GROUP_NONE,        /* no master is known */
    GROUP_STEADY,      /* a majority names the master and its ROLE agrees */
    GROUP_SWITCHING,   /* a failover is under way: writes are held */
    GROUP_PROVISIONAL, /* promoted, not yet confirmed by the majority */
};

/* A node as the data path needs it. */
struct topology_node {
    uint64_t id; /* names this node while the process lives: the same address keeps its id */
    struct address address;
    char name[ENDPOINT_TEXT_MAX]; /* for logs */
    char host
        [ENDPOINT_HOST_MAX]; /* by which its TLS certificate knows it: the name that led here, or a number */
    int64_t cert_ends_s; /* when its certificate ends, in seconds since 1970; 0: it showed none */
    bool readable;       /* a replica that may serve reads; never true while suspect */
    /* It is shutting down, and has let no write through since (Redis pauses them until its replicas
     * have caught up): a write that it has not answered when its connection ends was not executed.
     */
    bool leaving;
    bool suspect; /* silent for 500 ms, or refusing connections: write nothing more to it */
    bool
        up; /* it answers its probe: the last time that it was found down, or silent, is over by an answer */
    bool disagrees; /* its probe cannot agree with it about TLS */
    /* Which process answers at the address: another one after a restart; 0: not known. */
    uint32_t process;
    /* Grows when it is another process, has another role, or another master: who is connected since then
     * met nothing of it. */
    uint64_t tenure;
};

struct topology_group {
    const char *name; /* the Sentinel master name, which lives as long as the process */
    bool gone;        /* the group is not configured any more, and knows nothing */
    enum group_state state;
    /* The index of the master, -1: none. While SWITCHING it is still the old master as long as no
     * sign of the promotion was seen: what is in flight there is being answered and counts. When
     * the first sign comes it turns -1, and every upstream of the old one is cut. Once a majority
     * names the new master it is that one, not writable while good replicas for
     * min-replicas-to-write are missing: workers may connect to it already. */
    int master;
    /* The index of a master that may be read where no replica can be, -1: none. It is not for writes, which
     * may be held: it is the master in office, the promoted one, or, where nobody else is left, the
     * old one (election_readers.c). */
    int reader;
    bool writable; /* requests may be written to the master now; false: they are held */
    bool settling; /* shortly after a promotion: NOREPLICAS is a reason to hold, not an answer */
    /* An operator has what is for the master held, until then at most (pause.h): `writable` is false for that alone. */
    bool paused;
    int64_t paused_until_ms;
    bool quorum;      /* a majority of the Sentinels names one master; for people */
    uint64_t epoch;   /* Sentinel's config-epoch of the master */
    int64_t since_ms; /* clock_ms() when state, master, or the master being suspect last changed */
    char replid[2][REPLID_SIZE];  /* the group's replication id, and the one before; "": unknown */
    int64_t sentinel_cert_ends_s; /* of the Sentinels': the first to end; 0: they showed none */
    char reason[160];             /* for people: why the state is what it is; "" when steady */
    struct credential *own;       /* how the proxy itself enters the nodes; NULL: without AUTH */
    char disagreement
        [512]; /* there is no master, since TLS cannot be agreed on: with whom, and why; "": not so */
    bool had_master; /* at some time */
    size_t node_count;
    struct topology_node *nodes;
};

struct topology {
    atomic_uint refs;   /* the board's */
    uint64_t seq;       /* 1, 2, 3, ...: set by board_publish() */
    size_t group_count; /* the configured groups, in the configuration's order */
    struct topology_group *groups;
};

const char *group_state_name(enum group_state state);

/* A new snapshot of `group_count` zeroed groups, with one reference, the caller's. */
struct topology *topology_new(size_t group_count);

/* Gives one reference back; frees the snapshot with the last one. Any thread. */
void topology_release(struct topology *topology);

/* A number that stands for the Redis process with this run id: the same in every proxy, never 0, and
 * with PROCESS_BITS bits, so that one in a million is another one's, too. "" gives 0: not known. */
uint32_t topology_process(const char *runid);

/* Why a group has no master, when that will not mend by itself: the proxy's own password is refused, or TLS cannot be
 * agreed on. Certificates are read anew when they change, so a group that had a master is waited for as long as for a
 * new one, `patience_ms`. NULL: no such thing. */
const char *topology_shut_out(const struct topology_group *group, int64_t now_ms,
                              int64_t patience_ms);

/* The node with this id in a group, or NULL. */
const struct topology_node *topology_node_by_id(const struct topology_group *group, uint64_t id);

/* ---- the board ---- */

struct board;

/* For so many groups: those that a reload may bring are counted. */
struct board *board_new(size_t groups);
size_t board_groups(const struct board *board);
/* Releases the newest snapshot; nobody may use the board any more. */
void board_free(struct board *board);

/* Which nodes refuse the proxy: the workers', and whoever shows it. */
struct refusals *board_refusals(const struct board *board);

/* The last switchovers: whoever shows them, any thread. */
struct history *board_history(const struct board *board);
/* What else the control plane knows: its own, and whoever shows it. */
struct facts *board_facts(const struct board *board);

/* `notify(arg)` is called after every publication, on the publishing thread, until the subscription
 * is taken back: it must be safe there, and not call the board (uv_async_send is, and does not). At
 * most 64 subscribers. Returns the subscriber's number, for board_acknowledge(). */
size_t board_subscribe(struct board *board, void (*notify)(void *arg), void *arg);
void board_unsubscribe(struct board *board, void (*notify)(void *arg), void *arg);

/* Makes `next` the newest snapshot, taking over the caller's reference and numbering it. The
 * control thread only. */
void board_publish(struct board *board, struct topology *next);

/* The sequence of the newest snapshot, 0 before the first: one atomic load. Any thread. */
uint64_t board_seq(const struct board *board);

/* The newest snapshot with a reference for the caller, NULL before the first. Any thread. */
struct topology *board_acquire(struct board *board);

/* ---- what the workers tell the control plane: atomics, any thread ---- */

/* This subscriber has carried out snapshot `seq`: where a master's writes are held, no write that it had
 * sent there is unanswered any more. */
void board_acknowledge(struct board *board, size_t subscriber, uint64_t seq);
/* The newest snapshot that all subscribers have carried out; UINT64_MAX without subscribers. */
uint64_t board_acknowledged(struct board *board);

/* How to read what the workers have counted of requests; NULL: there are no workers any more, and what they counted goes. */
void board_count_from(struct board *board, switch_counts_read *read, const void *counted);
/* What was counted for this group so far; nothing but 0 while there are no workers. */
void board_counts(struct board *board, size_t group, uint64_t out[SWITCH_COUNTS]);

/* A client asked this node of a group to pause until then (clock_ms()); 0: to pause no longer. */
void board_note_pause(struct board *board, size_t group, uint64_t node, int64_t until_ms);
/* Until when it is paused, as far as the clients of this process asked for it; 0: it is not. */
int64_t board_paused_until(struct board *board, size_t group, uint64_t node);

#endif
