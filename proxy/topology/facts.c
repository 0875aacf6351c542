/* facts: see the header. */
#include "topology/facts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct facts {
    pthread_mutex_t lock;
    struct group_facts *groups;
    size_t count;
};

static struct group_facts *room_for(size_t count)
{
    struct group_facts *groups = calloc(count ? count : 1, sizeof(*groups));
    if (!groups)
        abort();
    return groups;
}

struct facts *facts_new(void)
{
    struct facts *facts = calloc(1, sizeof(*facts));
    if (!facts)
        abort();
    pthread_mutex_init(&facts->lock, NULL);
    return facts;
}

void facts_free(struct facts *facts)
{
    pthread_mutex_destroy(&facts->lock);
    free(facts->groups);
    free(facts);
}

void facts_show(struct facts *facts, const struct group_facts *groups, size_t count)
{
    struct group_facts *copy = room_for(count), *old;
    memcpy(copy, groups, count * sizeof(*copy));
    pthread_mutex_lock(&facts->lock);
    old = facts->groups;
    facts->groups = copy;
    facts->count = count;
    pthread_mutex_unlock(&facts->lock);
    free(old);
}

struct group_facts *facts_read(struct facts *facts, size_t *count)
{
    struct group_facts *copy;
    pthread_mutex_lock(&facts->lock);
    *count = facts->count;
    copy = room_for(facts->count);
    if (facts->count)
        memcpy(copy, facts->groups, facts->count * sizeof(*copy));
    pthread_mutex_unlock(&facts->lock);
    return copy;
}
