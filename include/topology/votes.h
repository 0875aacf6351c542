/*
 * votes: what do the Sentinels say, taken together? Decision 5: the master is
 * the (config-epoch, address) that a majority names. Only answers that are
 * there now count; nothing is compared with what was said before.
 * Plain values. No I/O, no clock: the time is a parameter.
 */
#ifndef REDISPROXY_TOPOLOGY_VOTES_H
#define REDISPROXY_TOPOLOGY_VOTES_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNID_SIZE 41 /* 40 hexadecimal digits and the NUL */

/* How far a failover is, in the order in which it goes (SENTINEL MASTER's failover-state). */
enum failover_step {
    FAILOVER_NONE,
    FAILOVER_WAIT_START,
    FAILOVER_SELECT_REPLICA,
    FAILOVER_SEND_PROMOTION,
    FAILOVER_WAIT_PROMOTION,
    FAILOVER_RECONFIGURE, /* promoted: `named` is the new master already */
    FAILOVER_UPDATE_CONFIG,
};

/* What one Sentinel says about the group. */
struct sentinel_answer {
    bool known;     /* it watches a master of this name */
    uint64_t epoch; /* config-epoch */
    /* GET-MASTER-ADDR-BY-NAME. From FAILOVER_RECONFIGURE on the leader names the promoted node
     * here, with its new epoch, while SENTINEL MASTER still shows the old address: so the vote is
     * (epoch, named). len 0: a name that does not resolve. */
    struct address named;
    enum failover_step step;
    int64_t failover_timeout_ms; /* as it is configured there; 0: not known */
    int64_t down_after_ms;       /* the same of down-after-milliseconds */
};

/* One Sentinel. The key is the owner's. */
struct voter {
    uint64_t key;
    unsigned slot; /* its bit in an election_node's `named_by`; below 64 */
    bool configured;
    char runid[RUNID_SIZE]; /* "": not learnt yet */
    char name[ENDPOINT_TEXT_MAX];
    bool tilt;          /* it said that it is in TILT, or has not said so; for people */
    bool reachable;     /* its command connection stands: `answer` counts */
    int64_t reached_ms; /* when it last answered; -1: never */
    int64_t asked_ms;   /* when the question behind `answer` was asked */
    struct sentinel_answer answer;
    int64_t stepped_ms; /* when its failover last moved on */
    int64_t
        undone_ms; /* when others were found to have undone the promotion that it waits for; 0: none */
};

struct verdict {
    bool majority; /* epoch and master are named by one */
    uint64_t epoch;
    struct address master;
    /* A present Sentinel names another master with a higher epoch: either the others will hear of
     * it within two seconds, or it is cut off from them. */
    bool contested;
    size_t votes, electorate;
    int64_t asked_ms; /* of a majority: it stood at this time for certain */
};

/* Counts. The electorate: configured Sentinels, and discovered ones that were reached in the last
 * 60 s; two entries with one run id are one Sentinel. */
struct verdict votes_count(const struct voter *voters, size_t count, int64_t now_ms);

/* Whether a majority of the electorate is among these (a bit for each voter's slot). */
bool votes_majority_of(const struct voter *voters, size_t count, uint64_t slots, int64_t now_ms);

/* Whether both entries are known to be one Sentinel, under two addresses. */
bool voter_same(const struct voter *a, const struct voter *b);

/* Whether the voter's answer counts at this instant. */
bool voter_present(const struct voter *voter, int64_t now_ms);

/* Whether it leads a failover that has not moved for 3 s, though its steps before the promotion take
 * 0.1 s each: a Sentinel that slept is in TILT, for 30 s, and only then goes on. Or one that waits in
 * vain for a promotion that was undone, until failover-timeout. */
bool voter_stalled(const struct voter *voter, int64_t now_ms);

/* The present Sentinel whose failover away from this master is the furthest; NULL: nobody leads one.
 * Stalled ones do not count. */
const struct voter *votes_leader_from(const struct voter *voters, size_t count,
                                      const struct address *master, int64_t now_ms);

/* How far the furthest failover is that a present Sentinel leads away from this master; a stalled one is
 * none. */
enum failover_step votes_failover_from(const struct voter *voters, size_t count,
                                       const struct address *master, int64_t now_ms);

/* Whether a present Sentinel still leads the failover that made this node the master. */
bool votes_failover_to(const struct voter *voters, size_t count, const struct address *master,
                       int64_t now_ms);

#endif
