/*
 * load: clients that write, read and stray while a trio is switched over, and what became of every
 * single write.
 *
 *   writers  RPUSH of a sequence number to a list of its own, one outstanding, or a pipeline
 *            of many, 20 ms apart
 *   readers  LLEN of a writer's list, 5 ms apart
 *   strays   SET on the read port, 10 ms apart; each must be refused with Redis' own READONLY
 *   guests   come, write (in transactions too), block, subscribe, and leave at any moment, with an
 *            answer outstanding or not
 *
 * Afterwards the lists on the final master are held against what was acknowledged. Everything that
 * a client did not expect is kept with its time: the troubles.
 */
#ifndef TESTS_SYSTEM_LOAD_H
#define TESTS_SYSTEM_LOAD_H

#include "harness/observer.h"

#include <stdint.h>
#include <stdio.h>

struct load_options {
    const char *host;
    const char *user, *password;       /* NULL: they do not authenticate */
    const char *name;                  /* prefix of its keys */
    int write_port, writers, pipeline; /* pipeline 0 or 1: one outstanding */
    int read_port, readers;
    int stray_port, strays;
    int guests;    /* on the write port */
    unsigned seed; /* of what the guests do */
};

struct load;

/* Deletes the keys of an earlier run through the write port; starts the threads. */
struct load *load_start(const struct load_options *options);

/* Lets what is outstanding be answered and ends the threads. */
void load_finish(struct load *load);

/* A master was killed, stopped or cut off, and another node was promoted. What was sent by then,
 * acknowledged before the promotion, and not on the promoted node when that was last seen as a
 * replica, was lost by Redis, whose replication is asynchronous; it is counted apart. */
struct load_excuse {
    int64_t sent_by, answered_by;
    const struct promotion *promotion;
    /* Without a promotion: whatever was acknowledged from here on. A node that was believed too early
     * (promotion = eager) was given up with all that it had. */
    int64_t answered_from;
};
void load_excuse(struct load *load, const struct load_excuse *excuse);

/* When the newest write was acknowledged, the newest read answered; while it runs. */
int64_t load_last_write(struct load *load);
int64_t load_last_read(struct load *load);
/* The longest time without an acknowledged write since it was asked last; while it runs. */
int64_t load_take_gap(struct load *load);

/* A time without any answered read: the ones that are worth a look, 50 ms and more. */
struct read_gap {
    int64_t from, to;
};
/* Calls `take` for each, and for the one that goes on now; any time. */
void load_read_gaps(struct load *load, void (*take)(void *user, const struct read_gap *gap),
                    void *user);

struct load_report {
    long acknowledged, errors, unknown, refused, disconnects;
    long lost_by_redis;   /* acknowledged, not there, and excused */
    int64_t longest_wait; /* for any answer to a write, microseconds */
    long reads, read_errors, read_disconnects;
    long strays, strays_accepted, stray_errors, stray_disconnects;
    /* against the lists on the final master */
    long lost;             /* acknowledged, and not there */
    long doubled;          /* there more than once */
    long out_of_order;     /* behind a later one */
    long refused_done;     /* answered with an error, and there */
    char first_error[200]; /* of any kind, for the message */
};

/* After load_finish(). Returns 0, or -1 when the final master cannot be read. */
int load_report(struct load *load, struct trio *trio, struct load_report *out)
    __attribute__((warn_unused_result));

enum trouble_kind {
    TROUBLE_UNKNOWN, /* what clients were told */
    TROUBLE_REFUSED,
    TROUBLE_ERROR,
    TROUBLE_CUT,
    TROUBLE_READ,
    TROUBLE_STRAY,
    TROUBLE_LOST, /* what load_report() found */
    TROUBLE_LOST_BY_REDIS,
    TROUBLE_DOUBLED,
    TROUBLE_OUT_OF_ORDER,
    TROUBLE_REFUSED_DONE,
    TROUBLES
};

struct trouble {
    enum trouble_kind kind;
    int64_t sent, answered; /* it belongs to when it was answered; 0: not known, or never */
    int client;
    long sequence;
    char text[160];
};

const char *trouble_name(enum trouble_kind kind);

/* Calls `take` for each trouble between two moments; any time. */
void load_troubles(struct load *load, int64_t from, int64_t to,
                   void (*take)(void *user, const struct trouble *trouble), void *user);

/* How many writes were acknowledged so far; and between two moments. Any time, any thread, as load_gap() and
 * load_next_write(). */
long load_acknowledged_so_far(struct load *load);
long load_acknowledged(struct load *load, int64_t from, int64_t to);

/* Of those acknowledged between two moments, how many are not on the final master, and when the last of
 * them was acknowledged (unchanged: there is none); after load_report(). */
long load_lost(struct load *load, int64_t from, int64_t to, int64_t *last);
/* How many writers were disconnected for a write that was sent between two moments; after load_finish(). */
long load_cut(struct load *load, int64_t from, int64_t to);

/* The longest time without an acknowledged write that ended between `from` and `to` (now_us()
 * values): returns its length, and its end: the first acknowledged write of the new master. */
int64_t load_gap(struct load *load, int64_t from, int64_t to, int64_t *end);

/* The first acknowledgement from a moment on; 0: none. */
int64_t load_next_write(struct load *load, int64_t from);

void load_report_print(FILE *out, const struct load_report *report);

void load_free(struct load *load);

#endif
