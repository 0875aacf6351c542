/*
 * mover: a worker's sessions go to another process, each at its next boundary.
 *
 *     served --its turn has come--> not read --all is answered--> sent --taken--> closed here: it is the other's
 *       ^                              |                            |
 *       `--- it does not come to an end `----- refused, or the other has died -'
 *
 * Who is sent is still here until the other process says that it has taken it, which it says before it reads a byte of it:
 * so a session belongs to one of the two, whenever either dies. A few at a time are not read, for as long as their
 * answers take. Who is blocked, inside MULTI, or held is served on until that is over.
 *
 * The worker's thread.
 */
#ifndef REDISPROXY_SESSION_MOVER_H
#define REDISPROXY_SESSION_MOVER_H

#include "base/buf.h"
#include "session/walk.h"

struct session_mover {
    struct session_walk walk;
    struct list stopping,
        sent;        /* sessions: those that are not read, and those that are not acknowledged */
    int64_t next_ms; /* of the next walk */
    bool active;
    size_t moved; /* ever */
    /* Sends a packed session with one or two sockets, of which it makes copies. Returns 0, or a negative errno: it is tried
     * again. */
    int (*send)(void *arg, const struct buf *packed, const int *fds, int fd_count);
    void *arg;
};

void session_mover_init(struct session_mover *mover);
void session_mover_begin(struct session_mover *mover, struct session_host *host,
                         int (*send)(void *arg, const struct buf *packed, const int *fds,
                                     int fd_count),
                         void *arg);

/* In each turn, behind everything else: within a budget. Returns whether the loop is not to sleep. */
bool session_mover_turn(struct session_mover *mover, struct session_host *host);

/* The other process has taken the session with this id, or will not. */
void session_mover_answered(struct session_mover *mover, uint64_t id, bool taken);
/* The other process has gone: who is here stays here, and is served on. */
void session_mover_end(struct session_mover *mover, struct session_host *host);

#endif
