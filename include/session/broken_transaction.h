/* broken_transaction: a transaction without a connection, that cannot be sent again, is answered here up to EXEC. */
#ifndef REDISPROXY_SESSION_BROKEN_TRANSACTION_H
#define REDISPROXY_SESSION_BROKEN_TRANSACTION_H

#include "session/state.h"

enum step session_tx_local(struct session *s, struct session_request *r);

#endif
