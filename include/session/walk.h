/*
 * walk: goes over all sessions of a worker, in slices: as many in a turn as its budget allows, the next ones in the next
 * turn. Sessions may end and begin meanwhile, the one at hand, too. While a walk is under way, the loop does not sleep.
 *
 * On the thread of the worker whose sessions they are; the same walk may go over another worker's when it is over.
 */
#ifndef REDISPROXY_SESSION_WALK_H
#define REDISPROXY_SESSION_WALK_H

#include "session/session.h"

struct session_walk {
    struct list in_host; /* while it is under way */
    struct list *next;   /* in host->sessions */
};

/* Once; the memory may be anything. */
void session_walk_init(struct session_walk *walk);

/* Is told of each session. Returns whether it wants to hear of more. */
typedef bool session_visitor(void *data, struct session *s);

/* Begins a walk, or goes on with one, within the turn's budget. Returns whether it is over. */
bool session_walk(struct session_walk *walk, struct session_host *host, session_visitor *visitor,
                  void *data);
/* It ends, wherever it is. */
void session_walk_end(struct session_walk *walk);

/* The session ends: those who would come to it next go past it. */
void session_walks_pass(struct session *s);

#endif
