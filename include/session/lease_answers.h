/* lease_answers: what an answer, or a failure, on a lease means for its session. */
#ifndef REDISPROXY_SESSION_LEASE_ANSWERS_H
#define REDISPROXY_SESSION_LEASE_ANSWERS_H

#include "session/state.h"

/* An answer came on the lease: first, whether it refuses a part of a transaction. */
void session_lease_part_answered(struct session *s, struct session_request *r);
/* And at last, what is open, watched and changed there now. */
void session_lease_answered(struct session *s, struct session_request *r);
/* Returns true when it dealt with the failure. */
bool session_lease_failed(struct session *s, struct session_request *r, enum request_failure why);

#endif
