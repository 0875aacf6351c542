/*
 * observer: what happened in a trio, seen directly, to measure the proxy against. It asks every
 * node for ROLE and INFO replication every 5 ms (and never writes: a write to an old master can
 * spoil a partial resync), and listens to every Sentinel.
 *
 * It can also follow a load's lists on every node, so that it can be told afterwards what a promoted
 * node did not have: what Redis itself lost.
 *
 * It reads from every node, too: a client that knows all of them could be answered as long as one of them
 * answers, whatever its role.
 *
 * The floor of a switchover is the earliest moment at which a client that knows everything could
 * write: the later of
 *   - two Sentinels having published +switch-master (the leader publishes last, and much later),
 * and
 *   - the new master's ROLE being master, with enough good replicas for min-replicas-to-write.
 */
#ifndef TESTS_SYSTEM_OBSERVER_H
#define TESTS_SYSTEM_OBSERVER_H

#include "harness/trio.h"

#include <stdint.h>

enum { OBSERVED_LISTS = 64 };

struct observer;

/* Starts its threads; returns when all of them are connected. */
struct observer *observer_start(const struct trio *trio);
void observer_stop(struct observer *observer);

/* One switchover's moments, microseconds of now_us(); 0: not seen. */
struct switchover {
    int64_t asked;    /* given by the caller */
    int64_t elected;  /* +elected-leader */
    int64_t promoted; /* the new master's ROLE said master */
    int64_t writable; /* ... with enough good replicas */
    int64_t switched; /* the second +switch-master */
    int64_t floor;
    int master; /* the new master's number */
};

/* Waits for the switchover that was asked for at `asked`. Returns 0, or -1 when it is not over
 * after a minute. */
int observer_switchover(struct observer *observer, int64_t asked, struct switchover *out)
    __attribute__((warn_unused_result));

/* When a Sentinel first published on this channel, not before `since`; 0: not yet. */
int64_t observer_event(struct observer *observer, const char *channel, int64_t since);

/* The same for the last time between two moments. */
int64_t observer_last_event(struct observer *observer, const char *channel, int64_t from,
                            int64_t to);

/* When a node first took writes (as far as it says), not before `since`; 0: not yet. */
int64_t observer_writable(struct observer *observer, int node, int64_t since);

/* How much of the time between two moments no node answered a read. */
int64_t observer_unreadable(struct observer *observer, int64_t from, int64_t to);

/* From now on each look at a node also reads the newest element of the lists <name>:0 and so on: the
 * node's copy of what the writers of a load (load.h) wrote. */
void observer_follow(struct observer *observer, const char *name, int lists);

/* A replica that became a master, and its copy when it was last seen as a replica. */
struct promotion {
    int64_t at, looked; /* first seen as a master, last seen as a replica */
    int node, lists;    /* lists: how many were followed */
    long newest[OBSERVED_LISTS];
};

/* The newest promotion between two moments. */
bool observer_promotion(struct observer *observer, int64_t from, int64_t to, struct promotion *out);

/* Calls `take` for every event that a Sentinel published since then. */
void observer_each(struct observer *observer, int64_t since,
                   void (*take)(void *user, int64_t at, int sentinel, const char *event),
                   void *user);

/* Writes what was seen between two moments (`until` 0: up to now) to stderr, in milliseconds after
 * the first. */
void observer_show(struct observer *observer, int64_t since, int64_t until);

#endif
