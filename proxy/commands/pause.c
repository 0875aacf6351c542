/*
 * pause: CLIENT PAUSE and CLIENT UNPAUSE. A paused node leaves writes unanswered until the pause is over, and does
 * not read on from a connection whose write waits. Directly, that concerns one client. On a shared connection it
 * would also stop the reads of all others that stand behind the write, although Redis promises that reads go on
 * (CLIENT PAUSE WRITE).
 *
 * So while a node is paused each write goes on a lease (session/leasing.c). When the pause begins, a shared
 * connection with something unanswered is not shared any more, and the reads behind are asked again elsewhere
 * (router_part()).
 *
 * The proxy knows of a pause from the commands that come through it. Every worker is told, and so is the control
 * plane, which must not lift a pause that a client asked for (topology/election_fence.c). A pause that somebody asked
 * for at the node itself is not known.
 */
#include "commands/pause.h"

#include "topology/topology.h"

#include <stdlib.h>

/* Longer than anybody means, and small enough to be added to a time. */
#define PAUSE_MAX_MS ((int64_t)1 << 50)

/* What the other workers are told. */
struct pause {
    struct relay relay;
    size_t group;
    uint64_t node;
    int64_t until_ms; /* 0: the pause is over */
    bool
        parts; /* the pause has begun: shared connections are parted from the reads that wait there */
};

static void apply(struct session_host *host, const struct pause *pause)
{
    if (pause->parts) {
        router_stop_sharing(host->router, pause->group, pause->node);
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

/* Tells all workers about a pause of the node to which the session's lease goes. */
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
        return; /* inside MULTI it was only queued: the pause begins with EXEC */
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
