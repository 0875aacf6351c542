/*
 * session_pause: CLIENT PAUSE. A node that keeps writes waiting keeps their connections waiting, and all
 * that stands behind them there. So that reads go on, as Redis says they do, writes travel alone for as
 * long; what was on a shared connection when the pause began is parted from the reads there.
 *
 * It is known from the commands that come this way; that somebody else pauses the node is not.
 */
#include "traffic/session_state.h"

/* Far more than anybody means, and it can be added to a time. */
#define PAUSE_MAX_MS ((int64_t)1 << 50)

bool session_waits_apart(const struct session *s, const struct request *r)
{
    struct session_host *host = s->host;
    if (turn_now(host->turn) >= host->paused_until_ms) {
        host->paused_until_ms = 0;
        return false;
    }
    return (r->command->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) &&
           router_do_writes_wait(host->router, s->place.group);
}

void session_pause_goes(struct session *s, const struct request *r)
{
    struct session_host *host = s->host;
    int64_t ms, until;
    if (!resp_parse_integer(session_arg(r, 2), &ms) || ms <= 0)
        return;
    until = turn_now(host->turn) + (ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
    if (host->paused_until_ms < until)
        host->paused_until_ms = until;
    router_writes_wait(host->router, s->lease, until);
    s->pauses = true;
}

void session_pause_answered(struct session *s, const struct request *r)
{
    bool exec = r->command->verb == VERB_EXEC;
    if (r->in_tx && r->reply_type == '+')
        return; /* EXEC will do it */
    if (r->command->verb == VERB_CLIENT_UNPAUSE && r->reply_type == '+')
        router_writes_wait(s->host->router, s->lease, 0);
    if (!s->pauses)
        return;
    s->pauses = false;
    if (r->reply_type == (exec ? '*' : '+'))
        router_part(s->host->router, s->lease);
    else
        router_writes_wait(s->host->router, s->lease, 0);
}
