/*
 * errands: what other threads want the control plane's thread to do, or to tell: it runs there, between two events, where
 * groups may be asked without a lock. Every errand is run or dropped, exactly once.
 */
#ifndef REDISPROXY_TOPOLOGY_ERRANDS_H
#define REDISPROXY_TOPOLOGY_ERRANDS_H

#include "base/list.h"

#include <pthread.h>

struct control;

/* Embedded in what is to be done; the callee owns the whole of it. */
struct errand {
    struct list in_queue;
    void (*run)(struct errand *errand, struct control *control);
    void (*drop)(struct errand *errand); /* the thread has ended */
};

struct errands {
    pthread_mutex_t mutex;
    struct list queue;
};

void errands_init(struct errands *errands);
/* Any thread. */
void errands_add(struct errands *errands, struct errand *errand);
/* The control plane's thread: runs what is there now. */
void errands_run(struct errands *errands, struct control *control);
/* When that thread has ended: drops what is left, and frees. */
void errands_close(struct errands *errands);

#endif
