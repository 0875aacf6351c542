/* publishing: see the header. */
#include "session/publishing.h"

#include "nodes/router.h"

bool session_may_publish(const struct command *command)
{
    if (command->verb == VERB_PUBSUB)
        return true; /* who counts subscribers (Socket.IO does) shall find all of them, too */
    if (command->verb == VERB_EVAL || command->verb == VERB_EVALSHA || command->verb == VERB_FCALL)
        return true; /* the read-only forms, too */
    return !(command->flags & COMMAND_READONLY) &&
           (command->flags & (COMMAND_MAY_REPLICATE | COMMAND_MODULE));
}

bool session_waits_for_subscribers(struct session *s, struct session_request *r)
{
    if (r->command->verb == VERB_EXEC)
        r->publishes |= s->tx.publishes;
    else if (s->tx.state == TX_OPEN)
        return false; /* it is only queued */
    /* From a read port nothing goes to others than the same node's subscribers. */
    return r->publishes && s->place.route != ROUTE_REPLICA &&
           !router_may_publish(s->host->router, s->place.group);
}
