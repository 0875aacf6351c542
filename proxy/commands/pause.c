/*
 * pause: CLIENT PAUSE and CLIENT UNPAUSE. A paused node leaves writes unanswered until the pause is over, and does
 * not read on from a connection whose write waits. Directly, that concerns one client. On a shared connection it
 * would also stop the reads of all others that stand behind the write, although Redis promises that reads go on
 * (CLIENT PAUSE WRITE).
 *
 * So while a node is paused each write goes on a lease (session/leasing.c). When the pause begins, a shared
 * connection with something unanswered is not shared any more, and the reads behind are asked again elsewhere
 * (router_stop_sharing()): this also parts them from writes that were sent while the pause was on its way.
 *
 * A pause counts from the node's +OK (inside MULTI: from EXEC's answer, see exec.c), and not from when it was sent: who
 * may not pause the node, or has not even logged in, changes nothing for others. Every worker is told, and so is the
 * control plane, which must not lift a pause that a client asked for (topology/election_fence.c). Not known is a pause
 * that somebody asked for at the node itself, or whose client left before it was answered.
 */
#include "commands/pause.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "topology/topology.h"

#include <stdlib.h>

/* Longer than anybody means, and small enough to be added to a time. */
#define PAUSE_MAX_MS ((int64_t)1 << 50)

/* What the workers are told. */
struct pause {
    struct relay relay;
    size_t group;
    uint64_t node;
    int64_t until_ms; /* 0: the pause is over */
};

static void apply(struct session_host *host, const struct pause *pause)
{
    if (host->paused_until_ms < pause->until_ms)
        host->paused_until_ms = pause->until_ms;
    router_writes_wait(host->router, pause->group, pause->node, pause->until_ms);
    if (pause->until_ms)
        router_stop_sharing(host->router, pause->group, pause->node);
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

/* Tells all workers, and the control plane, about a pause of this node. */
static void tell(struct session *s, uint64_t node, int64_t until_ms)
{
    struct pause *pause = calloc(1, sizeof(*pause));
    if (!pause)
        abort();
    *pause = (struct pause){.relay = {.visit = visit, .drop = drop},
                            .group = s->place.group,
                            .node = node,
                            .until_ms = until_ms};
    apply(s->host, pause);
    board_note_pause(s->host->turn->board, pause->group, node, until_ms);
    relay_start(&pause->relay, &s->host->stop);
}

void pause_take_effect(struct session *s, const struct session_request *r,
                       const struct upstream *from)
{
    int64_t ms;
    if (r->command->verb == VERB_CLIENT_UNPAUSE)
        tell(s, upstream_node(from), 0);
    else if (resp_parse_integer(session_arg(r, 2), &ms) && ms > 0)
        tell(s, upstream_node(from),
             turn_now(s->host->turn) + (ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS));
}

void pause_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    if (r->reply_type == '+' && !r->in_tx)
        pause_take_effect(s, r, from);
}
