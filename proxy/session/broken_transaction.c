/* broken_transaction: see the header. */
#include "session/broken_transaction.h"

#include "nodes/router.h"
#include "session/perform.h"
#include "session/requests.h"
#include "session/transaction.h"
#include "topology/topology.h"

static void answer_broken_exec(struct session *s, struct session_request *r)
{
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    if (s->tx.state == TX_NIL)
        session_answer(s, r, session_null_array(s));
    else if (s->tx.state == TX_BUSY)
        session_answer(s, r, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    else if (s->tx.state == TX_UNHELD)
        session_answer(
            s, r,
            "-EXECABORT Transaction discarded because of: redisproxy: a part of it could "
            "not be held\r\n");
    else if (view && view->master >= 0)
        session_answerf(s, r,
                        "-EXECABORT Transaction discarded because of: redisproxy: the master of %s "
                        "changed, it is now %s\r\n",
                        view->name, view->nodes[view->master].name);
    else
        session_answerf(s, r,
                        "-EXECABORT Transaction discarded because of: redisproxy: the master of %s "
                        "changed\r\n",
                        router_group(s->host->router, s->place.group)->name);
}

enum step session_tx_local(struct session *s, struct session_request *r)
{
    uint8_t verb = r->command->verb;
    if (!command_arity_ok(r->command, r->argc)) {
        session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n",
                        r->command->name);
        return STEP_ON;
    }
    switch (verb) {
    case VERB_MULTI:
        if (s->tx.state ==
            TX_NONE) { /* what it watched was lost, or a part of it could not be held */
            if (s->queue.inflight > 0)
                return STEP_WAIT; /* what is in flight may have to be sent again, outside of it */
            if (r->doomed)
                session_give_up_tx(s, TX_UNHELD);
            else
                session_tx_enter(s, TX_NIL);
            session_answer(s, r, "+OK\r\n");
        } else {
            session_answer(s, r, "-ERR MULTI calls can not be nested\r\n");
        }
        return STEP_ON;
    case VERB_EXEC:
        answer_broken_exec(s, r);
        break;
    case VERB_DISCARD:
        session_answer(s, r, "+OK\r\n");
        break;
    case VERB_QUIT:
    case VERB_RESET:
        return session_perform(s, r);
    default:
        session_answer(s, r, "+QUEUED\r\n");
        return STEP_ON;
    }
    session_tx_forget(s); /* what was kept of it is not to be sent again */
    session_tx_enter(s, TX_NONE);
    s->tx.watch_broken = s->tx.refused = false;
    return STEP_ON;
}
