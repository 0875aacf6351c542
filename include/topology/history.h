/*
 * history: the last switchovers, and how many there were. A switchover is from the moment when writes are held,
 * because a failover of the master is under way, until they go on: at a new master, or at the old one, where the failover
 * did not happen.
 *
 *     hold --PHASE_CANDIDATE--> who is to be promoted is known --PHASE_PROMOTION--> the first sign that he is promoted
 *          --PHASE_MAJORITY--> a majority names him --PHASE_RELEASE--> writes go on
 *
 * Any thread may read; all functions are short, under a mutex.
 */
#ifndef REDISPROXY_TOPOLOGY_HISTORY_H
#define REDISPROXY_TOPOLOGY_HISTORY_H

#include "net/address.h"
#include "topology/switch_counts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_MAX 100 /* so many are kept */

enum switch_phase {
    PHASE_CANDIDATE,
    PHASE_PROMOTION,
    PHASE_MAJORITY,
    PHASE_RELEASE,
    SWITCH_PHASES, /* how many there are */
};

enum switch_result {
    SWITCH_TO_NEW,  /* to another master */
    SWITCH_TO_OLD,  /* the failover did not happen */
    SWITCH_RESULTS, /* how many there are */
};

struct switchover {
    int64_t began_ms; /* milliseconds since 1970 */
    char group[128];  /* cut to fit, as all texts here */
    char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];
    char reason[128]; /* why writes were held */
    enum switch_result result;
    bool provisional; /* promotion = eager: writes went on before a majority named the new master */
    uint64_t epoch;
    /* How long each phase took; their sum is how long writes were held. One of which no sign was seen took 0, and its time
     * is part of the next one's. With `provisional` the last phase ends before a majority names the master: PHASE_MAJORITY
     * is 0. */
    int64_t phase_ms[SWITCH_PHASES];
    uint64_t
        counts[SWITCH_COUNTS]; /* requests, from a second or two before it began until its end */
};

/* "candidate", "promotion", "majority", "release"; "new", "old"; "held", "retried", "unknown", "refused". */
const char *switch_phase_name(enum switch_phase phase);
const char *switch_result_name(enum switch_result result);
const char *switch_count_name(enum switch_count count);

/* How long writes were held. */
int64_t switchover_held_ms(const struct switchover *s);

/* Since the process began, of one group; for counters. */
struct history_totals {
    uint64_t results[SWITCH_RESULTS];
    uint64_t phase_ms[SWITCH_PHASES];
};

struct history;

/* `groups`: how many there are. */
struct history *history_new(size_t groups);
void history_free(struct history *history);

/* The newest one. `group` is its index. `on_add` is called with it, outside of the mutex. */
void history_add(struct history *history, size_t group, const struct switchover *s);

/* One that an earlier process saw; to be called before the first is added, the oldest first. It counts in no totals. */
void history_remember(struct history *history, const struct switchover *s);

/* Whoever is to hear of each new one: on the thread that adds it, which must not wait. NULL: nobody. */
void history_listen(struct history *history, void (*on_add)(void *arg, const struct switchover *s),
                    void *arg);

/* Copies at most `max` of the newest, the oldest of these first. Returns how many. */
size_t history_copy(struct history *history, struct switchover *out, size_t max);

/* The same, and how many were added or remembered so far: the number of the last one that is copied. */
size_t history_read(struct history *history, struct switchover *out, size_t max, uint64_t *newest);

void history_totals(struct history *history, size_t group, struct history_totals *out);

#endif
