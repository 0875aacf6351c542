/*
 * admission: may this session use this node, which others were let in to?
 *
 * With Redis itself every client authenticates on its own connection. Here connections are shared, and a client whose
 * password was changed in the meantime must not get in on the connection of one who came before. So at the first use of a
 * node by a session there has to be a proof: what the node said to the same identity, a second ago at most, and under the
 * present generation of rights (rights.h). Without one the node is asked: one check for all who wait for the same.
 *
 *     session -> router -> admission_try() --no proof--> the check: AUTH on a connection for that, or, without a
 *                             ^                          password, RESET and PING
 *                             `--- on_change(): all who wait try again ---' the node's word: the proof
 *
 * Whoever was let in stays in, as with Redis itself: a session asks once for each node. Sessions that a node serves
 * without a password never share a connection with such that it does not (identity->outside). Where no connection
 * stands that could be shared, nothing is asked: the handshake of a new one tells.
 *
 * What goes wrong at worst: a change that nobody here could see counts a second later; one that went
 * through this proxy counts at once.
 *
 * One worker's thread only. tests/system/test_admission.c.
 */
#ifndef REDISPROXY_NODES_ADMISSION_H
#define REDISPROXY_NODES_ADMISSION_H

#include "nodes/identity.h"
#include "nodes/place.h"
#include "nodes/pool.h"
#include "nodes/turn.h"
#include "threads/rights.h"

/* A proof counts this long; from half of that on the node is asked again, while the old one still counts. */
#define PROOF_MAX_MS 1000

struct admission;

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

/* Whether a session of this identity has to log in there before it can do anything: ENTRY_OTHER; ENTRY_FREE: it need not.
 * ENTRY_WAITS, ENTRY_NONE: as above. Nobody waits for a word that is merely old: this is about what the proxy keeps for
 * a client (session/login_bound.h), not about what it may do. */
enum entrance admission_login(struct admission *admission, const struct target *target,
                              struct identity *identity, bool entered);

#endif
