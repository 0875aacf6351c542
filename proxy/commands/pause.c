/*
 * pause: CLIENT PAUSE. A node that keeps writes waiting keeps their connections waiting, and all
 * that stands behind them there. So that reads go on, as Redis says they do, writes travel alone for as
 * long; what was on a shared connection when the pause began is parted from the reads there.
 *
 * It is known from the commands that come this way, to whichever worker: each is told, and the control
 * plane, which must not lift what a client asked for. That somebody else pauses the node is not known.
 */
#include "commands/pause.h"

#include "topology/topology.h"

#include <stdlib.h>

/* Far more than anybody means, and it can be added to a time. */
#define PAUSE_MAX_MS ((int64_t)1 << 50)

struct pause {
    struct relay relay;
    size_t group;
    uint64_t node;
    int64_t until_ms; /* 0: it is over */
    bool parts;       /* it has begun: what was on its way is parted */
};

static void apply(struct session_host *host, const struct pause *pause)
{
    if (pause->parts) {
        router_part(host->router, pause->group, pause->node);
        return;
    }
    if (host->paused_until_ms < pause->until_ms)
        host->paused_until_ms = pause->until_ms;
    router_writes_wait(host->router, pause->group, pause->node, pause->until_ms);
}

static bool visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    apply(there, container_of(relay, struct pause, relay));
    return true;
}

static void drop(struct relay *relay)
{
    free(container_of(relay, struct pause, relay));
}

/* For the node of the session's lease. */
static void tell_workers(struct session *s, int64_t until_ms, bool parts)
{
    struct pause *pause = calloc(1, sizeof(*pause));
    if (!pause)
        abort();
    *pause = (struct pause){.relay = {.visit = visit, .drop = drop},
                            .group = s->place.group,
                            .node = upstream_node(s->lease.upstream),
                            .until_ms = until_ms,
                            .parts = parts};
    apply(s->host, pause);
    relay_start(&pause->relay, &s->host->stop);
}

enum step pause_prepare(struct session *s, struct request *r)
{
    int64_t ms;
    if (!resp_parse_integer(session_arg(r, 2), &ms) || ms <= 0)
        return STEP_ON;
    s->special.pauses_until_ms = turn_now(s->host->turn) + (ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
    tell_workers(s, s->special.pauses_until_ms, false);
    s->special.pauses = true;
    return STEP_ON;
}

static void note_on_board(const struct session *s, int64_t until_ms)
{
    board_note_pause(s->host->turn->board, s->place.group, upstream_node(s->lease.upstream),
                     until_ms);
}

void pause_answered(struct session *s, struct request *r, const struct upstream *from)
{
    bool exec = r->command->verb == VERB_EXEC;
    if (from != s->lease.upstream || (r->in_tx && r->reply_type == '+'))
        return; /* EXEC will do it */
    if (r->command->verb == VERB_CLIENT_UNPAUSE && r->reply_type == '+') {
        tell_workers(s, 0, false);
        note_on_board(s, 0);
    }
    if (!s->special.pauses)
        return;
    s->special.pauses = false;
    bool begun = r->reply_type == (exec ? '*' : '+');
    tell_workers(s, 0, begun);
    if (begun)
        note_on_board(s, s->special.pauses_until_ms);
}
