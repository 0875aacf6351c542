/* held_partial: see the header. */
#include "session/held_partial.h"

#include "nodes/hold.h"
#include "nodes/router.h"
#include "session/budget.h"
#include "session/input.h"
#include "session/interest.h"
#include "session/leasing.h"

void session_drop_passed(struct session *s)
{
    struct partial *partial = s->client.partial;
    struct session_request *all = partial->request;
    size_t passed = resp_request_forget(&partial->parse, all->len);
    struct session_request *rest = session_request_new(session_pool(s), all->len - passed);
    request_set_bytes(&rest->wire, all->data + passed, all->len - passed);
    rest->secret = true;
    partial->request = rest;
    session_request_free(session_pool(s), all);
    session_charge_partial(s);
}

bool session_skip_payload(struct session *s, size_t len)
{
    struct partial *partial = s->client.partial;
    if (partial->request->len > 0 || partial->parse.bulk_len <= (int64_t)len)
        return false;
    partial->parse.bulk_len -= (int64_t)len;
    return true;
}

static void skip(struct session *s)
{
    s->client.partial->skipped = true;
    session_drop_passed(s);
    s->client.growth = GROWTH_FREE;
    if (session_wants_lease(s) && hold_waits(&s->queue.held))
        hold_shrink(&s->queue.held,
                    s->queue.held.bytes); /* it still waits for a node, for its lease */
    else
        hold_leave(&s->queue.held);
}

enum growth session_hold_partial(struct session *s)
{
    struct held *held = &s->queue.held;
    struct hold *hold = router_hold(s->host->router, s->place.group);
    struct partial *partial = s->client.partial;
    int64_t now = turn_now(s->host->turn);
    size_t cost = request_cost(partial->request), more;
    if (!hold_waits(held)) {
        held->outside = router_is_outside(s->host->router, &s->place, s->identity);
        hold_enter(hold, held, 0, now);
    }
    if (!partial->held_since_ms)
        partial->held_since_ms = now;
    more = cost > held->bytes ? cost - held->bytes : 0;
    if (!hold_has_room(held, more)) {
        skip(s);
        return GROWTH_FREE;
    }
    hold_grow(held, more);
    return GROWTH_HELD;
}

void session_unhold_partial(struct session *s)
{
    if (s->client.partial->held_since_ms && s->queue.count == 0 && hold_waits(&s->queue.held))
        hold_shrink(&s->queue.held, s->queue.held.bytes);
    s->client.growth = GROWTH_FREE;
}

bool session_partial_is_over(const struct session *s, int64_t now_ms, int64_t timeout_ms)
{
    return s->client.growth == GROWTH_HELD &&
           now_ms - s->client.partial->held_since_ms >= timeout_ms;
}

void session_expire_partial(struct session *s, int64_t now_ms, int64_t timeout_ms)
{
    if (!session_partial_is_over(s, now_ms, timeout_ms))
        return;
    skip(s);
    session_update_interest(s);
}
