/*
 * session_fan: a request that goes to every node of the group (SCRIPT LOAD):
 * the one that its client asked for, and copies whose answers only count as
 * done. Nothing else of the session is sent before all of them are. Inside
 * MULTI it goes to the master alone, with the transaction.
 */
#include "traffic/session_state.h"

#include <stdlib.h>

struct fan {
    unsigned left;
    struct request *origin; /* NULL: its session is gone */
    struct request_pool *requests;
};

static void fan_part_done(struct request *copy)
{
    struct fan *fan = copy->owner_data;
    struct request *origin = fan->origin;
    request_free(fan->requests, copy);
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

/* A script that is loaded on one node only would be missing after a switch, and on the replicas.
 * What is written (FUNCTION LOAD) Redis replicates itself. */
void session_fan_out(struct session *s, struct request *r)
{
    struct fan *fan;
    if (r->command->flags & COMMAND_WRITE)
        return;
    session_script_command(s, r);
    if (r->in_tx)
        return;
    fan = calloc(1, sizeof(*fan));
    if (!fan)
        abort();
    fan->left = 1; /* not done while copies are being made */
    fan->origin = r;
    fan->requests = &s->host->turn->requests;
    r->fan = fan;
    fan->left += router_send_everywhere(s->host->router, s->place.group, s->identity, r->upstream,
                                        r, &fan_owner, fan);
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
