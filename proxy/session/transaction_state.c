/* transaction_state: see the header. */
#include "session/transaction_state.h"

#include "base/state.h"
#include "session/session_request.h"

/* Bytes of one open transaction that are kept. */
#define TX_LOG_MAX ((size_t)16 * 1024 * 1024)

#define BROKEN (STATE_BIT(TX_ABORT) | STATE_BIT(TX_NIL) | STATE_BIT(TX_BUSY) | STATE_BIT(TX_UNHELD))
#define ENDS (STATE_BIT(TX_NONE) | STATE_BIT(TX_OPEN))

static const struct state_row rows[] = {
    [TX_NONE] = {"none", ENDS | BROKEN},
    [TX_OPEN] = {"open", ENDS | BROKEN},
    /* Once broken it is answered here, to its end. Only a MULTI that is refused for a busy node may come after it was
     * given up: with the same connection. */
    [TX_ABORT] = {"abort", STATE_BIT(TX_NONE) | STATE_BIT(TX_ABORT) | STATE_BIT(TX_BUSY)},
    [TX_NIL] = {"nil", STATE_BIT(TX_NONE) | STATE_BIT(TX_NIL)},
    [TX_BUSY] = {"busy", STATE_BIT(TX_NONE) | STATE_BIT(TX_BUSY)},
    [TX_UNHELD] = {"unheld", STATE_BIT(TX_NONE) | STATE_BIT(TX_UNHELD)},
};
static const struct state_table table = STATE_TABLE("transaction", rows);

void tx_init(struct transaction *tx)
{
    *tx = (struct transaction){.state = TX_NONE, .logged = true};
    list_init(&tx->log);
}

void tx_enter(struct transaction *tx, enum tx state)
{
    state_check(&table, tx->state, state);
    tx->state = (uint8_t)state;
}

/* ---- the log ---- */

void tx_empty_log(struct transaction *tx, struct request_pool *pool)
{
    struct list *node;
    while ((node = list_take(&tx->log)))
        session_request_free(pool, session_request(node));
    tx->bytes = 0;
    tx->logged = true;
}

void tx_forget(struct transaction *tx, struct request_pool *pool)
{
    tx_empty_log(tx, pool);
    tx->lost = tx->rejected = false;
}

void tx_log(struct transaction *tx, struct request_pool *pool, struct session_request *request)
{
    if (request->command->verb == VERB_MULTI)
        tx_empty_log(tx,
                     pool); /* parts of one that was given up may have been answered after that */
    if (!tx->logged) {
        session_request_free(pool, request);
        return;
    }
    buf_free(&request->reply);
    tx->bytes += request->len;
    list_append(&tx->log, &request->in_session);
    if (tx->bytes > TX_LOG_MAX) {
        tx_forget(tx, pool);
        tx->logged = false;
    }
}
