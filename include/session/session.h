/*
 * session: one client connection. It reads requests, puts them in order
 * (decision 2), performs what only it can (AUTH, SELECT, MULTI's bookkeeping,
 * ...), hands the rest to the router, and writes the replies in the order of
 * the requests. It does not know nodes.
 *
 * One worker's thread only.
 */
#ifndef REDISPROXY_SESSION_SESSION_H
#define REDISPROXY_SESSION_SESSION_H

#include "base/list.h"
#include "nodes/options.h"
#include "threads/relay.h"

#include <stdbool.h>
#include <stdint.h>

struct learn;
struct router;
struct scripts;
struct session;
struct session_hooks;
struct session_mover;
struct turn;

/* Sessions' ids start here: far above what a node gives its connections, so that CLIENT KILL ID and
 * CLIENT UNBLOCK can tell a client of the proxy from a connection at a node. */
#define SESSION_ID_BASE ((uint64_t)1 << 40)

/* Sessions' ids tell their worker, and grow with each client that was accepted. */
static inline uint64_t session_id_of(uint64_t number, size_t worker)
{
    return SESSION_ID_BASE + number * WORKERS_MAX + worker;
}

/* Of so many workers. A session that was handed over keeps the id that a process with more of them gave it. */
static inline size_t session_worker_of(uint64_t id, size_t workers)
{
    size_t worker = id % WORKERS_MAX;
    return worker < workers ? worker : worker % workers;
}

/* What a worker's sessions share. */
struct session_host {
    struct turn *turn;
    struct router *router;
    uint64_t seq; /* of the snapshot that was adopted last (host.h) */
    struct learn *learn;
    struct scripts **scripts; /* one for each group */
    const struct traffic_options *options;
    struct counters *counters;         /* the worker's, in `stop.shared` */
    const struct session_hooks *hooks; /* what special commands do (hooks.h) */
    struct relay_stop stop; /* where other workers' questions arrive; and what all workers share */
    struct list sessions;
    struct list unread;         /* some of them: there is something to be read, in their turn */
    struct list expiring;       /* some of them: what they hold is due */
    struct list walks;          /* what goes over all of them, in slices (walk.h) */
    struct list script_waiters; /* some of them: until a script is loaded */
    size_t count;
    struct list stalled; /* sessions whose clients take no replies, and are not read (ahead.c) */
    struct list doubted; /* sessions whose node ended their lease (ended.c) */
    struct list
        starved;       /* sessions that are not read, for all have too many requests (budget.h); */
    struct list large; /* sessions whose replies are large (large.h), */
    size_t large_count;
    struct large_keys *large_keys; /* and what they asked for; NULL: nothing is known */
    int64_t hold_ms;               /* when writing to a master had to stop last */
    bool
        budget_spent; /* the worker has as many bytes of requests as it may, when that was looked at last */
    size_t request_share;     /* the worker's part of request_memory */
    struct session *growing;  /* and the one whose large request may come nevertheless, */
    int64_t growing_since_ms; /* since when */
    size_t output_bytes; /* of replies that wait for clients with more than output_high of them */
    size_t ahead_bytes;  /* what is kept of those that take no replies */
    size_t disconnected; /* sessions that the proxy ended, ever; */
    size_t over_output;  /* and those of them that were over output_limit or output_memory */
    int64_t
        leaves_ms; /* when the first of those ends who are not to be here any more (leaving.h); 0: all may stay */
    int64_t
        slowlog_ms; /* a request that takes so long is logged (slowlog.h), of those who come from now on; 0: none is */
    struct session_mover *mover; /* NULL: none can be handed over */
    bool hands_over; /* sessions go to another process (mover.h): the drain leaves them alone; */
    size_t stopping; /* so many of them are not read for that */
    int64_t paused_until_ms; /* until then a node may be paused (CLIENT PAUSE); 0: none is */
};

/* The sessions of the worker whose stop this is. */
static inline struct session_host *session_host_at(struct relay_stop *stop)
{
    return container_of(stop, struct session_host, stop);
}

/* Whether it is the id of a session that another worker has, or had. */
static inline bool session_is_elsewhere(const struct session_host *host, uint64_t id)
{
    return id >= SESSION_ID_BASE &&
           session_worker_of(id, host->stop.shared->worker_count) != host->stop.number;
}

/* Takes over an accepted socket; what it has of the listener it keeps. Returns 0, or a negative libuv code (the socket is closed). */
int session_open(struct session_host *host, const struct traffic_listener_options *listener, int fd,
                 uint64_t id) __attribute__((warn_unused_result));

/* Reads those who have to wait for their turn to be read, within the turn's budget. */
void session_run_unread(struct session_host *host);

#endif
