/*
 * large_keys: what was asked for when a reply was large: the command and its first argument, for a minute. A worker has
 * one, as long as it knows of any: where nobody asks for large values nothing is looked up. It keeps hashes only
 * (keyed_hash.h) in a fixed number of places, of which a newer one takes an older one's: a mistake costs somebody a
 * connection of his own, or shares one that it would have been better not to.
 */
#ifndef REDISPROXY_SESSION_LARGE_KEYS_H
#define REDISPROXY_SESSION_LARGE_KEYS_H

#include "session/session_request.h"

struct large_keys;

/* Notes what the request asks for; makes the table if there is none. */
void large_keys_learn(struct large_keys **keys, const struct session_request *request,
                      int64_t now_ms);
/* Its reply was not large. */
void large_keys_forget(struct large_keys *keys, const struct session_request *request);
/* Whether the reply may be large. */
bool large_keys_find(const struct large_keys *keys, const struct session_request *request);
/* Drops what is older than a minute; the table itself when nothing is left. */
void large_keys_expire(struct large_keys **keys, int64_t now_ms);

#endif
