/*
 * connection: RESET and QUIT concern the client's own connection, which ends at the proxy. So the session performs
 * them, and no node hears of them. Both wait until everything that was sent before is answered. RESET then forgets
 * all that the session carries, as Redis does: transaction, subscriptions, tracking, name, user, database, protocol.
 */
#include "commands/connection.h"

#include "commands/connection_name.h"
#include "nodes/router.h"
#include "session/client.h"
#include "session/hooks.h"
#include "session/lease.h"
#include "session/requests.h"
#include "session/transaction.h"

enum step reset_perform(struct session *s, struct session_request *r)
{
    if (s->queue.inflight > 0)
        return STEP_WAIT;
    each_carried(s, forget);
    lease_let(&s->lease, LEASE_MONITORS | LEASE_CHANGED);
    session_tx_watch(s, false);
    s->tx.watch_broken = s->tx.refused = false;
    if (s->client.reply_off)
        r->silent =
            false; /* CLIENT REPLY OFF ends with RESET, which is answered. SKIP still skips this answer */
    s->client.reply_off = s->client.reply_skip = s->auth_not_needed = false;
    session_tx_forget(
        s); /* before the lease is dropped: then no repetition of the transaction is begun again */
    session_lease_drop(s);
    session_tx_enter(s, TX_NONE);
    identity_release(s->identity);
    s->identity = identity_nobody(router_identities(s->host->router));
    router_entered(&s->place, NULL);
    connection_name_set(s, (struct slice){NULL, 0});
    session_answer(s, r, "+RESET\r\n");
    return STEP_ON;
}

enum step quit_perform(struct session *s, struct session_request *r)
{
    if (s->queue.inflight > 0)
        return STEP_WAIT;
    session_quits(s, r);
    session_answer(s, r, "+OK\r\n");
    return STEP_ON;
}
