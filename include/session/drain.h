/*
 * drain: how a worker's sessions end when the proxy stops. Each has a moment of its own, at which it begins to leave: it
 * is closed at its next boundary, where nothing that its client sent is unanswered and nothing is begun. Until then it is
 * served as ever.
 *
 *     0                                     3/4            timeout
 *     |  moments of ordinary sessions        |  of listeners  |  who is left is cut
 *
 * The moments lie apart, or all clients would come back to another proxy in one instant: SESSION_DRAIN_APART_MS for each
 * session (and half a second more for one that has asked nothing yet), but no more than three quarters of the timeout for all. Connections that were opened one after the other (a
 * client's pool) have moments that are far apart. Listeners (subscribers, MONITOR, replication) have no boundary: they end
 * in the last quarter. Who is inside MULTI, has a WATCH, is blocked, or is in the middle of a request, has until the end.
 *
 * One worker's thread only.
 */
#ifndef REDISPROXY_SESSION_DRAIN_H
#define REDISPROXY_SESSION_DRAIN_H

#include "session/walk.h"

#define SESSION_DRAIN_APART_MS 10

struct session_drain {
    struct session_walk walk;
    int64_t began_ms, next_ms; /* of the drain; of the next walk over all sessions */
    int64_t spread_ms, timeout_ms;
    bool over; /* the timeout has passed, which the log was told */
};

/* `sessions`: of all workers together. All are cut after `timeout_ms`. */
void session_drain_begin(struct session_drain *drain, int64_t now_ms, int64_t timeout_ms,
                         size_t sessions);

/* In each turn: sessions whose moment has come leave, within a budget of the turn. */
void session_drain_turn(struct session_drain *drain, struct session_host *host);

/* When the session begins to leave, in milliseconds after the drain began. */
int64_t session_drain_moment(const struct session_drain *drain, const struct session *s);

/* All at once, not in slices: for when nothing is served any more. */
void session_close_all(struct session_host *host);

#endif
