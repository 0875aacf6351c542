/*
 * send: a request goes on its way.
 *
 * Invariant (decision 2): a request is sent only when every unfinished request
 * before it is on the same upstream, or when it and all of them are reads. So
 * the requests of a session execute in the order in which they came, on
 * however many connections. tests/system/test_order.c proves it.
 */
#include "session/send.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/hooks.h"
#include "session/requests.h"
#include "session/slowlog.h"

void session_send(struct session *s, struct session_request *r, struct upstream *to)
{
    queue_depart(&s->queue, r, to);
    slowlog_sent(s, r, to);
    r->sent += s->host->turn->ticks; /* it is 0, or marked */
    r->leased = to == s->lease.upstream;
    if (r->verb->sending)
        r->verb->sending(s, r, to);
    s->special.wrote |= r->write && r->command->verb != VERB_WAIT;
    if (s->identity->scripted && upstream_purpose(to) == PURPOSE_MASTER)
        s->host->hooks->new_master(s, r, to);
    upstream_submit(to, &r->wire);
}

enum target_role session_target_role(const struct session *s, const struct session_request *r)
{
    switch (s->place.route) {
    case ROUTE_MASTER:
        return TARGET_MASTER;
    case ROUTE_REPLICA:
        return TARGET_REPLICA;
    case ROUTE_SPLIT:
        break;
    }
    /* A read that was sent behind a write sees it: also when a barrier had the write answered first. */
    return (r->command->flags & COMMAND_READONLY) && !r->after_write ? TARGET_REPLICA
                                                                     : TARGET_MASTER;
}

bool session_in_order(const struct session *s, const struct session_request *r,
                      const struct upstream *to)
{
    if (s->queue.inflight == 0)
        return true;
    if (!s->queue.mixed && s->queue.at == to)
        return true;
    return !r->write && s->queue.inflight_writes == 0;
}

enum step session_send_shared(struct session *s, struct session_request *r,
                              struct identity *identity)
{
    enum target_role role = session_target_role(s, r);
    struct upstream *up;
    if (__builtin_expect(r->login != NULL, 0) &&
        !router_login_turn(s->host->router, &s->place, role, identity))
        return STEP_HOLD;
    up = r->authenticates
             ? router_auth_upstream(s->host->router, &s->place, role, identity, session_proves(r))
             : router_shared(s->host->router, &s->place, role, identity);
    if (!up)
        return STEP_HOLD;
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    session_send(s, r, up);
    if (r->verb->sent)
        r->verb->sent(s, r);
    return STEP_ON;
}

void session_change_sides(struct session *s)
{
    struct identity *other =
        identity_standing(router_identities(s->host->router), s->identity, !s->identity->outside);
    identity_release(s->identity);
    s->identity = other;
    s->auth_not_needed = false;
    router_entered(&s->place, NULL);
}
