/* leasing: which requests need a connection of their session's own, how it is taken, and how they go there. */
#ifndef REDISPROXY_SESSION_LEASING_H
#define REDISPROXY_SESSION_LEASING_H

#include "session/state.h"

struct moved_upstream;

bool session_needs_lease(const struct session *s, const struct session_request *r);
/* Takes one where the session's route says; false: nobody to take it from now. */
bool session_take_lease(struct session *s);
/* Takes one that another process had (nodes/moved.h). Returns false when it is of no use here; the socket is closed then. */
bool session_adopt_lease(struct session *s, const struct moved_upstream *moved);
enum step session_send_on_lease(struct session *s, struct session_request *r);

#endif
