/*
 * relay: a letter that visits the other workers, one after the other, and comes home again. It is how
 * the code of one worker asks, or tells, what concerns all of them.
 *
 *     home: relay_start() -> visit() there -> visit() there -> ... -> home: back()
 *
 * There is one letter, so two threads never have it at once. Where there are no other workers, back() is
 * called at once. A letter may stay with a worker for a while, which is asked again each turn. A letter
 * that is under way when the workers end is dropped, when none of them runs any more.
 */
#ifndef REDISPROXY_THREADS_RELAY_H
#define REDISPROXY_THREADS_RELAY_H

#include "base/list.h"
#include "threads/mail.h"
#include "threads/shared.h"

#include <stdbool.h>
#include <stddef.h>

/* Where letters arrive: one for each worker, and what its mailbox is read with (mailbox_read()). */
struct relay_stop {
    struct shared *shared; /* what all workers share; their mailboxes among it */
    size_t number;         /* of this worker */
    struct list waiting;   /* letters that visit() has said "not yet" to */
};

struct relay;
/* Called on the visited worker's thread. Returns false for "not yet": it is called again each turn. */
typedef bool relay_visit(struct relay *relay, struct relay_stop *there);

struct relay {
    struct mail mail;
    const struct shared *shared;
    size_t home, at;
    bool one; /* it goes to one worker, and home */
    relay_visit *visit;
    /* At home, on that thread: the relay is the callee's from now on. NULL: it is only dropped. */
    void (*back)(struct relay *relay, struct relay_stop *home);
    /* The relay is the callee's, and nobody hears of it. */
    void (*drop)(struct relay *relay);
};

/* Sends the letter to all other workers. Its three callbacks are set; it stays where it is in memory
 * until back() or drop(). On the thread of `home`. */
void relay_start(struct relay *relay, struct relay_stop *home);
/* The same, and it visits the worker where it begins first. */
void relay_start_here(struct relay *relay, struct relay_stop *home);
/* The same from a thread that is no worker's: the letter begins, and comes home, at this worker. */
void relay_start_from_outside(struct relay *relay, const struct shared *shared, size_t worker);
/* Sends it to this worker alone, which must be another one, and there. */
void relay_start_at(struct relay *relay, struct relay_stop *home, size_t worker);

/* Once a turn: visit() is called again for the letters that wait here. */
void relays_retry(struct relay_stop *stop);
/* The workers have ended: the letters that wait here are dropped. */
void relays_drop(struct relay_stop *stop);

#endif
