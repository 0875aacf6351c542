/*
 * keyring: see the header. A file that is gone, empty or half written for a moment
 * changes nothing: what was there last stays, and as it is refused, the file is read
 * again a second later.
 */
#include "topology/keyring.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

void keyring_open(struct keyring *keyring, const struct credential_owner *owner,
                  const char *username, const char *password)
{
    *keyring = (struct keyring){.owner = *owner, .username = username};
    if (password)
        keyring->current = credential_new(&keyring->owner, username, password, strlen(password));
}

void keyring_close(struct keyring *keyring)
{
    credential_release(keyring->current);
    keyring->current = NULL;
}

struct credential *keyring_current(const struct keyring *keyring)
{
    return keyring->current;
}

static void log_accepted(struct keyring *keyring)
{
    if (!keyring->fresh || !atomic_load_explicit(&keyring->current->accepted, memory_order_acquire))
        return;
    keyring->fresh = false;
    log_event(LOG_INFO, "a new password was read and accepted", "group=%s file=%s",
              keyring->owner.group, keyring->owner.file);
}

static void log_unreadable(struct keyring *keyring, const char *why)
{
    char quoted[256];
    if (strcmp(keyring->logged, why) == 0)
        return;
    snprintf(keyring->logged, sizeof(keyring->logged), "%s", why);
    log_event(LOG_WARN, "a password's file is of no use, trying again", "group=%s file=%s error=%s",
              keyring->owner.group, keyring->owner.file, log_quote(quoted, sizeof(quoted), why));
}

/* Whether the file holds another password. */
static bool read_again(struct keyring *keyring)
{
    char why[sizeof(keyring->logged)];
    size_t len;
    struct credential *before = keyring->current;
    char *password = secret_from_file(keyring->owner.file, &len, why, sizeof(why));
    if (!password) {
        log_unreadable(keyring, why);
        return false;
    }
    keyring->logged[0] = '\0';
    bool other = len != before->password_len || memcmp(password, before->password, len) != 0;
    if (other) {
        keyring->current = credential_new(&keyring->owner, keyring->username, password, len);
        keyring->fresh = true;
        credential_release(before);
        log_event(LOG_DEBUG, "a new password was read", "group=%s file=%s", keyring->owner.group,
                  keyring->owner.file);
    }
    secret_free(password, len);
    return other;
}

bool keyring_look(struct keyring *keyring, int64_t now_ms)
{
    if (!keyring->current || !keyring->owner.file)
        return false;
    log_accepted(keyring);
    if (!atomic_load_explicit(&keyring->current->refused, memory_order_acquire) ||
        (keyring->was_read && now_ms - keyring->read_ms < KEYRING_READ_MS))
        return false;
    keyring->was_read = true;
    keyring->read_ms = now_ms;
    atomic_store_explicit(&keyring->current->refused, false, memory_order_relaxed);
    return read_again(keyring);
}
