/*
 * large: who gets large replies does not share a connection with others' writes. What others have sent behind a large
 * reply waits for it; a node that finds it too long (client-output-buffer-limit) ends the connection, and what others had
 * sent there has an unknown outcome. So
 *
 *     a reply is large                            its session has a lease of its own for a minute (LEASE_LARGE); who asks
 *                                                 for the same next goes on a lease, too (large_keys.h)
 *     a node ends a shared connection             one of the requests on it may be why: those reads that are sent again, as
 *                                                 long as they are few, are on a lease; so is everybody of whom this is the
 *                                                 second time within a minute. For ten seconds
 *
 * A switch is no such end: then nobody is suspected. What replicas serve are reads, and they share with reads.
 * tests/system/test_strangers_large.c plays it.
 */
#ifndef REDISPROXY_SESSION_LARGE_H
#define REDISPROXY_SESSION_LARGE_H

#include "session/large_keys.h"
#include "session/state.h"

/* Over this a reply is large. */
#define LARGE_REPLY ((size_t)1024 * 1024)

/* More of a large reply has come, and that is not all of it. */
void session_large_reply(struct session *s, struct session_request *r, struct upstream *up);
/* A request on a lease was answered: is what it asked for large? */
void session_large_answered(struct session *s, const struct session_request *r);
/* A request was lost with its connection. */
void session_suspect(struct session *s, const struct session_request *r);

/* Whether the request shall not be sent where others' are, for its reply may be large. */
bool session_asks_large(const struct session *s, const struct session_request *r);

/* Every 100 ms: those whose time is over share again. */
void session_look_at_large(struct session_host *host, int64_t now_ms);
/* A switch of the group has begun: connections end for that. */
void session_acquit_suspects(struct session_host *host, size_t group);
/* For a session that ends. */
void session_forget_large(struct session *s);

#endif
