/*
 * facts: what the control plane knows and the data path does not need: what each Sentinel says, how far replicas are
 * behind, how switches went. It changes with every answer, so it is no part of the snapshot, which wakes the workers.
 *
 *     control thread: facts_show(), twice a second, and with each snapshot --copy, under a lock--> facts_read(): whoever shows it
 *
 * The lock is held for a copy only, and never taken by a worker.
 */
#ifndef REDISPROXY_TOPOLOGY_FACTS_H
#define REDISPROXY_TOPOLOGY_FACTS_H

#include "base/histogram.h"
#include "net/address.h"
#include "topology/history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACTS_SENTINELS_MAX 64
#define FACTS_NODES_MAX 64

/* All switches of a group since the start. */
struct switch_times {
    uint64_t ended[SWITCH_RESULTS];
    struct histogram phases
        [SWITCH_PHASES]; /* from the hold to the end of each, of those that ended at another master */
};

/* A switch that is under way. */
struct switch_going {
    bool on;
    enum switch_phase phase;         /* which one lasts: those before have ended */
    int64_t began_ms;                /* clock_ms() */
    int64_t phase_ms[SWITCH_PHASES]; /* as in struct switchover; that of `phase` so far */
    char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX]; /* "": not known yet */
    char reason[128];
};

struct sentinel_facts {
    char name[ENDPOINT_TEXT_MAX];
    bool present, agrees; /* it answers; and names the master that a majority names */
    bool tilt;            /* it said so itself, as far as its events were heard */
    uint64_t epoch;
    int64_t answered_ms; /* clock_ms(); -1: never */
};

struct node_facts {
    uint64_t node;     /* topology_node.id */
    int64_t lag_bytes; /* behind the master; -1: not known */
    int64_t lag_ms;    /* how long ago the master was there where it is; -1: not known */
};

struct group_facts {
    size_t electorate, votes; /* Sentinels that count; that name the majority's master */
    size_t sentinel_count, node_count;
    struct sentinel_facts sentinels[FACTS_SENTINELS_MAX];
    struct node_facts nodes[FACTS_NODES_MAX];
    struct switch_times switches;
    struct switch_going going;
};

struct facts;

struct facts *facts_new(void);
void facts_free(struct facts *facts);

/* The newest of all groups, in the configuration's order; copied. Any thread. */
void facts_show(struct facts *facts, const struct group_facts *groups, size_t count);
/* A copy to be freed, and how many groups are in it: none before the first facts_show(). Any thread. */
struct group_facts *facts_read(struct facts *facts, size_t *count);

#endif
