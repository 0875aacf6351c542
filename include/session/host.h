/*
 * host: what a worker does for all its sessions: each turn of its loop, ten times a second, and when the router says
 * that something has happened to a node.
 */
#ifndef REDISPROXY_SESSION_HOST_H
#define REDISPROXY_SESSION_HOST_H

#include "session/session.h"

/* Its lists are empty. */
void session_host_init(struct session_host *host);

/* The last thing before the loop sleeps: adopts the newest snapshot, dispatches the sessions that were woken, and writes
 * what there is to be written, to nodes and to clients, until nobody has anything to do, or the turn's budget (turn.h) is
 * spent. Returns whether something is left: then the loop is not to sleep. */
bool session_host_turn(struct session_host *host);

/* Whether something is left. */
bool session_host_has_work(const struct session_host *host);

/* If there is a newer snapshot than the one that was adopted last: host->seq. */
void session_host_adopt(struct session_host *host);

/* Every 100 ms: whoever has waited too long. */
void session_host_tick(struct session_host *host, int64_t now_ms);

/* What the router tells; its data is the host. */
extern const struct router_events session_router_events;

#endif
