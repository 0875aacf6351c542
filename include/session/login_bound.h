/*
 * login_bound: how much a client may send before it has logged in. Redis allows one that has to 10 arguments and 16 KB
 * for each (processMultibulkBuffer() in networking.c), and so does the proxy, which knows only from the node whether a
 * client has to log in:
 *
 *     the node lets everybody in     no bound
 *     it asks for a password         Redis' error, and the end
 *     it has not said so yet         the request does not grow: the client is not read until the node has answered
 *     there is no node to ask now    the request grows within the hold (held_partial.h)
 *
 * What is within the bound, and what a client sends that has logged in, costs no question. Requests that were sent
 * before may be a login: the verdict waits for their answers.
 */
#ifndef REDISPROXY_SESSION_LOGIN_BOUND_H
#define REDISPROXY_SESSION_LOGIN_BOUND_H

#include "redis/resp.h"
#include "session/state.h"

/* Of one argument; of all of a request, whose number is in the second. */
#define LOGIN_BULK_MAX 16384
#define LOGIN_ARGS_MAX 10

/* A whole request, in Redis' protocol. Returns false when it was too much: the session has got its last words. */
bool session_takes_request(struct session *s, const char *data, const struct resp_request *parse);

static inline bool session_within_login_bound(const struct session *s,
                                              const struct resp_request *parse)
{
    return __builtin_expect(parse->argc <= LOGIN_ARGS_MAX && parse->pos <= LOGIN_BULK_MAX, true) ||
           s->identity->authenticated;
}

/* The request that has not come wholly: may it grow? Sets client.growth, or gives the session its last words. Asked
 * when more of it came, and again when client.growth may have changed. */
void session_judge_partial(struct session *s);

#endif
