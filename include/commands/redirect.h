/* redirect: CLIENT TRACKING ON ... REDIRECT id, where the id is that of another session. */
#ifndef REDISPROXY_COMMANDS_REDIRECT_H
#define REDISPROXY_COMMANDS_REDIRECT_H

#include "session/state.h"

enum found {
    FOUND_NOT_YET, /* the session that asks will be woken, and asks again */
    FOUND_NOBODY,  /* there is no such session, or it redirects to somebody itself */
    FOUND
};
/* Looks for the session with this id, which is to get the invalidations of `s`, and has it take a lease if it has
 * none. FOUND: *id_at_node is that lease's id at its node. */
enum found redirect_find(struct session *s, uint64_t id, uint64_t *id_at_node);
/* CLIENT TRACKING is to be sent: the session's id in it is replaced by the id of that session's lease at the node. */
enum step redirect_prepare(struct session *s, struct session_request *r);
/* The session that a CLIENT TRACKING names behind REDIRECT; 0: none. */
uint64_t redirect_named(struct slice command);
/* Appends the command with this id instead of the one behind REDIRECT. */
void redirect_append(struct buf *out, struct slice command, uint64_t id);
/* Tells the client that it has to forget all that it has cached; the second one tells the client of the session with
 * this id, of whichever worker. */
void redirect_invalidate(struct session *s);
void redirect_invalidate_target(struct session *s, uint64_t id);
/* Forgets what another worker has answered, or will. */
void redirect_forget(struct session *s);
/* The hook `answered` of CLIENT GETREDIR and TRACKINGINFO: the node's id in the answer becomes the session's id. */
void redirect_answered(struct session *s, struct session_request *r, const struct upstream *from);

#endif
