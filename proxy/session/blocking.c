/*
 * blocking: commands that wait for other clients' writes, each with a timeout of its own, which
 * goes on while it is held.
 *
 * When a hold begins they are taken back: the proxy asks their node to end them (CLIENT UNBLOCK id ERROR).
 * An -UNBLOCKED proves that nothing was popped; what was answered otherwise was executed. Then the
 * proxy's UNBLOCK comes too late, and ends whatever blocks next on that connection: so the session counts
 * those that may still come. A command that one of them ends is sent again, and no other session gets the
 * connection.
 */
#include "session/blocking.h"

#include "nodes/router.h"
#include "session/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of XREAD and XREADGROUP: where BLOCK's milliseconds stand. Read as Redis reads it: a group and its consumer may be
 * called "block" or "streams", the last BLOCK counts, and behind STREAMS there are keys. */
static int block_option(const struct session_request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct slice arg;
    int found = 0, names = 0; /* of a group and its consumer, still to come */
    for (int i = 0; resp_args_next(&args, &arg) && i + 1 < r->argc; i++) {
        if (names > 0)
            names--;
        else if (slice_is(arg, "group"))
            names = 2;
        else if (slice_is(arg, "block"))
            found = i + 1;
        else if (slice_is(arg, "streams"))
            break;
    }
    return found;
}

/* Where the timeout stands among the arguments; 0: it does not block. */
static int timeout_argument(const struct session_request *r, bool *milliseconds)
{
    const char *name = r->command->name;
    *milliseconds = name[0] == 'x';
    if (*milliseconds)
        return block_option(r);
    if (strcmp(name, "blmpop") == 0 || strcmp(name, "bzmpop") == 0)
        return 1;
    return r->argc - 1;
}

bool session_is_blocking(const struct session_request *r)
{
    bool milliseconds;
    return r->command->verb != VERB_WAIT && timeout_argument(r, &milliseconds) > 0;
}

void session_start_timeout(struct session *s, struct session_request *r)
{
    bool milliseconds;
    struct slice arg = session_arg(r, timeout_argument(r, &milliseconds));
    char number[40], *end;
    double value;
    if (r->blocked_until_ms || arg.len == 0 || arg.len >= sizeof(number))
        return;
    memcpy(number, arg.data, arg.len);
    number[arg.len] = '\0';
    value = strtod(number, &end);
    if (*end || !(value > 0) || value > 1e12)
        return; /* for ever, or an error that the node will report */
    r->blocked_until_ms = turn_now(s->host->turn) + (int64_t)(milliseconds ? value : value * 1000);
}

bool session_blocked_expired(const struct session_request *r, int64_t now_ms)
{
    return r->blocking && r->blocked_until_ms && r->blocked_until_ms <= now_ms;
}

void session_rewrite_timeout(struct session *s, struct session_request *r)
{
    bool milliseconds;
    int at = timeout_argument(r, &milliseconds);
    int64_t left = r->blocked_until_ms - turn_now(s->host->turn);
    struct buf whole = {0};
    char text[32];
    if (left < 1)
        left = 1; /* 0 would mean for ever */
    if (milliseconds)
        snprintf(text, sizeof(text), "%" PRId64, left);
    else
        snprintf(text, sizeof(text), "%.3f", (double)left / 1000);
    resp_append_replaced(&whole, (struct slice){r->data, r->len}, at,
                         (struct slice){text, strlen(text)});
    session_rewrite(s, r, &whole);
    buf_free(&whole);
}

void session_take_back_blocked(struct session_host *host, size_t group)
{
    list_each (it, &host->sessions) {
        struct session *s = container_of(it, struct session, in_host);
        struct session_request *r = barrier_of(&s->barrier, BARRIER_BLOCKED);
        if (s->place.group != group || !r || !r->blocking || r->state != REQUEST_SENT ||
            r->taken_back || !s->lease.upstream ||
            router_may_write(host->router, s->lease.upstream))
            continue;
        r->taken_back = true;
        s->lease.unblocks++;
        router_unblock(host->router, s->lease.upstream);
    }
}

bool session_is_taken_back(const struct session *s, const struct session_request *r)
{
    return r->leased && r->command->way == WAY_BLOCK && s->lease.unblocks > 0 && !r->called_back;
}
