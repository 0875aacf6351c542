/*
 * mail: what one worker has for another. Sessions share nothing between workers; the little that
 * concerns others (an accepted socket, CLIENT KILL) travels as a letter, whose function runs on the
 * receiving worker's thread.
 *
 *     any thread:     mailbox_post() --> the box --ring()--> the reader's loop wakes up
 *     its reader:     mailbox_read() --> open() of each, in the order in which they came
 *
 * Every letter is opened or dropped, exactly once.
 */
#ifndef REDISPROXY_THREADS_MAIL_H
#define REDISPROXY_THREADS_MAIL_H

#include "base/list.h"

#include <pthread.h>
#include <stdbool.h>

/* Embedded in what is sent; the callee owns the whole of it. */
struct mail {
    struct list in_box;
    void (*open)(struct mail *mail, void *reader);
    void (*drop)(struct mail *mail); /* nobody will open it: all workers have ended */
};

struct mailbox {
    pthread_mutex_t mutex;
    struct list mail;
    bool shut;
    void (*ring)(void *arg);
    void *arg;
};

/* `ring(arg)` tells the reader that there is mail; any thread calls it, and never after
 * mailbox_shut(). */
void mailbox_init(struct mailbox *box, void (*ring)(void *arg), void *arg);

/* Any thread. */
void mailbox_post(struct mailbox *box, struct mail *mail);

/* Wakes the reader up, without a letter. Any thread. */
void mailbox_ring(struct mailbox *box);

/* The reader: opens what is there now. */
void mailbox_read(struct mailbox *box, void *reader);

/* The reader reads no more: what comes stays in the box, for mailbox_empty(). */
void mailbox_shut(struct mailbox *box);

/* When no thread posts any more: drops what is left. */
void mailbox_empty(struct mailbox *box);
void mailbox_free(struct mailbox *box);

#endif
