/*
 * supervisor: what systemd, or another one that sets NOTIFY_SOCKET, is told about this process: that it is ready, what it
 * does, that it reads its configuration again, that it stops; and, if it wants to hear so (WATCHDOG_USEC), that every loop
 * still turns, as /healthz judges. Who stops hearing that ends the process and starts another one.
 *
 * Without a supervisor the functions do nothing. The main thread only.
 */
#ifndef REDISPROXY_OPS_SUPERVISOR_H
#define REDISPROXY_OPS_SUPERVISOR_H

#include "topology/control.h"
#include "topology/topology.h"
#include "worker/workers.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervisor {
    bool listens, watches, stopping;
    int64_t every_ms, next_ms; /* how often something is told; when next */
    char status[512];          /* what it was told last */
    struct board *board;
    const struct control *control;
    const struct workers *workers;
};

/* Looks at the environment. `board`, `control` and `workers`, which run already, are looked at until the end. */
void supervisor_init(struct supervisor *supervisor, struct board *board,
                     const struct control *control, const struct workers *workers);

/* Clients are accepted; or, after supervisor_reloading(): it is done. */
void supervisor_ready(struct supervisor *supervisor);

/* The configuration is being read again. supervisor_ready() has to follow, also when it was wrong. */
void supervisor_reloading(struct supervisor *supervisor);

/* This process is the main one from now on: another one takes over, or this one after all. */
void supervisor_succeeded(const struct supervisor *supervisor, pid_t pid);

/* The process is on its way to its end, and needs at most `ms` for it: the supervisor's own limit is lengthened. */
void supervisor_stopping(struct supervisor *supervisor, int64_t ms);

/* Feeds the watchdog, if every loop turns, and tells what has changed; does nothing before it is time for that. */
void supervisor_turn(struct supervisor *supervisor);

/* How long the main thread may sleep before it calls supervisor_turn() again, at most `ms`; -1 means for ever. */
int64_t supervisor_sleep(const struct supervisor *supervisor, int64_t ms);

#endif
