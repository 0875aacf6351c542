/*
 * admission: a session may share a connection that others were let in on only if the node would let it
 * in *now*. So the first use of a node by a session needs a proof: a node's word to the same identity,
 * given a second ago at most, and under the present generation of rights (rights.h). If there is none the
 * node is asked, once for all who wait for it: the *knock*.
 *
 *     session -> router -> admission_try() --no proof--> AUTH (pool.h), or RESET and PING on
 *                             ^                           a connection that is there for nothing else
 *                             `--- on_change(): all who wait try again ---' the node's word: the proof
 *
 * Whoever was let in keeps what he has, as with Redis itself: a session asks once for each node. Who was
 * let in without a password, and who was not, never share (identity->outside). Where nobody's connection
 * could be shared, nothing is asked: the node says it to the new connection.
 *
 * Worst case: a change that nobody here could see counts a second later, one that went by at once.
 *
 * One worker's thread only. tests/system/test_admission.c.
 */
#ifndef REDISPROXY_NODES_ADMISSION_H
#define REDISPROXY_NODES_ADMISSION_H

#include "nodes/identity.h"
#include "nodes/pool.h"
#include "nodes/turn.h"
#include "threads/rights.h"

/* So old a proof may be; from half of it on, the node is asked again while the old one still counts. */
#define PROOF_MAX_MS 1000

struct admission;

/* What comes of it. */
enum entrance {
    ENTRY_NONE,    /* there is no node to ask now */
    ENTRY_FREE,    /* it may come in, or its new connection will tell */
    ENTRY_WAITS,   /* the node is being asked: on_change() comes */
    ENTRY_OTHER,   /* without a password it stands on the other side (identity->outside) */
    ENTRY_REFUSED, /* the node does not let this identity in any more */
};

struct admission *admission_new(struct turn *turn, struct pool *pool, struct identities *identities,
                                struct rights *rights, void (*on_change)(void *data, size_t group),
                                void *data);
/* When the pool is closed, and its requests have ended. */
void admission_free(struct admission *admission);

/* May a session of this identity use the node, on a lease or not? `entered`: it did before. With ENTRY_REFUSED, *error is
 * the node's error, without the '-', until the next call. */
enum entrance admission_try(struct admission *admission, const struct target *target,
                            struct identity *identity, bool leased, bool entered,
                            const char **error);

#endif
