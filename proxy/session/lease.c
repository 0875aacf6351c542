/* lease: see the header. */
#include "session/lease.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/hooks.h"

void session_lease_drop(struct session *s)
{
    struct upstream *lease = s->lease.upstream;
    s->lease.upstream = NULL;
    session_lease_dropped(s);
    s->tx.confirmed = s->tx.watch_confirmed = false;
    if (s->client.paused == lease)
        s->client.paused = NULL;
    if (lease)
        router_return(s->host->router, lease, false);
}

void session_lease_dropped(struct session *s)
{
    each_carried(s, dropped);
}

/* An operator wants connections made anew: one that is only kept because it is the session's own may be another one. */
static bool may_be_renewed(const struct session *s)
{
    return upstream_is_stale(s->lease.upstream) &&
           !lease_kept_for(&s->lease, (unsigned)~(LEASE_DEDICATED | LEASE_LARGE));
}

/* Nothing is in flight: may it go back? */
void session_lease_settle(struct session *s)
{
    struct upstream *lease = s->lease.upstream;
    if (!lease || (s->lease.reasons && !may_be_renewed(s)))
        return;
    if (s->client.paused == lease) {
        upstream_pause(lease, false);
        s->client.paused = NULL;
    }
    s->lease.upstream = NULL;
    router_return(s->host->router, lease, !s->lease.dirty && s->lease.unblocks == 0);
}

void session_tell_lease(struct session *s, struct slice bytes, const struct request_owner *owner)
{
    upstream_submit(s->lease.upstream, request_own(session_pool(s), bytes, owner, s));
}

void session_tell_lease_words(struct session *s, int argc, const struct slice *argv,
                              const struct request_owner *owner)
{
    upstream_submit(s->lease.upstream, request_own_words(session_pool(s), argc, argv, owner, s));
}
