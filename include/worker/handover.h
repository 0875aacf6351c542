/*
 * handover: sessions between two processes, as the workers see it. Which process is told what, and when: ops/takeover.h.
 *
 *     the old one    handover_send() of each session (session/mover.h) --> the channel
 *     the new one    the channel --> handover_post() to the worker that the session's id names --> "taken 1099511627777"
 *     the old one    handover_answer() to the worker that has sent it
 */
#ifndef REDISPROXY_WORKER_HANDOVER_H
#define REDISPROXY_WORKER_HANDOVER_H

#include "base/buf.h"
#include "nodes/options.h"
#include "threads/shared.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A channel's descriptor, which is closed when nobody needs it any more. Any thread. */
struct handover_channel {
    atomic_uint users;
    int fd;
    pthread_mutex_t mutex; /* over the next two */
    pthread_cond_t opened;
    unsigned pending;      /* sessions that were posted, and are not unpacked yet */
    atomic_bool abandoned; /* by this side, although the other one lives */
    /* Of the new process: what came of it. */
    atomic_size_t taken, refused;
};

struct handover_channel *handover_channel_new(int fd);
struct handover_channel *handover_channel_use(struct handover_channel *channel);
void handover_channel_leave(struct handover_channel *channel);
/* Ends it from this side: who waits for something to come goes on. */
void handover_channel_abandon(struct handover_channel *channel);

/* The old process: for session_mover_begin(); `arg` is the channel. */
int handover_send(void *arg, const struct buf *packed, const int *fds, int fd_count);
/* Tells the worker in this slot that its session was taken, or refused. Any thread. */
void handover_answer(struct worker_slot *slot, uint64_t id, bool taken);

/* The new process: a packed session, which is copied, and its sockets, for the worker in this slot. Waits while workers
 * have enough to unpack: in a turn of theirs there shall be time for others. Any other thread. */
void handover_post(struct worker_slot *slot, struct handover_channel *channel,
                   const struct traffic_listener_options *listener, uint64_t id, const char *packed,
                   size_t len, const int *fds, int fd_count);

/* The answer to a session. Returns false when the other process has gone. */
bool handover_tell(struct handover_channel *channel, uint64_t id, bool taken);

#endif
