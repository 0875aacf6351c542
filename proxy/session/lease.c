/* lease: see the header. */
#include "session/lease.h"

#include "session/hooks.h"

void session_lease_drop(struct session *s)
{
    struct upstream *lease = s->lease;
    s->lease = NULL;
    session_lease_dropped(s);
    s->tx_confirmed = s->watch_confirmed = false;
    if (s->paused == lease)
        s->paused = NULL;
    if (lease)
        router_return(s->host->router, lease, false);
}

void session_lease_dropped(struct session *s)
{
    each_carried(s, dropped);
}

/* Nothing is in flight: may it go back? */
void session_lease_settle(struct session *s)
{
    struct upstream *lease = s->lease;
    if (!lease || s->tx == TX_OPEN || s->watching || s->sticky || s->monitoring || s->told_node ||
        session_subscribed(s) || s->listener->multiplexing == MULTIPLEXING_NO)
        return;
    if (s->paused == lease) {
        upstream_pause(lease, false);
        s->paused = NULL;
    }
    s->lease = NULL;
    router_return(s->host->router, lease, !s->lease_dirty && s->unblocks == 0);
}
