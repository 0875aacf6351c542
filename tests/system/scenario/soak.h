/*
 * soak: many random events on one trio, under load. Everything that happens is drawn from a seed:
 * event number n of a seed is always the same one, whichever came before it, so that a failure can
 * be repeated alone.
 *
 *     soak_draw()     what event n is                              soak_events.c
 *     soak_happen()   makes it happen, and lets the trio heal      soak_events.c
 *     soak_judge()    what did not hold, event by event            soak_judge.c
 *     soak_play()     all of it                                    soak.c
 *
 * An event is one blow or two: a switchover, or a Redis or a Sentinel that is killed, hangs, or is
 * restarted. No more than one Redis and one Sentinel are down at a time, as in a world that
 * somebody looks after; between events the trio becomes whole again.
 */
#ifndef TESTS_SYSTEM_SCENARIO_SOAK_H
#define TESTS_SYSTEM_SCENARIO_SOAK_H

#include "scenario/scenario.h"

enum { SOAK_GUESTS = 4, SOAK_EVENTS_MAX = 5000, SOAK_BLOWS_MAX = 2 };

struct soak_options {
    unsigned long seed;
    int first, events; /* from event `first` (1 is the first) on */
    int shown;         /* how many of the events that did not hold are shown in full */
};

enum soak_deed {
    SOAK_SWITCHOVER, /* of a Sentinel: it is asked */
    SOAK_KILL,
    SOAK_HANG,
    SOAK_RESTART, /* SIGTERM */
    SOAK_UPGRADE, /* of the master's host: its Sentinel leads and ends, its Redis hands over and ends */
};

enum soak_whom { SOAK_MASTER, SOAK_REPLICA, SOAK_SENTINEL };

struct soak_blow {
    enum soak_deed deed;
    enum soak_whom whom;
    int which;         /* of the replicas or the Sentinels */
    int at_ms;         /* after the event's beginning */
    int away_ms;       /* until it is back, or goes on */
    int leads_ms;      /* an upgrade's Sentinel, before it gets SIGTERM */
    int node;          /* who it was, when it is a Redis */
    int64_t struck_at; /* 0: not yet */
};

struct soak_event {
    int number, gap_ms; /* gap: under load before it */
    int blows;
    struct soak_blow blow[SOAK_BLOWS_MAX];
    int64_t began, ended;
    int master_before, master_after;
    int64_t write_gap;
    int64_t floor; /* when the promoted master could be written to; 0: nobody was promoted */
    bool whole;    /* the trio healed */
};

struct soak {
    struct soak_options options;
    struct stage stage;
    FILE *out;
    int64_t began, wall_began; /* now_us(), and the same moment as microseconds of the wall clock */
    int count;
    struct soak_event event[SOAK_EVENTS_MAX];
    int wrong;         /* how many things did not hold */
    long files_before; /* of the proxy's, other than those of sessions and upstreams */
    long memory_before;
    double worst_over_floor; /* ms */
};

void soak_draw(unsigned long seed, int number, struct soak_event *event);
void soak_describe(const struct soak_event *event, char *out, size_t size);

void soak_happen(struct soak *soak, struct soak_event *event);
/* A Sentinel that hung does nothing for 30 s (TILT): make that 2. */
void soak_tell_sentinel(struct stage *stage, int sentinel);

/* Whether the blow took a master away in a way that Redis does not survive without loss. */
bool soak_is_lossy(struct soak *soak, const struct soak_event *event, const struct soak_blow *blow);

/* Tells the load what the observer saw of each loss; before its account is drawn up. */
void soak_excuse(struct soak *soak);
/* Holds the account of the load against what each event allows. */
void soak_judge(struct soak *soak);
/* Notes and prints something that did not hold. */
void soak_wrong(struct soak *soak, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Plays `options->events` events and prints them to `out` as they happen. Returns how many things did
 * not hold (the proxy's log and the Sentinels' events around them are shown on stderr), or -1 when
 * the stage could not be set up. */
int soak_play(const struct soak_options *options, FILE *out) __attribute__((warn_unused_result));

#endif
