/*
 * process: which Redis process answers on an upstream. A node's address may be another process' from one
 * connection to the next; the snapshot learns that a moment later. So who has to be certain asks on the
 * upstream itself, ahead of what it is about: whose answer comes behind is known then.
 *
 * One worker's thread only.
 */
#ifndef REDISPROXY_NODES_PROCESS_H
#define REDISPROXY_NODES_PROCESS_H

#include <stdint.h>

struct request_pool;
struct router;
struct upstream;

/* topology_process() of the one that answers on this upstream, in its own words; as long as these are not
 * known (its user may not ask), in the snapshot's. 0: not known. */
uint32_t process_of(const struct router *router, const struct upstream *up);

/* Asks it, once a connection, ahead of what is sent on it next. */
void process_ask(struct request_pool *requests, struct upstream *up);

#endif
