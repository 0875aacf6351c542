/* drain: see the header. */
#include "session/drain.h"

#include "base/log.h"
#include "session/boundary.h"
#include "session/client.h"
#include "session/interest.h"
#include "session/life.h"
#include "session/move.h"
#include "session/state.h"

/* How often it is looked whose moment has come. */
#define LOOK_MS 20

/* A client that leaves and has always sent the next request before the last one is answered is not read any more after
 * this time: else it would not reach a boundary. */
#define BUSY_MS 1000

/* A client that has asked nothing yet has so much longer: it came to ask something, which is on its way. Not until a certain
 * age, at which many would end in one instant. */
#define NEW_MS 500

void session_drain_begin(struct session_drain *drain, int64_t now_ms, int64_t timeout_ms,
                         size_t sessions)
{
    int64_t apart = (int64_t)sessions * SESSION_DRAIN_APART_MS, most = timeout_ms / 4 * 3;
    session_walk_init(&drain->walk);
    drain->began_ms = drain->next_ms = now_ms;
    drain->timeout_ms = timeout_ms;
    drain->spread_ms = apart < most ? apart : most;
    drain->over = false;
}

/* Multiples of the golden ratio, without their whole parts, lie as far apart as they can: any number of
 * sessions in a row is spread evenly. */
static int64_t part_of(const struct session *s, int64_t ms)
{
    uint32_t number = (uint32_t)((s->id - SESSION_ID_BASE) / WORKERS_MAX);
    return (int64_t)(((uint64_t)(number * 2654435769u) * (uint64_t)ms) >> 32);
}

static int64_t moment_of_new(const struct session_drain *drain, const struct session *s)
{
    int64_t moment = part_of(s, drain->spread_ms), came = s->client.opened_ms - drain->began_ms;
    int64_t longer = drain->timeout_ms / 8 < NEW_MS ? drain->timeout_ms / 8 : NEW_MS;
    return (came > moment ? came : moment) + longer;
}

int64_t session_drain_moment(const struct session_drain *drain, const struct session *s)
{
    int64_t listeners = drain->timeout_ms / 4 * 3;
    if (!s->client.last)
        return moment_of_new(drain, s);
    if (!session_listens(s))
        return part_of(s, drain->spread_ms);
    return listeners + part_of(s, drain->timeout_ms - listeners);
}

static bool is_busy_only(const struct session *s)
{
    return s->life.stage == LIFE_LEAVING && !session_has_begun(s) && !barrier_stands(&s->barrier);
}

static void leave(struct session *s, int64_t late_ms)
{
    life_advance(&s->life, LIFE_LEAVING);
    if (session_listens(s) ? session_is_finished(s) : session_at_boundary(s)) {
        session_close(s, CLOSED_DRAINED, "the proxy stops");
        return;
    }
    if (late_ms >= BUSY_MS && is_busy_only(s))
        life_advance(&s->life, LIFE_DRAINING);
    session_update_interest(s);
}

static bool visit(void *data, struct session *s)
{
    const struct session_drain *drain = data;
    int64_t late_ms = turn_now(s->host->turn) - drain->began_ms - session_drain_moment(drain, s);
    if (drain->over)
        session_close(s, CLOSED_DRAINED, "the proxy stops: drain_timeout is over");
    else if (s->host->hands_over && s->move != MOVE_REFUSED && session_is_movable(s))
        return true; /* it goes to another process */
    else if (late_ms >= 0)
        leave(s, late_ms);
    return true;
}

static bool is_over(struct session_drain *drain, const struct session_host *host, int64_t now_ms)
{
    if (drain->over || now_ms - drain->began_ms < drain->timeout_ms)
        return drain->over;
    if (host->count > 0)
        log_event(LOG_WARN, "drain_timeout is over, clients are disconnected", "sessions=%zu",
                  host->count);
    return true;
}

void session_drain_turn(struct session_drain *drain, struct session_host *host)
{
    int64_t now_ms = turn_now(host->turn);
    if (!list_linked(&drain->walk.in_host)) {
        if (now_ms < drain->next_ms)
            return;
        drain->over = is_over(drain, host, now_ms);
        drain->next_ms = now_ms + LOOK_MS;
    }
    turn_renew(host->turn);
    (void)session_walk(&drain->walk, host, visit, drain);
}

void session_close_all(struct session_host *host)
{
    list_each (it, &host->sessions)
        session_close(container_of(it, struct session, in_host), CLOSED_DRAINED, "the proxy stops");
}
