/*
 * starved: sessions that are not read, for the worker has as many bytes of requests as it may (budget.h): when they are
 * read again, and whose large request may come meanwhile.
 */
#ifndef REDISPROXY_SESSION_STARVED_H
#define REDISPROXY_SESSION_STARVED_H

#include "session/session.h"

/* If the worker has memory again, all are read. */
void session_feed_starved(struct session_host *host);
/* Every 100 ms: is it another one's turn to grow? */
void session_look_at_starved(struct session_host *host, int64_t now_ms);

#endif
