/* credential: see the header. */
#include "topology/credential.h"

#include "base/log.h"
#include "base/secret.h"

#include <assert.h>
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

struct credential *credential_new(const struct credential_owner *owner, const char *username,
                                  const char *password, size_t len)
{
    struct credential *credential = calloc(1, sizeof(*credential));
    if (!credential)
        abort();
    atomic_init(&credential->refs, 1);
    atomic_init(&credential->refused, false);
    atomic_init(&credential->accepted, false);
    atomic_init(&credential->logged, false);
    atomic_init(&credential->noted, false);
    credential->owner = *owner;
    credential->owner.group = copy(owner->group);
    credential->owner.file = copy(owner->file);
    credential->username = copy(username);
    credential->password = secret_new(password, len);
    credential->password_len = len;
    return credential;
}

struct credential *credential_retain(struct credential *credential)
{
    if (credential)
        atomic_fetch_add_explicit(&credential->refs, 1, memory_order_relaxed);
    return credential;
}

void credential_release(struct credential *credential)
{
    if (!credential)
        return;
    unsigned before = atomic_fetch_sub_explicit(&credential->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    secret_free(credential->password, credential->password_len);
    free((char *)credential->owner.group);
    free((char *)credential->owner.file);
    free(credential->username);
    free(credential);
}

bool credential_is_refusal(const char *error)
{
    return strncmp(error, "WRONGPASS", 9) == 0 || strncmp(error, "NOAUTH", 6) == 0;
}

bool credential_is_needless(const char *error)
{
    return strstr(error, "without any password") != NULL;
}

static void tell(const struct credential *credential, const char *server, const char *error)
{
    const struct credential_owner *owner = &credential->owner;
    char quoted[256];
    log_quote(quoted, sizeof(quoted), error);
    if (owner->file)
        log_event(LOG_WARN, "the proxy's own password is refused, reading its file again",
                  "group=%s by=%s error=%s file=%s", owner->group, server, quoted, owner->file);
    else
        log_event(
            LOG_WARN,
            "the proxy's own password is refused: change it and reload (SIGHUP), or put it into "
            "a file, which is read again",
            "group=%s by=%s error=%s", owner->group, server, quoted);
}

void credential_refuse(struct credential *credential, const char *server, const char *error)
{
    if (!credential)
        return;
    if (!atomic_exchange_explicit(&credential->logged, true, memory_order_relaxed)) {
        tell(credential, server, error);
        snprintf(credential->refusal, sizeof(credential->refusal),
                 "%s refuses the proxy's own password: %s", server, error);
        atomic_store_explicit(&credential->noted, true, memory_order_release);
    }
    if (!atomic_exchange_explicit(&credential->refused, true, memory_order_release))
        credential->owner.wake(credential->owner.arg);
}

const char *credential_refusal(const struct credential *credential)
{
    if (!credential || !atomic_load_explicit(&credential->noted, memory_order_acquire) ||
        atomic_load_explicit(&credential->accepted, memory_order_acquire))
        return NULL;
    return credential->refusal;
}

void credential_accept(struct credential *credential)
{
    if (!credential || atomic_load_explicit(&credential->accepted, memory_order_relaxed))
        return;
    if (!atomic_exchange_explicit(&credential->accepted, true, memory_order_release))
        credential->owner.wake(credential->owner.arg);
}
