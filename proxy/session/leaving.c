/* leaving: see the header. */
#include "session/leaving.h"

#include "base/log.h"
#include "nodes/router.h"
#include "nodes/turn.h"
#include "session/boundary.h"
#include "session/client.h"
#include "session/input.h"
#include "session/interest.h"
#include "session/life.h"

static bool may_stay(const struct session *s, const struct traffic_options *options)
{
    const struct traffic_listener_options *now =
        traffic_listener_at(options, &s->listener->address);
    return now && now->group == s->listener->group && !now->tls == !s->listener->tls;
}

static void let_go(struct session *s, int64_t until_ms)
{
    if (s->leaves_ms)
        return;
    s->leaves_ms = until_ms;
    life_advance(&s->life, LIFE_LEAVING);
    if (session_listens(s) ? session_is_finished(s) : session_at_boundary(s))
        session_close(s, CLOSED_DRAINED, "its listener is not configured any more");
    else
        session_update_interest(s);
}

void session_host_reload(struct session_host *host, const struct traffic_options *options)
{
    int64_t until_ms = turn_now(host->turn) + options->drain_timeout_ms;
    size_t before = host->count, leaving = 0;
    host->options = options;
    host->slowlog_ms = options->slowlog_ms;
    host->request_share = options->request_memory / options->workers;
    router_reload(host->router, options);
    list_each (it, &host->sessions) {
        struct session *s = container_of(it, struct session, in_host);
        if (may_stay(s, options))
            continue;
        leaving += !s->leaves_ms;
        let_go(s, until_ms);
        if (!host->leaves_ms || until_ms < host->leaves_ms)
            host->leaves_ms = until_ms;
    }
    if (leaving)
        log_event(LOG_INFO, "sessions of listeners that are not configured any more are let go",
                  "worker=%zu sessions=%zu ended=%zu", host->stop.number, leaving,
                  before - host->count);
}

void session_look_at_leaving(struct session_host *host, int64_t now_ms)
{
    int64_t next = 0;
    if (!host->leaves_ms || now_ms < host->leaves_ms)
        return;
    list_each (it, &host->sessions) {
        struct session *s = container_of(it, struct session, in_host);
        if (!s->leaves_ms)
            continue;
        if (s->leaves_ms <= now_ms)
            session_disconnect(
                s, CLOSED_DRAINED,
                "its listener is not configured any more, and drain_timeout is over");
        else if (!next || s->leaves_ms < next)
            next = s->leaves_ms;
    }
    host->leaves_ms = next;
}
