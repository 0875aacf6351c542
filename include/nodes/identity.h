/*
 * identity: what connections must agree on to be shared (decision 1): user,
 * credential, database and version of the protocol. "Not authenticated" is one of its own. Identities
 * are interned: in one worker, equal means the same pointer.
 *
 * The credential lives in locked memory while a session or an upstream holds
 * the identity, and is never logged. One worker's thread only.
 */
#ifndef REDISPROXY_NODES_IDENTITY_H
#define REDISPROXY_NODES_IDENTITY_H

#include "base/buf.h"
#include "base/list.h"
#include "redis/resp.h"

#include <stdbool.h>
#include <stdint.h>

struct identities {
    struct list all;
};

/* CLIENT GETNAME, SETNAME, SETINFO, REPLY. */
enum { IDENTITY_RIGHTS = 4 };

struct identity {
    struct list in_all;
    unsigned refs;
    unsigned pooled; /* those of them that are the pool's, and its upstreams' */
    bool authenticated;
    bool
        outside; /* not authenticated, at nodes that ask for a password: it can do nothing but authenticate */
    bool
        asks; /* of connections on which nodes are asked whether they want a password (admission.h) */
    bool own;      /* the proxy's own: carries the worker's questions, never a client's command */
    bool has_user; /* AUTH was given a user name */
    bool resp3;
    bool scripted; /* its sessions send EVALSHA */
    int64_t db;
    char *user; /* NULL unless has_user */
    size_t user_len;
    char *password; /* locked; NULL when not authenticated */
    size_t password_len;
    int64_t right_until_ms
        [IDENTITY_RIGHTS]; /* until then the node need not be asked again whether it has the right */
};

void identities_init(struct identities *all);

/* Each returns an identity with a reference for the caller. */
struct identity *identity_nobody(struct identities *all);
struct identity *identity_own(struct identities *all);
/* `base` with another credential; `user` with data NULL: AUTH without a user name. */
struct identity *identity_with_credential(struct identities *all, const struct identity *base,
                                          struct slice user, struct slice password);
/* `base`, which is not authenticated, for nodes that ask for a password (`outside`), or for nodes that do not. */
struct identity *identity_standing(struct identities *all, const struct identity *base,
                                   bool outside);
/* The identity of connections on which nodes are asked whether they want a password. */
struct identity *identity_asking(struct identities *all);
/* `base` with another database. */
struct identity *identity_with_db(struct identities *all, const struct identity *base, int64_t db);
/* `base` speaking RESP3, or RESP2. */
struct identity *identity_with_protocol(struct identities *all, const struct identity *base,
                                        bool resp3);

/* Whether both come in with the same user and password. */
bool identity_same_credential(const struct identity *a, const struct identity *b);

void identity_retain(struct identity *identity);
void identity_release(struct identity *identity);

/* Appends the commands that turn a fresh connection into this identity; returns how many. */
int identity_append_setup(const struct identity *identity, struct buf *out);

/* Two of these by themselves: SELECT, and HELLO 3. */
void identity_append_select(const struct identity *identity, struct buf *out);
void identity_append_hello(struct buf *out);

/* Appends AUTH for a credential; `user` NULL: without a user name. */
void append_auth(struct buf *out, struct slice user, struct slice password);

#endif
