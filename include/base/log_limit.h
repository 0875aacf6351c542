/*
 * log_limit: how many lines of one kind the log takes. A kind is an event's text (`msg`); what
 * varies behind it does not matter, so that neither many clients nor many nodes make more of it.
 *
 * Each kind has a bucket of LOG_LIMIT_BURST lines, which LOG_LIMIT_RATE a second fill again: a failover's story
 * fits in whole, a flood does not. What is left out is counted, until somebody asks for the count.
 *
 * A pure structure, all zero at its start: the caller locks, and knows the time.
 */
#ifndef REDISPROXY_BASE_LOG_LIMIT_H
#define REDISPROXY_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LIMIT_BURST 100
#define LOG_LIMIT_RATE 10
/* Kinds that are told apart; the program has about 100. Any further ones share the last place. */
#define LOG_LIMIT_KINDS 192

struct log_kind {
    char text[96]; /* the event's, cut to fit; "": the place is free */
    int64_t since; /* when `lines` was right, milliseconds */
    double lines;  /* in the bucket */
    uint64_t left_out;
};

struct log_limit {
    struct log_kind kinds[LOG_LIMIT_KINDS];
    size_t left_out; /* kinds of which lines were left out that nobody asked for yet */
};

/* Whether one more line of this kind may be written now; if not, it is counted. */
bool log_limit_admits(struct log_limit *limit, const char *msg, int64_t now);

/* A kind of which lines were left out; NULL: there is none. log_limit_told() sets its count back. */
struct log_kind *log_limit_left_out(struct log_limit *limit);
void log_limit_told(struct log_limit *limit, struct log_kind *kind);

#endif
