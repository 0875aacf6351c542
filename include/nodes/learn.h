/*
 * learn: commands that the table does not know (modules', newer servers').
 * The server is asked once (COMMAND INFO, as the proxy), the answer is
 * remembered. What the server does not know either is not remembered: a module
 * may be loaded any time.
 *
 *     it reads or writes keys              shared, as the table's own are
 *     the same, of a module, or blocking   on a lease, which then goes back to the pool
 *     anything else                        on a lease that its session keeps
 *
 * One worker's thread only.
 */
#ifndef REDISPROXY_NODES_LEARN_H
#define REDISPROXY_NODES_LEARN_H

#include "nodes/place.h"
#include "redis/command.h"

struct learn;
struct request_pool;
struct router;

struct learn *learn_new(struct request_pool *requests);
void learn_free(struct learn *learn);

/* What is known of the name, or NULL. */
const struct command *learn_find(const struct learn *learn, struct slice name);

/* Called once: `command` lives as long as the learn, or is learn_unknown(); NULL: the question got
 * no answer, ask again. */
typedef void learn_done(void *data, const struct command *command);

/* An answered question that nobody waits for any more must be cancelled. */
struct learn_question;

/* Asks the group's server. NULL: nobody to ask now, hold the request. */
struct learn_question *learn_ask(struct learn *learn, struct router *router, struct place *place,
                                 enum target_role role, struct slice name, learn_done *done,
                                 void *data);
void learn_cancel(struct learn_question *question);

/* Stands for a command that nobody knows: a write, on a lease. */
const struct command *learn_unknown(void);

#endif
