/*
 * subscriptions: what a session is subscribed to, and whether all of it stands at a node. While it does not the session is
 * `unrenewed`, and what others publish waits (nodes/gate.h).
 */
#ifndef REDISPROXY_COMMANDS_SUBSCRIPTIONS_H
#define REDISPROXY_COMMANDS_SUBSCRIPTIONS_H

#include "base/keyed_hash.h"
#include "session/state.h"

enum kind { CHANNELS, PATTERNS, SHARDS, KINDS };

struct subscription {
    UT_hash_handle hh;
    size_t len;
    char name[];
};

struct subscriptions {
    struct subscription *of[KINDS];
};

/* A node has confirmed one. The lease is kept for it. */
void subscriptions_add(struct session *s, enum kind kind, struct slice name);
/* It is over: with the last one the lease is not kept for them any more. */
void subscriptions_remove(struct session *s, enum kind kind, struct slice name);
/* The session ends. */
void subscriptions_forget(struct session *s);

/* Whether this request subscribes. */
bool subscriptions_are_asked(const struct session_request *r);
/* They do not stand, or will have to: what others publish waits. */
void subscriptions_mark_lost(struct session *s);
/* Something of the session was answered: publishers wait for it no longer, if all its subscriptions stand. */
void subscriptions_check(struct session *s);

#endif
