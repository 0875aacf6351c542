/*
 * load_state: what the clients of a load remember, shared by the parts that run them (load.c,
 * load_guests.c), keep their troubles (load_troubles.c) and draw up the account (load_report.c).
 */
#ifndef TESTS_SYSTEM_LOAD_STATE_H
#define TESTS_SYSTEM_LOAD_STATE_H

#include "harness/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { CLIENTS_MAX = 64, EXCUSES_MAX = 512 };

enum fate {
    FATE_OPEN,
    FATE_ACKNOWLEDGED,
    FATE_ERROR,   /* an error that says it was not done */
    FATE_UNKNOWN, /* the proxy's outcome-unknown error */
    FATE_REFUSED, /* the proxy's clear error: no master within hold_timeout */
    FATE_CUT      /* the connection was closed */
};

struct write_record {
    int64_t sent, answered;
    enum fate fate;
    bool lost; /* acknowledged, and not on the final master */
};

/* Writers come first, then guests: their numbers are those of their lists. */
struct load_client {
    struct load *load;
    pthread_t thread;
    int number;
    struct write_record *writes; /* the index is the sequence number */
    long count, room;
    long good, bad, disconnects, accepted;
    long left; /* a guest's: writes whose answer it did not wait for */
};

struct load {
    struct load_options options;
    atomic_bool over;
    struct load_client client[CLIENTS_MAX];
    int clients;
    struct load_excuse excuse[EXCUSES_MAX];
    struct promotion promotion[EXCUSES_MAX]; /* theirs */
    int excuses;
    atomic_llong last_write, last_read; /* when the newest was answered well */
    atomic_llong gap;                   /* the longest between two such writes */
    atomic_long acknowledged;           /* so far */
    pthread_mutex_t
        records;          /* of each client's writes: held to change them, and to read another's */
    pthread_mutex_t lock; /* of what follows */
    struct read_gap *read_gaps;
    long read_gap_count, read_gap_room;
    struct trouble *troubles;
    long trouble_count, trouble_room;
};

/* load.c */
long load_new_write(struct load_client *me);
void load_write_answered(struct load_client *me, long sequence, const char *reply);
/* What a reply is that is not a write's acknowledgement. */
enum trouble_kind load_kind_of(const char *reply);

/* load_guests.c: a thread. */
void *load_run_guest(void *client);

/* load_troubles.c */
void load_note(struct load_client *me, enum trouble_kind kind, long sequence, const char *text);

#endif
