/* large: see the header. */
#include "session/large.h"

#include "nodes/router.h"
#include "nodes/upstream.h"

#include "session/lease.h"
#include "session/send.h"

/* This long, others' requests do not wait for the rest of it. */
#define HUGE_REPLY ((size_t)4 * 1024 * 1024)

#define LARGE_MS 60000
#define SUSPECT_MS 10000

/* Sessions of a worker that have a lease for this; beyond, the one that has had it longest shares again. */
#define LARGE_MAX 256
/* And those that were suspected for the first time. */
#define SUSPECTS_MAX 16

static void let_share(struct session *s)
{
    session_forget_large(s);
    lease_let(&s->lease, LEASE_LARGE);
    if (s->queue.inflight == 0)
        session_lease_settle(s);
}

static struct session *first_of(struct session_host *host)
{
    return container_of(host->large.next, struct session, lease.in_large);
}

static void set_apart(struct session *s, bool suspected)
{
    struct session_host *host = s->host;
    bool was = list_linked(&s->lease.in_large);
    if (was && suspected)
        return;
    session_forget_large(s);
    if (host->large_count >= LARGE_MAX)
        let_share(first_of(host));
    host->large_count++;
    list_append(&host->large, &s->lease.in_large);
    s->lease.suspected = suspected;
    s->lease.large_until_ms = turn_now(host->turn) + (suspected ? SUSPECT_MS : LARGE_MS);
    lease_keep(&s->lease, LEASE_LARGE);
}

void session_forget_large(struct session *s)
{
    if (!list_linked(&s->lease.in_large))
        return;
    list_remove(&s->lease.in_large);
    s->host->large_count--;
}

/* What a session of the split port reads of a replica, it reads of a connection that carries reads only; its lease
 * would be the master's. */
static bool shares_with_writes(const struct session *s, const struct upstream *up)
{
    return s->place.route != ROUTE_SPLIT ||
           (upstream_purpose(up) == PURPOSE_MASTER && up != s->lease.upstream);
}

static void learn(struct session *s, const struct session_request *r)
{
    large_keys_learn(&s->host->large_keys, r, turn_now(s->host->turn));
}

void session_large_reply(struct session *s, struct session_request *r, struct upstream *up)
{
    if (!r->large) {
        r->large = true;
        learn(s, r);
        if (shares_with_writes(s, up))
            set_apart(s, false);
    }
    if (r->reply_len > HUGE_REPLY)
        upstream_unshare(up, s, "a reply is very large");
}

void session_large_answered(struct session *s, const struct session_request *r)
{
    if (s->host->large_keys && r->reply_len <= LARGE_REPLY && !r->in_tx)
        large_keys_forget(s->host->large_keys, r);
}

bool session_asks_large(const struct session *s, const struct session_request *r)
{
    return large_keys_find(s->host->large_keys, r) &&
           (s->place.route != ROUTE_SPLIT || session_target_role(s, r) == TARGET_MASTER);
}

/* The node ended it of its own accord, while it was master, or a replica, as before. */
static bool is_strange_end(const struct session *s, const struct upstream *up)
{
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    return upstream_is_ended(up) && !upstream_is_undone(up) && view && view->writable &&
           !view->settling;
}

/* Within a minute, and not for a switch that has begun since. */
static bool lost_before(const struct session *s, int64_t now)
{
    int64_t lost_ms = s->lease.lost_ms;
    return lost_ms && lost_ms > s->host->hold_ms && now - lost_ms < LARGE_MS;
}

void session_suspect(struct session *s, const struct session_request *r)
{
    int64_t now = turn_now(s->host->turn);
    if (!is_strange_end(s, r->upstream))
        return;
    if (r->leased) {
        if (r->ends > 0 && !r->write)
            learn(s, r);
        return;
    }
    if (!shares_with_writes(s, r->upstream))
        return;
    if (lost_before(s, now) || (!r->write && s->host->large_count < SUSPECTS_MAX))
        set_apart(s, true);
    s->lease.lost_ms = now;
}

void session_look_at_large(struct session_host *host, int64_t now_ms)
{
    large_keys_expire(&host->large_keys, now_ms);
    list_each (it, &host->large) {
        struct session *s = container_of(it, struct session, lease.in_large);
        if (s->lease.large_until_ms <= now_ms)
            let_share(s);
    }
}

void session_acquit_suspects(struct session_host *host, size_t group)
{
    host->hold_ms = turn_now(host->turn);
    list_each (it, &host->large) {
        struct session *s = container_of(it, struct session, lease.in_large);
        if (s->lease.suspected && s->place.group == group)
            let_share(s);
    }
}
