/*
 * certificate_users: the passwords of users whom a client's certificate names. The node asks for one, and the client has
 * only its certificate: so the proxy keeps a file of them. One user a line, "name password"; a name may hold no blank.
 * Lines that begin with # and empty ones say nothing. The file is looked at again when somebody comes, once a second at most, and
 * one that cannot be read leaves things as they are.
 *
 * Any thread.
 */
#ifndef REDISPROXY_NODES_CERTIFICATE_USERS_H
#define REDISPROXY_NODES_CERTIFICATE_USERS_H

#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>

struct certificate_users;

/* The path is copied. Returns NULL and says in `error` what is wrong. */
struct certificate_users *certificate_users_new(const char *path, char *error, size_t size)
    __attribute__((warn_unused_result));
/* They are counted: who keeps them retains them, the last one's release frees them. NULL is allowed. */
struct certificate_users *certificate_users_retain(struct certificate_users *users);
void certificate_users_release(struct certificate_users *users);

const char *certificate_users_path(const struct certificate_users *users);

/* Calls `found(data, password)` if the user has one; the password is good during this call only. Returns whether it has. */
bool certificate_users_find(struct certificate_users *users, struct slice name,
                            void (*found)(void *data, struct slice password), void *data);

#endif
