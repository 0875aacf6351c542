/*
 * everywhere: a request that goes to every node of the group (SCRIPT LOAD):
 * the one that its client asked for, and copies whose answers only count as
 * done (copies.h). Nothing else of the session is sent before all of them are. Inside
 * MULTI it goes to the master alone, with the transaction.
 *
 * SCRIPT FLUSH goes to the other workers, too: when it is answered, all have
 * forgotten their scripts.
 */
#include "commands/everywhere.h"

#include "commands/scripts.h"
#include "session/copies.h"

#include <stdlib.h>

/* ---- SCRIPT FLUSH ---- */

/* Texts go the same way (session_scripts.c). The first relay is behind all that were on their way before
 * it came by, but home may have passed them on behind it: the second one is behind those, too. */
struct flush {
    struct relay relay;
    size_t group;
    bool second;
    struct copies *copies; /* that it is a part of; NULL: nobody waits for it */
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

/* A script that is loaded on one node only would be missing after a switch, and on the replicas. One that
 * comes by the read port is for the replicas; if the master has to stand in, it is told at the first need.
 * What is written (FUNCTION LOAD) Redis replicates itself. */
void everywhere_sent(struct session *s, struct request *r)
{
    struct copies *copies;
    bool flush;
    if (r->command->flags & COMMAND_WRITE)
        return;
    flush = script_command_sent(s, r);
    if (flush && r->in_tx)
        flush_others(s, NULL);
    if (r->in_tx)
        return;
    copies = copies_begin(s, r);
    if (flush)
        flush_others(s, copies);
    copies->left +=
        router_send_everywhere(s->host->router, s->place.group, s->place.route == ROUTE_REPLICA,
                               s->identity, r->upstream, r, &copies_owner, copies);
    copies_sent(s, copies);
}
