/*
 * keyring: one of a group's credentials, which may come from a file that is
 * rewritten while the proxy runs (Kubernetes swaps a symbolic link, others
 * write in place). The file is read again when a server has refused what it
 * held, at most once a second. The control plane's thread only.
 *
 *     server: -WRONGPASS --> credential_refuse() --wake--> keyring_look(): reads the file
 *                                                          another password: another credential
 */
#ifndef REDISPROXY_TOPOLOGY_KEYRING_H
#define REDISPROXY_TOPOLOGY_KEYRING_H

#include "topology/credential.h"

#include <stdbool.h>
#include <stdint.h>

#define KEYRING_READ_MS 1000 /* from one reading to the next, at least */

/* Embedded in its owner; the fields are keyring.c's. */
struct keyring {
    struct credential_owner owner; /* with strings of its own */
    char *username;
    struct credential *current;
    int64_t read_ms;
    bool fresh;    /* the current one was read again, and nobody has accepted it yet */
    bool was_read; /* read_ms says when */
    char logged[160];
};

/* All strings are copied. `password` NULL: there is no credential, until keyring_change(). */
void keyring_open(struct keyring *keyring, const struct credential_owner *owner,
                  const char *username, const char *password);
void keyring_close(struct keyring *keyring);

/* The configuration says otherwise now: `file` (NULL: none) is read from here on, and there is another credential if
 * user or password differ from the current one's. Returns whether there is another one, or none any more. */
bool keyring_change(struct keyring *keyring, const char *file, const char *username,
                    const char *password) __attribute__((warn_unused_result));

/* NULL: none. Borrowed: retain it to keep it. */
struct credential *keyring_current(const struct keyring *keyring);

/* Reads the file again if the current credential was refused and the last reading is long enough
 * ago. Call it when woken, and at least twice a second. Returns whether there is another one. */
bool keyring_look(struct keyring *keyring, int64_t now_ms) __attribute__((warn_unused_result));

#endif
