/*
 * keyring: see the header. A file that is gone, empty or half written for a moment
 * changes nothing: what was there last stays, and as it is refused, the file is read
 * again a second later.
 */
#include "topology/keyring.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
    char *copied = text ? strdup(text) : NULL;
    if (text && !copied)
        abort();
    return copied;
}

void keyring_open(struct keyring *keyring, const struct credential_owner *owner,
                  const char *username, const char *password)
{
    *keyring = (struct keyring){.owner = *owner, .username = copy(username)};
    keyring->owner.group = copy(owner->group);
    keyring->owner.file = copy(owner->file);
    if (password)
        keyring->current = credential_new(&keyring->owner, username, password, strlen(password));
}

void keyring_close(struct keyring *keyring)
{
    credential_release(keyring->current);
    keyring->current = NULL;
    free((char *)keyring->owner.group);
    free((char *)keyring->owner.file);
    free(keyring->username);
}

/* ---- another configuration ---- */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_current(const struct keyring *keyring, const char *username, const char *password)
{
    const struct credential *current = keyring->current;
    if (!current || !password)
        return !current && !password;
    return same_text(current->username, username) &&
           same_text(current->owner.file, keyring->owner.file) &&
           current->password_len == strlen(password) &&
           memcmp(current->password, password, current->password_len) == 0;
}

bool keyring_change(struct keyring *keyring, const char *file, const char *username,
                    const char *password)
{
    struct credential *before = keyring->current;
    if (!same_text(keyring->owner.file, file)) {
        free((char *)keyring->owner.file);
        keyring->owner.file = copy(file);
        keyring->was_read = false;
        keyring->logged[0] = '\0';
    }
    if (!same_text(keyring->username, username)) {
        free(keyring->username);
        keyring->username = copy(username);
    }
    if (is_current(keyring, username, password))
        return false;
    keyring->current =
        password ? credential_new(&keyring->owner, keyring->username, password, strlen(password))
                 : NULL;
    keyring->fresh = false;
    credential_release(before);
    return true;
}

/* ---- */

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
