/*
 * credential: a user name and a password with which the proxy itself enters
 * the nodes, or the Sentinels, of a group. It never changes: a new password
 * is a new credential, which travels to the workers with the snapshot. The
 * last holder's release wipes it.
 *
 * What a server thinks of it is the one thing that is noted on it: whoever is
 * refused, on whatever thread, marks it, and the control plane reads the
 * password's file again (keyring.h).
 */
#ifndef REDISPROXY_TOPOLOGY_CREDENTIAL_H
#define REDISPROXY_TOPOLOGY_CREDENTIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Where it belongs. */
struct credential_owner {
    const char *group; /* for logs */
    const char *file;  /* where the password came from; NULL: from the configuration itself */
    /* A server refused it, or let it in for the first time. Any thread. */
    void (*wake)(void *arg);
    void *arg;
};

struct credential {
    atomic_uint refs;
    struct credential_owner owner; /* with strings of its own */
    char *username;                /* NULL: AUTH without a user name */
    char *password;                /* locked */
    size_t password_len;
    atomic_bool refused;  /* until the file was read again */
    atomic_bool accepted; /* by some server */
    atomic_bool logged;   /* the refusal is in the log */
    atomic_bool noted;    /* ... and here: */
    char refusal[160];    /* who refused it, and in which words */
};

/* With one reference, the caller's. Copies all; what `owner` has for `wake` lives as long as anybody may be
 * refused or accepted. */
struct credential *credential_new(const struct credential_owner *owner, const char *username,
                                  const char *password, size_t len);
/* Returns `credential`; NULL is allowed, here and below. */
struct credential *credential_retain(struct credential *credential);
void credential_release(struct credential *credential);

/* Whether an error in answer to AUTH (without the '-') means that the credential is wrong. */
bool credential_is_refusal(const char *error);
/* Whether it means that the server wants no password at all. */
bool credential_is_needless(const char *error);

/* A server (its name is for the log) answered AUTH so. Any thread. */
void credential_refuse(struct credential *credential, const char *server, const char *error);
/* What a server said that refused it, while no other has accepted it; otherwise NULL. */
const char *credential_refusal(const struct credential *credential);
void credential_accept(struct credential *credential);

#endif
