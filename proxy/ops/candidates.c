/* candidates: see the header. */
#include "ops/candidates.h"

#include "topology/sentinel_parse.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether Sentinel would look at it at all, as far as its list tells. */
static bool is_good(const redisReply *item, long priority)
{
    const char *flags = sentinel_field(item, "flags"),
               *link = sentinel_field(item, "master-link-status");
    return priority > 0 && flags && !strstr(flags, "down") && !strstr(flags, "disconnected") &&
           link && strcmp(link, "ok") == 0;
}

static void add(struct candidates *out, const struct endpoint *endpoint, long priority)
{
    struct candidate *one;
    if (out->count && priority > out->each[0].priority)
        return;
    if (out->count && priority < out->each[0].priority)
        out->count = 0;
    if (out->count == CANDIDATES_MAX)
        return;
    one = &out->each[out->count++];
    *one = (struct candidate){.endpoint = *endpoint, .priority = priority, .offset = -1};
    endpoint_format(one->name, sizeof(one->name), endpoint);
}

int candidates_read(struct candidates *out, const redisReply *reply)
{
    *out = (struct candidates){.count = 0};
    if (reply->type != REDIS_REPLY_ARRAY)
        return -1;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *item = reply->element[i];
        struct endpoint endpoint;
        const char *priority = sentinel_field(item, "slave-priority");
        if (!sentinel_parse_instance(&endpoint, item))
            return -1;
        out->replicas++;
        long number = priority ? strtol(priority, NULL, 10) : 100;
        if (is_good(item, number))
            add(out, &endpoint, number);
    }
    return 0;
}

static bool is_named(const struct candidate *one, const char *to)
{
    return strcmp(one->name, to) == 0 || strcmp(one->endpoint.host, to) == 0;
}

bool candidates_only(const struct candidates *candidates, const char *to, char *why, size_t size)
{
    bool among = false;
    for (size_t i = 0; i < candidates->count; i++)
        among = among || is_named(&candidates->each[i], to);
    if (among && candidates->count == 1)
        return true;
    if (among)
        snprintf(
            why, size,
            "Sentinel chooses among %zu replicas of priority %ld, and takes no wish: give %.80s "
            "a lower one (CONFIG SET replica-priority %ld there), wait for 10 s until the "
            "Sentinels have seen it, and ask again",
            candidates->count, candidates->each[0].priority, to,
            candidates->each[0].priority > 1 ? candidates->each[0].priority - 1 : 1);
    else
        snprintf(why, size,
                 "Sentinel would not promote %.80s: it is no replica in good order, or has "
                 "replica-priority 0 or a higher one than others (\"redisproxy ctl nodes\")",
                 to);
    return false;
}

int64_t candidates_behind(const struct candidates *candidates, int64_t master)
{
    int64_t most = 0;
    for (size_t i = 0; i < candidates->count; i++) {
        int64_t offset = candidates->each[i].offset;
        if (offset < 0)
            return -1;
        if (master - offset > most)
            most = master - offset;
    }
    return most;
}

int64_t info_number(const char *info, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = info; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return strtoll(line + len + 1, NULL, 10);
    }
    return -1;
}
