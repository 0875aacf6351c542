/* redirect: CLIENT TRACKING ... REDIRECT id, whose id is one of our sessions'. */
#ifndef REDISPROXY_COMMANDS_REDIRECT_H
#define REDISPROXY_COMMANDS_REDIRECT_H

#include "session/state.h"

enum found { FOUND_NOT_YET, FOUND_NOBODY, FOUND };
/* The node's id of the session that is to get `s`'s messages, which takes a lease for it. Not yet: `s`
 * will be woken. */
enum found redirect_find(struct session *s, uint64_t id, uint64_t *id_at_node);
/* CLIENT TRACKING is to be sent: our id in it becomes the node's. */
enum step redirect_prepare(struct session *s, struct request *r);
/* Appends the command with this id in it. */
void redirect_append(struct buf *out, struct slice command, uint64_t id);
/* All that is cached is to be forgotten; by the session with this id. */
void redirect_invalidate(struct session *s);
void redirect_invalidate_target(struct session *s, uint64_t id);
void redirect_forget(struct session *s);
/* In an answer the node's id becomes ours: the hook of CLIENT GETREDIR and TRACKINGINFO. */
void redirect_answered(struct session *s, struct request *r, const struct upstream *from);

#endif
