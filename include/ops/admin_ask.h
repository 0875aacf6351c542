/*
 * admin_ask: one command to one Redis or Sentinel, as the proxy itself, on a connection of its own that ends with the
 * answer. The admin thread only.
 */
#ifndef REDISPROXY_OPS_ADMIN_ASK_H
#define REDISPROXY_OPS_ADMIN_ASK_H

#include "ops/admin_call.h"
#include "topology/control_conn.h"

struct admin_ask;
struct redisReply;

/* `reply` is valid during the call; NULL: nothing was answered, and `why` says what went wrong. The question is gone. */
typedef void admin_answer(void *owner, const struct redisReply *reply, const char *why);

/* Asks. The words are copied by the call; `options` as for control_conn_init(). */
struct admin_ask *admin_ask(uv_loop_t *loop, const struct control_conn_options *options, int argc,
                            const char *const *argv, admin_answer *answered, void *owner);
/* Nobody wants to know any more: answered() is not called. NULL is allowed. */
void admin_ask_cancel(struct admin_ask *ask);

/* How to reach a group's nodes; one of its configured Sentinels. The credential is the caller's to release. */
struct control_conn_options admin_node_options(const struct admin_core *core, size_t group,
                                               const struct endpoint *node, const char *tls_host);
struct control_conn_options admin_sentinel_options(const struct admin_core *core, size_t group,
                                                   size_t sentinel);

#endif
