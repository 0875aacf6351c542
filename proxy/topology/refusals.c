/* refusals: see the header. Nodes that left their group keep a place until it is needed. */
#include "topology/refusals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* More nodes than these do not refuse at a time: the oldest is forgotten, and noted again. */
#define REFUSALS_MAX 64

struct refusals {
    pthread_mutex_t mutex;
    atomic_size_t count;
    struct refusal list[REFUSALS_MAX];
};

struct refusals *refusals_new(void)
{
    struct refusals *refusals = calloc(1, sizeof(*refusals));
    if (!refusals)
        abort();
    pthread_mutex_init(&refusals->mutex, NULL);
    return refusals;
}

void refusals_free(struct refusals *refusals)
{
    pthread_mutex_destroy(&refusals->mutex);
    free(refusals);
}

static size_t count_of(struct refusals *refusals)
{
    return atomic_load_explicit(&refusals->count, memory_order_acquire);
}

static void set_count(struct refusals *refusals, size_t count)
{
    atomic_store_explicit(&refusals->count, count, memory_order_release);
}

/* Under the mutex. */
static struct refusal *find(struct refusals *refusals, size_t group, uint64_t node)
{
    for (size_t i = 0; i < count_of(refusals); i++)
        if (refusals->list[i].node == node && refusals->list[i].group == group)
            return &refusals->list[i];
    return NULL;
}

static struct refusal *add(struct refusals *refusals, size_t group, uint64_t node, int64_t now_ms)
{
    size_t count = count_of(refusals), at = count;
    if (count == REFUSALS_MAX) {
        at = 0;
        for (size_t i = 1; i < count; i++)
            if (refusals->list[i].since_ms < refusals->list[at].since_ms)
                at = i;
    } else {
        set_count(refusals, count + 1);
    }
    refusals->list[at] = (struct refusal){.group = group, .node = node, .since_ms = now_ms};
    return &refusals->list[at];
}

bool refusals_note(struct refusals *refusals, size_t group, uint64_t node, const char *text,
                   int64_t now_ms, int64_t patience_ms)
{
    pthread_mutex_lock(&refusals->mutex);
    struct refusal *refusal = find(refusals, group, node);
    bool news = !refusal;
    if (news)
        refusal = add(refusals, group, node, now_ms);
    refusal->until_ms = refusal->since_ms + patience_ms;
    snprintf(refusal->text, sizeof(refusal->text), "%s", text);
    pthread_mutex_unlock(&refusals->mutex);
    return news;
}

bool refusals_clear(struct refusals *refusals, size_t group, uint64_t node)
{
    if (count_of(refusals) == 0)
        return false;
    pthread_mutex_lock(&refusals->mutex);
    struct refusal *refusal = find(refusals, group, node);
    if (refusal) {
        size_t last = count_of(refusals) - 1;
        *refusal = refusals->list[last];
        set_count(refusals, last);
    }
    pthread_mutex_unlock(&refusals->mutex);
    return refusal != NULL;
}

bool refusals_find(struct refusals *refusals, size_t group, uint64_t node, struct refusal *out)
{
    if (!refusals || count_of(refusals) == 0)
        return false;
    pthread_mutex_lock(&refusals->mutex);
    const struct refusal *refusal = find(refusals, group, node);
    if (refusal)
        *out = *refusal;
    pthread_mutex_unlock(&refusals->mutex);
    return refusal != NULL;
}
