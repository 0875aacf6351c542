/* redirect: CLIENT TRACKING ... REDIRECT id, whose id is one of our sessions'. */
#ifndef REDISPROXY_COMMANDS_REDIRECT_H
#define REDISPROXY_COMMANDS_REDIRECT_H

#include "session/state.h"

enum found { FOUND_NOT_YET, FOUND_NOBODY, FOUND };
/* The node's id of the session that is to get `s`'s messages, which takes a lease for it. Not yet: `s`
 * will be woken. */
enum found session_find_redirected(struct session *s, uint64_t id, uint64_t *id_at_node);
/* CLIENT TRACKING is to be sent: our id in it becomes the node's. */
enum step session_redirect(struct session *s, struct request *r);
/* Appends the command with this id in it. */
void session_append_redirect(struct buf *out, struct slice command, uint64_t id);
/* All that is cached is to be forgotten; by the session with this id. */
void session_invalidate(struct session *s);
void session_invalidate_redirected(struct session *s, uint64_t id);
void session_forget_redirection(struct session *s);
/* In an answer the node's id becomes ours: the hook of CLIENT GETREDIR and TRACKINGINFO. */
void redirect_answered(struct session *s, struct request *r, const struct upstream *from);

#endif
