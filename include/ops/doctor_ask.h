/*
 * doctor_ask: a connection to a Redis server or a Sentinel on which each call waits for its answer. For a program that
 * has nothing else to do: never for a thread that serves.
 */
#ifndef REDISPROXY_OPS_DOCTOR_ASK_H
#define REDISPROXY_OPS_DOCTOR_ASK_H

#include "net/address.h"

#include <stddef.h>
#include <stdint.h>

struct redisReply;
struct tls_source;

struct asked {
    struct endpoint endpoint;
    struct tls_source *tls;          /* NULL: it speaks plainly */
    const char *username, *password; /* NULL: none */
    int64_t timeout_ms;              /* of connecting, and of each answer */
};

struct asker;

/* Connects and logs in. Returns NULL and says in `why` what was in the way; *refused: that it was the password. */
struct asker *ask_open(const struct asked *whom, bool *refused, char *why, size_t size)
    __attribute__((warn_unused_result));

/* Asks `command`, its arguments separated by blanks. Returns the answer, an error too, to be given to freeReplyObject();
 * NULL: the connection has ended, or its time is over. */
struct redisReply *ask_now(struct asker *asker, const char *command)
    __attribute__((warn_unused_result));

/* NULL is allowed. */
void ask_close(struct asker *asker);

#endif
