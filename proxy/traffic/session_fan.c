/*
 * session_fan: a request that goes to every node of the group (SCRIPT LOAD):
 * the one that its client asked for, and copies whose answers only count as
 * done. Nothing else of the session is sent before all of them are. Inside
 * MULTI it goes to the master alone, with the transaction.
 *
 * SCRIPT FLUSH goes round the workers, too: when it is answered, all have
 * forgotten their scripts.
 */
#include "traffic/session_state.h"

#include <stdlib.h>

struct fan {
    unsigned left;
    struct request *origin; /* NULL: its session is gone */
    struct request_pool *requests;
};

static void part_done(struct fan *fan)
{
    struct request *origin = fan->origin;
    if (--fan->left > 0)
        return;
    free(fan);
    if (!origin)
        return;
    origin->fan = NULL;
    if (origin->state == REQUEST_ANSWERED || origin->state == REQUEST_REJECTED) {
        struct session *s = origin->owner_data;
        s->fanning = NULL;
        session_mark_woken(s);
    }
}

static void fan_part_done(struct request *copy)
{
    struct fan *fan = copy->owner_data;
    request_free(fan->requests, copy);
    part_done(fan);
}

static void fan_on_reply(struct request *copy, const char *data, size_t len, bool first, bool last)
{
    (void)data;
    (void)len;
    (void)first;
    if (last)
        fan_part_done(copy);
}

static void fan_on_failed(struct request *copy, enum request_failure why, const char *text)
{
    (void)why;
    (void)text;
    fan_part_done(copy);
}

static const struct request_owner fan_owner = {fan_on_reply, fan_on_failed};

void session_forget_fan(struct request *r)
{
    r->fan->origin = NULL;
    r->fan = NULL;
}

/* ---- SCRIPT FLUSH ---- */

/* Texts go the same way (session_scripts.c). The first relay is behind all that were on their way before
 * it came by, but home may have passed them on behind it: the second one is behind those, too. */
struct flush {
    struct relay relay;
    size_t group;
    bool second;
    struct fan *fan; /* that it is a part of; NULL: nobody waits for it */
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
    if (flush->fan)
        part_done(flush->fan);
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

static void flush_others(struct session *s, struct fan *fan)
{
    struct flush *flush = calloc(1, sizeof(*flush));
    if (!flush)
        abort();
    flush->relay = (struct relay){.visit = flush_visit, .back = flush_back, .drop = flush_drop};
    flush->group = s->place.group;
    flush->fan = fan;
    if (fan)
        fan->left++;
    relay_start(&flush->relay, &s->host->stop);
}

/* ---- every node ---- */

/* A script that is loaded on one node only would be missing after a switch, and on the replicas. One that
 * comes by the read port is for the replicas; if the master has to stand in, it is told at the first need.
 * What is written (FUNCTION LOAD) Redis replicates itself. */
void session_fan_out(struct session *s, struct request *r)
{
    struct fan *fan;
    bool flush;
    if (r->command->flags & COMMAND_WRITE)
        return;
    flush = session_script_command(s, r);
    if (flush && r->in_tx)
        flush_others(s, NULL);
    if (r->in_tx)
        return;
    fan = calloc(1, sizeof(*fan));
    if (!fan)
        abort();
    fan->left = 1; /* not done while copies are being made */
    fan->origin = r;
    fan->requests = &s->host->turn->requests;
    r->fan = fan;
    if (flush)
        flush_others(s, fan);
    fan->left +=
        router_send_everywhere(s->host->router, s->place.group, s->place.route == ROUTE_REPLICA,
                               s->identity, r->upstream, r, &fan_owner, fan);
    if (--fan->left == 0) {
        r->fan = NULL;
        free(fan);
        return;
    }
    s->fanning = r;
}

void session_forget_copies(struct session *s, struct request *r)
{
    if (r->fan)
        session_forget_fan(r);
    if (s->fanning == r)
        s->fanning = NULL;
}
