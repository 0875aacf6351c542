/*
 * copies: a request that goes to every node of the group: the one that its client asked for, and copies whose
 * answers only count as done. Its reply is not delivered, and nothing else of the session is sent, before all
 * of them are.
 *
 *     copies_begin() -> copies->left += what was sent with copies_owner -> copies_sent() -> ... -> the last is done
 */
#ifndef REDISPROXY_SESSION_COPIES_H
#define REDISPROXY_SESSION_COPIES_H

#include "session/state.h"

struct copies {
    unsigned left;
    bool waits_for_answer;          /* one of those left is the answer to the request itself */
    struct session_request *origin; /* NULL: its session is gone */
    struct request_pool *requests;
};

/* The owner of a copy; its data is the struct copies. */
extern const struct request_owner copies_owner;

/* Begins with one that is left, until copies_sent(). */
struct copies *copies_begin(struct session *s, struct session_request *r);
/* They are not done before the request's own answer has come, whatever that is: what it means is to be carried out
 * first, and may add to those that are left. */
void copies_wait_for_answer(struct copies *copies);
/* That one has come. */
void copies_answered(struct session_request *r);
/* All were sent: the session waits for them, if there are any. */
void copies_sent(struct session *s, struct copies *copies);
/* One is done; the last one frees them, and wakes the session if it is there. */
void copies_done(struct copies *copies);
/* The request's session is gone; its copies go on for themselves. */
void copies_forget(struct session_request *r);
/* The same, and nothing of the session waits for them. */
void session_forget_copies(struct session *s, struct session_request *r);

#endif
