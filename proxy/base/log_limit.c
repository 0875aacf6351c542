/*
 * log_limit: see log_limit.h. The table is searched from its front: there are few kinds, and the line that is
 * let through costs more by far.
 */
#include "base/log_limit.h"

#include <stdio.h>
#include <string.h>

static struct log_kind *find(struct log_limit *limit, const char *msg, int64_t now)
{
    struct log_kind *kind = limit->kinds, *last = kind + LOG_LIMIT_KINDS - 1;

    while (kind < last && *kind->text && strncmp(kind->text, msg, sizeof(kind->text) - 1) != 0)
        kind++;
    if (!*kind->text) {
        snprintf(kind->text, sizeof(kind->text), "%s", kind == last ? "any other" : msg);
        kind->lines = LOG_LIMIT_BURST;
        kind->since = now;
    }
    return kind;
}

bool log_limit_admits(struct log_limit *limit, const char *msg, int64_t now)
{
    struct log_kind *kind = find(limit, msg, now);

    kind->lines += (double)(now - kind->since) * LOG_LIMIT_RATE / 1000;
    kind->since = now;
    if (kind->lines > LOG_LIMIT_BURST)
        kind->lines = LOG_LIMIT_BURST;
    if (kind->lines >= 1) {
        kind->lines -= 1;
        return true;
    }
    if (!kind->left_out++)
        limit->left_out++;
    return false;
}

struct log_kind *log_limit_left_out(struct log_limit *limit)
{
    if (!limit->left_out)
        return NULL;
    for (struct log_kind *kind = limit->kinds; kind < limit->kinds + LOG_LIMIT_KINDS; kind++)
        if (kind->left_out)
            return kind;
    return NULL;
}

void log_limit_told(struct log_limit *limit, struct log_kind *kind)
{
    kind->left_out = 0;
    limit->left_out--;
}
