/*
 * load_state: what the clients of a load remember, shared by the part that runs them (load.c) and
 * the part that draws up the account (load_report.c).
 */
#ifndef TESTS_SYSTEM_LOAD_STATE_H
#define TESTS_SYSTEM_LOAD_STATE_H

#include "harness/load.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CLIENTS_MAX = 64, BAD_READS_MAX = 10000, EXCUSES_MAX = 256 };

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

struct load_client {
    struct load *load;
    pthread_t thread;
    int number;
    struct write_record *writes; /* a writer's: the index is the sequence number */
    long count, room;
    long good, bad, disconnects, accepted;
    int64_t bad_at[BAD_READS_MAX]; /* when a reader's errors came */
    char first_error[200];
    bool plain_error; /* first_error is neither an unknown outcome nor the clear refusal */
};

struct load {
    struct load_options options;
    atomic_bool over;
    struct load_client client[CLIENTS_MAX];
    int clients;
    struct {
        int64_t from, to;
    } excuse[EXCUSES_MAX];
    atomic_llong last_write, last_read; /* when the newest was answered well */
    int excuses;
};

#endif
