/*
 * ended: a node has ended the lease of a session that hears messages there (subscriptions, MONITOR,
 * CLIENT TRACKING). If that is a part of a switch, or the node is gone, the session goes on elsewhere and its
 * client need not know. If the node stays in office (its client-output-buffer-limit, CLIENT KILL, timeout),
 * messages are lost that nobody would tell of: the client is disconnected, as it would be directly.
 *
 * The end of the connection may arrive before the news: Sentinel kills clients as it changes a node's role,
 * and a process that dies closes all its connections at once. So it is waited for what the probes say:
 * a node whose process or role is another has another tenure; one that is silent is suspect after 500 ms.
 * Whatever speaks for a switch decides at once, and nothing within WAIT_MS against it. Until then nobody's
 * messages wait for this session's subscriptions (gate.h): one slow subscriber is no reason to stop publishers.
 */
#include "session/ended.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/lease.h"
#include "session/life.h"

/* Longer than a probe needs to find a node silent. */
#define WAIT_MS 700

void session_doubt(struct session *s, const struct upstream *lease)
{
    s->lease.ended = (struct ended){.node = upstream_node(lease),
                                    .tenure = upstream_tenure(lease),
                                    .purpose = upstream_purpose(lease),
                                    .at_ms = turn_now(s->host->turn)};
    if (!session_doubts(s) &&
        router_node_is_unchanged(s->host->router, s->place.group, &s->lease.ended))
        list_append(&s->host->doubted, &s->lease.in_doubted);
}

/* What has come by then is the client's. */
static void end_as_its_node_did(struct session *s)
{
    life_advance(&s->life, LIFE_SAID_ALL);
    session_count_disconnected(s, "its node has ended its connection, and is in office");
    session_mark_dirty(s);
}

void session_judge_ended(struct session_host *host, int64_t now_ms)
{
    list_each (it, &host->doubted) {
        struct session *s = container_of(it, struct session, lease.in_doubted);
        bool in_office = router_node_is_unchanged(host->router, s->place.group, &s->lease.ended);
        if (in_office && now_ms - s->lease.ended.at_ms < WAIT_MS)
            continue;
        list_remove(&s->lease.in_doubted);
        if (in_office) {
            end_as_its_node_did(s);
        } else {
            session_lease_dropped(s);
            session_mark_woken(s);
        }
    }
}
