/*
 * transaction: MULTI to EXEC, as of the last dispatched request and as confirmed by replies. Until EXEC nothing of
 * it was executed, so a transaction that lost its connection is simply sent again (replay.c): the session keeps its
 * requests (their answers were +QUEUED) until EXEC is answered.
 *
 * Not sent again, but answered here up to EXEC (broken_transaction.c): a transaction that watched
 * something (EXEC answers nil: it counts as touched), one of which a part was
 * refused by a full hold, and one over TX_LOG_MAX (EXEC answers EXECABORT).
 */
#ifndef REDISPROXY_SESSION_TRANSACTION_H
#define REDISPROXY_SESSION_TRANSACTION_H

#include "session/state.h"

/* What the request makes of them, if it comes to a node where they are so. */
void session_tx_apply(const struct session_request *r, bool *open, bool *watching);
/* What it is to a transaction that is `open` when it comes to the node. */
void session_tx_mark(struct session_request *r, bool open);
/* After requests were taken back from the lease, or a MULTI was refused: what is it that was really
 * sent? */
void session_recount(struct session *s);

void session_tx_forget(struct session *s);
/* Its EXEC or DISCARD was delivered. */
void session_tx_over(struct session *s);
/* The lease that the open transaction was on is gone. */
void session_tx_lease_lost(struct session *s, bool watching);
/* A node would not execute it (EXECABORT for a switch's reason): from MULTI again, unless it was given up. */
void session_tx_again(struct session *s);
/* It is given up, with its lease: EXEC says why, by `state`, or nil or EXECABORT by what was watched. */
void session_give_up_tx(struct session *s, enum tx state);
void session_break_tx(struct session *s);
/* Whether an error reply, EXECABORT's too, has a reason that a switch will mend. */
bool session_is_switch_error(const char *reply, size_t len);

#endif
