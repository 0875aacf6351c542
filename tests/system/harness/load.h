/*
 * load: clients that write, read and stray while a trio is switched over, and what became of every
 * single write.
 *
 *   writers  RPUSH of a sequence number to a list of its own, one outstanding, or a pipeline
 *            of many, 20 ms apart
 *   readers  LLEN of a writer's list, 5 ms apart
 *   strays   SET on the read port, 10 ms apart; each must be refused with Redis' own READONLY
 *
 * Afterwards the lists on the final master are held against what was acknowledged.
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
};

struct load;

/* Deletes the keys of an earlier run through the write port; starts the threads. */
struct load *load_start(const struct load_options *options);

/* Lets what is outstanding be answered and ends the threads. */
void load_finish(struct load *load);

/* What was acknowledged after `from` and sent before `to` and is not on the final master was lost by
 * Redis, whose replication is asynchronous (a master was killed at `to`, or was none): it is counted
 * apart. */
void load_excuse(struct load *load, int64_t from, int64_t to);

/* When the newest write was acknowledged, the newest read answered; while it runs. */
int64_t load_last_write(struct load *load);
int64_t load_last_read(struct load *load);

struct load_report {
    long acknowledged, errors, unknown, refused, disconnects;
    long lost_by_redis;   /* acknowledged just before a master was killed, and not there */
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

/* How many writes were acknowledged, how many got an error of any kind, how many reads did, between
 * two moments. */
long load_acknowledged(struct load *load, int64_t from, int64_t to);
long load_write_errors(struct load *load, int64_t from, int64_t to);
long load_read_errors(struct load *load, int64_t from, int64_t to);

/* Of those acknowledged between two moments, how many are not on the final master; after
 * load_report(). */
long load_lost(struct load *load, int64_t from, int64_t to);
/* How many writers were disconnected for a write that was sent between two moments. */
long load_cut(struct load *load, int64_t from, int64_t to);

/* The longest time without an acknowledged write that ended between `from` and `to` (now_us()
 * values): returns its length, and its end: the first acknowledged write of the new master. */
int64_t load_gap(struct load *load, int64_t from, int64_t to, int64_t *end);

void load_report_print(FILE *out, const struct load_report *report);

void load_free(struct load *load);

#endif
