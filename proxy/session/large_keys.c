/* large_keys: see the header. */
#include "session/large_keys.h"

#include "base/keyed_hash.h"
#include "redis/resp.h"

#include <stdlib.h>

#define PLACES 256

#define KNOWN_MS 60000

struct large_keys {
    struct {
        const struct command *command; /* NULL: nothing is known here */
        unsigned hash;
        int64_t until_ms;
    } known[PLACES];
};

/* A command without an argument asks for the same whatever its hash. */
static unsigned hash_of(const struct session_request *request)
{
    struct slice key =
        request->argc > 1 ? resp_arg(request->data, request->len, 1) : (struct slice){"", 0};
    return keyed_hash(key.data, key.len);
}

void large_keys_learn(struct large_keys **keys, const struct session_request *request,
                      int64_t now_ms)
{
    unsigned hash = hash_of(request);
    if (!*keys)
        *keys = calloc(1, sizeof(**keys));
    if (!*keys)
        return; /* it goes without */
    (*keys)->known[hash % PLACES].command = request->command;
    (*keys)->known[hash % PLACES].hash = hash;
    (*keys)->known[hash % PLACES].until_ms = now_ms + KNOWN_MS;
}

bool large_keys_find(const struct large_keys *keys, const struct session_request *request)
{
    unsigned hash = hash_of(request);
    return keys->known[hash % PLACES].command == request->command &&
           keys->known[hash % PLACES].hash == hash;
}

void large_keys_forget(struct large_keys *keys, const struct session_request *request)
{
    if (large_keys_find(keys, request))
        keys->known[hash_of(request) % PLACES].command = NULL;
}

void large_keys_expire(struct large_keys **keys, int64_t now_ms)
{
    size_t left = 0;
    if (!*keys)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        if ((*keys)->known[i].until_ms <= now_ms)
            (*keys)->known[i].command = NULL;
        left += (*keys)->known[i].command != NULL;
    }
    if (left > 0)
        return;
    free(*keys);
    *keys = NULL;
}
