/*
 * everywhere: SCRIPT LOAD and SCRIPT FLUSH go to every node of the group. Redis does not replicate scripts: one that
 * is loaded at the master only would be missing after a switch, and on the replicas that answer reads.
 *
 * The client's own request goes where its route says, and its answer is the client's. Copies of it go to the other
 * nodes; of their answers only counts that they have come (session/copies.h). Until then the answer waits, and
 * nothing else of the session is sent. Inside MULTI the command goes to the master alone, with the transaction.
 *
 * What it means for the proxy, to remember a text or to forget all of them, takes effect when the node has executed it
 * (inside MULTI: with EXEC, see exec.c), and not when it refuses. SCRIPT FLUSH then also goes to the other workers, and
 * its answer waits until all of them have forgotten their scripts.
 */
#include "commands/everywhere.h"

#include "commands/scripts.h"
#include "nodes/router.h"
#include "nodes/scripts.h"
#include "session/copies.h"

#include <stdlib.h>

/* ---- SCRIPT FLUSH ---- */

/* Texts of scripts visit the workers in the same way (scripts.c), and may be on their way while this does. So it goes
 * round twice. Behind the first round, the worker where it began may still hand on texts that were on their way
 * before; the second round comes behind those, too. */
struct flush {
    struct relay relay;
    size_t group;
    bool second;           /* it goes round for the second time */
    struct copies *copies; /* what waits for it to be over; NULL: nothing does */
};

static bool flush_visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    scripts_clear(there->scripts[container_of(relay, struct flush, relay)->group]);
    return true;
}

static void flush_drop(struct relay *relay)
{
    struct flush *flush = container_of(relay, struct flush, relay);
    if (flush->copies)
        copies_done(flush->copies);
    free(flush);
}

static void flush_back(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *home = session_host_at(stop);
    struct flush *flush = container_of(relay, struct flush, relay);
    if (flush->second) {
        flush_drop(relay);
        return;
    }
    scripts_clear(home->scripts[flush->group]);
    flush->second = true;
    relay_start(relay, &home->stop);
}

static void flush_others(struct session *s, struct copies *copies)
{
    struct flush *flush = calloc(1, sizeof(*flush));
    if (!flush)
        abort();
    flush->relay = (struct relay){.visit = flush_visit, .back = flush_back, .drop = flush_drop};
    flush->group = s->place.group;
    flush->copies = copies;
    if (copies)
        copies->left++;
    relay_start(&flush->relay, &s->host->stop);
}

/* ---- every node ---- */

static bool is_flush(const struct session_request *r)
{
    return slice_is(session_arg(r, 1), "flush");
}

/* A script that comes by the read port is for the replicas. When the master has to answer reads for them, it is
 * sent the script at the first EVALSHA that needs it. */
void everywhere_sent(struct session *s, struct session_request *r)
{
    struct copies *copies;
    if (r->in_tx)
        return;
    copies = copies_begin(s, r);
    if (is_flush(r))
        copies_wait_for_answer(copies);
    copies->left +=
        router_send_everywhere(s->host->router, s->place.group, s->place.route == ROUTE_REPLICA,
                               s->identity, r->upstream, &r->wire, &copies_owner, copies);
    copies_sent(s, copies);
}

void everywhere_take_effect(struct session *s, struct session_request *r)
{
    if (!is_flush(r)) {
        script_remember(s, session_arg(r, 2));
        return;
    }
    scripts_clear(s->host->scripts[s->place.group]);
    flush_others(s, r->copies);
}

void everywhere_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    (void)from;
    if (r->reply_type != '-' && !r->in_tx)
        everywhere_take_effect(s, r);
}
