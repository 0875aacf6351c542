/*
 * lease_state: the connection that only this session uses, and why it keeps it: a set of reasons. It goes back to the
 * pool when none is left and nothing is in flight (lease.h). Some reasons survive the loss of the connection: the
 * session wants another one then.
 */
#ifndef REDISPROXY_SESSION_LEASE_STATE_H
#define REDISPROXY_SESSION_LEASE_STATE_H

#include "base/list.h"
#include "nodes/place.h"

#include <stdbool.h>
#include <stdint.h>

enum lease_reason {
    LEASE_TRANSACTION = 1, /* MULTI is open there */
    LEASE_WATCHES = 2,     /* WATCH is in effect there */
    LEASE_CHANGED = 4, /* the connection is no longer as others expect it: until the session ends */
    LEASE_DEDICATED = 8,   /* multiplexing = no */
    LEASE_SUBSCRIBED = 16, /* it brings messages, */
    LEASE_MONITORS = 32,   /* MONITOR's lines, */
    LEASE_TRACKS = 64,     /* invalidations (CLIENT TRACKING) */
    LEASE_TOLD = 128,  /* the node was told something about the connection that the session keeps */
    LEASE_LARGE = 256, /* its replies are large, and nobody shall wait behind them (large.h) */
};

/* What brings what nobody asked for; and what the next lease is wanted for, and told. */
#define LEASE_HEARS (LEASE_SUBSCRIBED | LEASE_MONITORS | LEASE_TRACKS)
#define LEASE_CARRIED (LEASE_SUBSCRIBED | LEASE_MONITORS | LEASE_TOLD)
/* What a request may not be sent elsewhere for. */
#define LEASE_NEEDED (LEASE_TRANSACTION | LEASE_DEDICATED | LEASE_SUBSCRIBED | LEASE_LARGE)

struct lease {
    struct upstream *upstream; /* NULL: none */
    uint16_t reasons;          /* enum lease_reason */
    bool dirty;                /* it must not go to another session */
    bool named;                /* it bears this session's name */
    unsigned
        unblocks; /* the proxy's own CLIENT UNBLOCKs that were sent for it, and have ended nothing */
    struct ended ended; /* the last one, while it is not known why it ended (ended.h) */
    struct list in_doubted;
    struct list in_large;   /* kept for LEASE_LARGE: */
    int64_t large_until_ms; /* so long; */
    bool suspected;         /* only because its node ended a connection that it shared; */
    int64_t lost_ms;        /* when one did last; 0: none has */
};

/* From now on it is kept for that, too; and no longer. */
static inline void lease_keep(struct lease *lease, unsigned reasons)
{
    lease->reasons |= (uint16_t)reasons;
}

static inline void lease_let(struct lease *lease, unsigned reasons)
{
    lease->reasons &= (uint16_t)~reasons;
}

static inline void lease_keep_if(struct lease *lease, enum lease_reason reason, bool keep)
{
    if (keep)
        lease_keep(lease, reason);
    else
        lease_let(lease, reason);
}

/* Whether it is kept for one of these. */
static inline bool lease_kept_for(const struct lease *lease, unsigned reasons)
{
    return (lease->reasons & reasons) != 0;
}

/* It is another connection from now on, as fresh as the pool gives it. */
static inline void lease_renew(struct lease *lease, struct upstream *upstream)
{
    lease->upstream = upstream;
    lease->dirty = lease->named = false;
    lease->unblocks = 0;
}

#endif
