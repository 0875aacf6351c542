/*
 * round: a letter that goes to the other workers, one after the other, and home again. It is how a
 * session asks, or tells, what concerns the sessions of all.
 *
 *     home: round_start() -> visit() there -> visit() there -> ... -> home: back()
 *
 * One letter, so it is never two threads'; where there are no others, back() is called at once. It may
 * stay with a worker for a while, which is asked again each turn. One that is under way when the
 * workers end is dropped, when none of them runs any more.
 */
#ifndef REDISPROXY_TRAFFIC_ROUND_H
#define REDISPROXY_TRAFFIC_ROUND_H

#include "traffic/mail.h"
#include "traffic/session.h"

#include <stdbool.h>
#include <stddef.h>

struct round {
    struct mail mail;
    const struct office *office;
    size_t home, at;
    bool one; /* it goes to one worker, and home */
    /* On that worker's thread. False: not yet. */
    bool (*visit)(struct round *round, struct session_host *there);
    /* At home: the round is the callee's. NULL: it is only dropped. */
    void (*back)(struct round *round, struct session_host *home);
    /* It is the callee's, and nobody hears of it. */
    void (*drop)(struct round *round);
};

/* The callbacks are set. */
void round_start(struct round *round, struct session_host *home);
/* To this worker alone. It must be another one, and there. */
void round_start_at(struct round *round, struct session_host *home, size_t worker);

/* Once a turn: those that wait here. */
void rounds_retry(struct session_host *host);
/* They go home as they are. */
void rounds_drop(struct session_host *host);

#endif
