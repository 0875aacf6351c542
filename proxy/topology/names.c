/*
 * names: a small cache, the least recently used entry goes first. A name that
 * stops resolving keeps its last address: the node may well be there still,
 * and who it is is asked of the node itself.
 */
#include "topology/names.h"

#include "base/list.h"
#include "base/log.h"
#include "net/resolve.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 256
#define REFRESH_MS 500
#define DOUBT_MS 100

struct name {
    struct list link;
    struct names *names;
    struct endpoint endpoint;
    struct address address; /* the one that it stands for; len 0: not resolved yet */
    struct address all[RESOLVE_MAX];
    size_t count;
    struct resolve *resolving;
    uint64_t asked_ms;
    bool failing; /* said so already */
};

struct names {
    uv_loop_t *loop;
    void (*changed)(void *owner);
    void *owner;
    struct list entries; /* the most recently used first */
    size_t count;
};

struct names *names_new(uv_loop_t *loop, void (*changed)(void *owner), void *owner)
{
    struct names *names = calloc(1, sizeof(*names));
    if (!names)
        abort();
    names->loop = loop;
    names->changed = changed;
    names->owner = owner;
    list_init(&names->entries);
    return names;
}

static void forget(struct names *names, struct name *name)
{
    if (name->resolving)
        resolve_cancel(name->resolving);
    list_remove(&name->link);
    free(name);
    names->count--;
}

void names_free(struct names *names)
{
    list_each (it, &names->entries)
        forget(names, container_of(it, struct name, link));
    free(names);
}

/* Of several addresses the one that it stood for stays, as long as it is one of them: resolvers give them in turn. */
static const struct address *chosen(const struct name *name)
{
    for (size_t i = 0; i < name->count; i++)
        if (address_equal(&name->all[i], &name->address))
            return &name->all[i];
    return &name->all[0];
}

static bool leads_to(const struct name *name, const struct address *address)
{
    for (size_t i = 0; i < name->count; i++)
        if (address_equal(&name->all[i], address))
            return true;
    return false;
}

/* Returns whether something has changed that somebody waits for. */
static bool take_all(struct name *name, const struct address *addresses, size_t count)
{
    struct address before = name->address;
    bool news = false;
    for (size_t i = 0; i < count && !news; i++)
        news = !leads_to(name, &addresses[i]);
    memcpy(name->all, addresses, count * sizeof(*addresses));
    name->count = count;
    name->address = *chosen(name);
    return news || !address_equal(&before, &name->address);
}

static void resolved(void *owner, int status, const struct address *addresses, size_t count)
{
    struct name *name = owner;
    name->resolving = NULL;
    if (status != 0) {
        if (!name->failing)
            log_event(LOG_WARN, "a host name of Sentinel's does not resolve", "host=%s error=%s",
                      name->endpoint.host, uv_err_name(status));
        name->failing = true;
        return;
    }
    name->failing = false;
    if (take_all(name, addresses, count))
        name->names->changed(name->names->owner);
}

static struct name *find(struct names *names, const struct endpoint *endpoint)
{
    list_each (it, &names->entries) {
        struct name *name = container_of(it, struct name, link);
        if (name->endpoint.port == endpoint->port &&
            strcmp(name->endpoint.host, endpoint->host) == 0)
            return name;
    }
    return NULL;
}

static struct name *add(struct names *names, const struct endpoint *endpoint)
{
    struct name *name = calloc(1, sizeof(*name));
    if (!name)
        abort();
    if (names->count == NAMES_MAX)
        forget(names, container_of(names->entries.prev, struct name, link));
    name->names = names;
    name->endpoint = *endpoint;
    list_init(&name->link);
    names->count++;
    return name;
}

static void refresh(struct name *name, uint64_t every_ms)
{
    uint64_t now_ms = uv_now(name->names->loop);
    if (name->resolving || (name->asked_ms && now_ms - name->asked_ms < every_ms))
        return;
    name->asked_ms = now_ms;
    name->resolving = resolve_start(name->names->loop, &name->endpoint, resolved, name);
}

/* Its entry, which is asked for again if it is old. */
static struct name *look_at(struct names *names, const struct endpoint *endpoint)
{
    struct name *name = find(names, endpoint);
    if (!name)
        name = add(names, endpoint);
    list_remove(&name->link);
    list_prepend(&names->entries, &name->link);
    refresh(name, REFRESH_MS);
    return name;
}

bool names_lookup(struct names *names, const struct endpoint *endpoint, struct address *out)
{
    *out = (struct address){.len = 0};
    if (address_from_number(out, endpoint->host, endpoint->port) == 0)
        return true;
    *out = (struct address){.len = 0};
    if (!endpoint->host[0])
        return false;
    *out = look_at(names, endpoint)->address;
    return out->len != 0;
}

size_t names_all(struct names *names, const struct endpoint *endpoint, struct address *out,
                 size_t max)
{
    struct address number;
    if (!endpoint->host[0] || address_from_number(&number, endpoint->host, endpoint->port) == 0)
        return 0;
    const struct name *name = look_at(names, endpoint);
    size_t count = name->count < max ? name->count : max;
    memcpy(out, name->all, count * sizeof(*out));
    return count;
}

const char *names_host(const struct names *names, const struct address *address)
{
    for (const struct list *it = names->entries.next; it != &names->entries; it = it->next) {
        const struct name *name = container_of(it, const struct name, link);
        if (address_equal(&name->address, address))
            return name->endpoint.host;
    }
    return NULL;
}

void names_doubt(struct names *names, const struct address *address)
{
    list_each (it, &names->entries) {
        struct name *name = container_of(it, struct name, link);
        if (address_equal(&name->address, address))
            refresh(name, DOUBT_MS);
    }
}
