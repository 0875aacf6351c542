/*
 * leaving: what becomes of the sessions when the configuration is another one. Who came through a listener that is gone,
 * or that leads to another group, or takes TLS where it took none (or the other way round), ends at the next moment in
 * which nothing is unfinished, and at the end of drain_timeout in any case. All others stay, with the settings of their
 * listener that they began with.
 */
#ifndef REDISPROXY_SESSION_LEAVING_H
#define REDISPROXY_SESSION_LEAVING_H

#include "session/session.h"

/* The host's sessions go on with these options, which outlive it, or its next ones. */
void session_host_reload(struct session_host *host, const struct traffic_options *options);

/* Ends those whose time is over. */
void session_look_at_leaving(struct session_host *host, int64_t now_ms);

#endif
