/*
 * connection: RESET and QUIT, which concern the client's connection, and no node has that.
 */
#include "commands/connection.h"

#include "commands/connection_name.h"
#include "session/hooks.h"
#include "session/lease.h"
#include "session/queue.h"
#include "session/transaction.h"

enum step reset_perform(struct session *s, struct request *r)
{
    if (s->inflight > 0)
        return STEP_WAIT;
    each_carried(s, forget);
    s->monitoring = s->sticky = s->watching = s->watch_broken = s->tx_refused = false;
    if (s->reply_off)
        r->silent = false; /* but not when it is the one to be skipped */
    s->reply_off = s->reply_skip = s->let_in = false;
    session_tx_forget(s); /* before its repetition is given up with the lease */
    session_lease_drop(s);
    s->tx = TX_NONE;
    identity_release(s->identity);
    s->identity = identity_nobody(router_identities(s->host->router));
    router_entered(&s->place, NULL);
    session_set_name(s, (struct slice){NULL, 0});
    session_answer(s, r, "+RESET\r\n");
    return STEP_ON;
}

enum step quit_perform(struct session *s, struct request *r)
{
    if (s->inflight > 0)
        return STEP_WAIT;
    r->close_after = s->quitting = true;
    session_answer(s, r, "+OK\r\n");
    return STEP_ON;
}
