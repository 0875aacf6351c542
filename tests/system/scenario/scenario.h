/*
 * scenario: one way in which a master can go, as a play: a trio, a proxy in front of it (target.h),
 * the load of sixteen writers, eight readers and six strays, an observer; what happens then is
 * the scenario's own function; and what must hold is data (limits), so that the system tests and
 * `make failover` judge alike.
 *
 *     scenario_play()   trio, target, observer, load -> run(stage) -> whole again -> account, verdict
 *
 * The tests play with short timings of Sentinel, `make failover` with the chart's.
 */
#ifndef TESTS_SYSTEM_SCENARIO_H
#define TESTS_SYSTEM_SCENARIO_H

#include "harness/load.h"
#include "harness/observer.h"
#include "harness/target.h"

enum { MOMENTS_MAX = 64, SPANS_MAX = 16, WRONG_MAX = 600, NOTE_MAX = 300 };
enum { WRITERS = 16, READERS = 8, STRAYS = 6 };

struct stage;

struct limits {
    int over_floor_ms; /* the first acknowledged write after the floor of each moment; 0: 50, -1: any */
    int gap_ms;        /* the longest write gap; 0: the floor decides */
    int over_read_ms; /* reads stand still for so long although a node answers them; 0: 100, -1: any */
    int unknown;      /* how often what is in flight at a loss (a write a writer) may be unknown */
    int disconnects;  /* ... may end its client's connection */
    bool refused;     /* writes may be refused with the clear error, after hold_timeout */
    bool errors;      /* writes may get Redis' own errors */
    bool read_errors; /* reads may fail */
    bool not_whole;   /* the trio is not whole at the end */
};

struct scenario {
    const char *name, *title;
    void (*run)(struct stage *stage);
    /* What else it measures and judges, when the account of the load is drawn up; or NULL. */
    void (*account)(struct stage *stage, const struct load_report *report);
    const char *(*refused)(void); /* why this machine does not allow it; NULL: any does */
    struct trio_options trio;
    struct proxy_options proxy;
    struct limits limits;
    bool ours; /* about a choice that only redisproxy offers: there is nothing to compare with */
};

/* Something that interrupts writes: from when on, and the floor: when they could go on. */
struct moment {
    int64_t from, to, floor;
};

/* A time that the scenario looks at again in its account, and something that happened in it. */
struct span {
    int64_t from, at, to;
};

/* A master was lost at `at`. What was sent by then may be lost with it, if the node that was promoted
 * then did not have it (load_excuse); `until`: what was acknowledged up to then, a master in the
 * minority of a partition having gone on. */
struct loss {
    int64_t at, until;
};

struct stage {
    const struct scenario *scenario;
    bool fast; /* the short timings of the tests */
    int guests;
    unsigned seed; /* of what the guests do */
    struct trio trio;
    struct target target;
    struct observer *observer;
    struct load *load;
    int64_t began;
    int moments;
    struct moment moment[MOMENTS_MAX];
    int spans;
    struct span span[SPANS_MAX];
    int losses;
    struct loss loss[MOMENTS_MAX];
    char wrong[WRONG_MAX]; /* the first thing that did not hold; "": all did */
    char note[NOTE_MAX];   /* what was measured besides, for people */
};

struct outcome {
    const char *skipped; /* why it was not played; NULL: it was */
    struct load_report report;
    int64_t gap, floor_gap, distance; /* the longest gap, its floor; the worst distance of any */
    int64_t read_gap, read_over; /* of reads: the longest gap; the most over a direct reader's */
    int64_t read_from;           /* when that one began */
    char wrong[WRONG_MAX], note[NOTE_MAX];
};

/* Ends with NULL. */
extern const struct scenario *const scenarios[];
const struct scenario *scenario_find(const char *name);

/* Plays it. Events and acknowledged writes per 100 ms go to `timeline` as lines of tab-separated
 * fields, when it is not NULL. Returns 0, or -1 when the stage could not be set up (said on
 * stderr). */
int scenario_play(const struct scenario *scenario, enum target_kind kind, bool fast, FILE *timeline,
                  struct outcome *out) __attribute__((warn_unused_result));

/* The same in parts, for who plays otherwise (soak.c): `scenario`, `fast`, `guests` and `seed` are
 * given. stage_close() also closes what stage_open() left half open. */
int stage_open(struct stage *stage, enum target_kind kind) __attribute__((warn_unused_result));
void stage_close(struct stage *stage);

void outcome_print(FILE *out, const struct scenario *scenario, enum target_kind kind,
                   const struct outcome *outcome);

/* ---- for the scenarios ---- */

/* Notes what did not hold; the first note stays. */
void stage_wrong(struct stage *stage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds to what was measured. */
void stage_note(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_span(struct stage *stage, int64_t from, int64_t at, int64_t to);

/* Asks for a switchover and waits until the trio is whole with another master. */
void stage_switch_over(struct stage *stage);
/* Waits for the switchover that was asked for, or began, at `asked`, and notes its moment. Returns the
 * new master (the old one may still say that it is one too). */
int stage_switch(struct stage *stage, int64_t asked);
/* Notes a moment whose floor the scenario knows; it lasts until the next one. */
void stage_moment(struct stage *stage, int64_t from, int64_t floor);

/* Waits until the trio is whole. */
void stage_whole(struct stage *stage);
/* Waits until writes are acknowledged, and goes on for `ms` under load. */
void stage_flow(struct stage *stage, int ms);
/* Lets the load run for a while: the pace of what happens, not a wait for something. */
void stage_go_on(const struct stage *stage, int ms);

/* How many full resyncs the nodes have given since they run. */
long stage_full_resyncs(const struct stage *stage);

/* How many lines of redisproxy's log hold this text; HAProxy has none. */
int stage_log_lines(const struct stage *stage, const char *text);

/* The master now; if there is none, that is wrong, and it is 0. */
int stage_master(struct stage *stage);
/* The master is killed, stopped or cut off now (or at `at`): what Redis loses is not the proxy's. */
void stage_loss(struct stage *stage);
void stage_loss_until(struct stage *stage, int64_t at, int64_t until);
/* Before the account: what the observer saw of each loss. */
void stage_excuse(struct stage *stage);
void stage_signal_node(struct stage *stage, int node, int signal);
void stage_signal_sentinel(struct stage *stage, int sentinel, int signal);
void stage_return(struct stage *stage, int node);
void stage_return_sentinel(struct stage *stage, int sentinel);

/* Has Sentinels choose this node in the next failover; waits until all of them know. */
void stage_prefer(struct stage *stage, int node);
/* SENTINEL REMOVE and MONITOR: the Sentinel begins anew with this master. */
void stage_monitor(struct stage *stage, int sentinel, int master);

#endif
