/*
 * interest: whether a client's socket is read, and what its stream is to tell. A client whose replies wait is not
 * read; one that takes none at all for a moment is read ahead (ahead.c).
 */
#ifndef REDISPROXY_SESSION_INTEREST_H
#define REDISPROXY_SESSION_INTEREST_H

#include "session/state.h"

/* Whoever has not logged in, and is not known to need no password, may be so far ahead of its replies. */
#define STRANGER_REQUESTS 64
#define STRANGER_BYTES ((size_t)64 * 1024)

/* Where nobody can be asked, what it may have in the hold is the bound, unless those who can log in are known to have
 * to. */
static inline bool session_is_stranger(const struct session *s)
{
    const struct held *held = &s->queue.held;
    if (s->identity->authenticated)
        return false;
    return s->identity->outside || (hold_waits(held) ? held->outside : !s->client.served);
}

/* Whether anybody looks at how far ahead the session is: it is not when this is false. */
static inline bool session_is_ahead(const struct session *s)
{
    return __builtin_expect(s->queue.count >= STRANGER_REQUESTS, false) ||
           (__builtin_expect(s->queue.bytes >= STRANGER_BYTES, false) && s->queue.count > 0);
}

/* Whether requests are read from the socket; whether what was read ahead may become requests: also while the proxy stops,
 * for it has come. */
bool session_takes_ahead(const struct session *s);
bool session_reads(const struct session *s);
/* The one place that decides, and tells the stream. Whoever makes one of the reasons go away (a reply delivered,
 * bytes written) comes by here through session_flush(). */
void session_update_interest(struct session *s);
/* The client took some of what waits for it. */
void session_was_taken_from(struct session *s);

#endif
