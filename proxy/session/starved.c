/* starved: see the header. */
#include "session/starved.h"

#include "session/budget.h"
#include "session/interest.h"
#include "session/life.h"

/* A client whose large request may come while others' may not, has so long for it; if nothing of it has come for that
 * time it is disconnected. */
#define GROWING_MS 5000

void session_feed_starved(struct session_host *host)
{
    struct list *node, all;
    if (session_look_at_budget(host))
        return;
    list_init(&all);
    list_splice(&all, &host->starved);
    while ((node = list_take(&all)))
        session_update_interest(container_of(node, struct session, client.in_starved));
}

/* The first that waits for nothing but the rest of its request may have it. */
static void let_one_grow(struct session_host *host, int64_t now_ms)
{
    list_each (it, &host->starved) {
        struct session *s = container_of(it, struct session, client.in_starved);
        if (!s->client.partial || s->queue.count > 0)
            continue;
        host->growing = s;
        host->growing_since_ms = now_ms;
        session_update_interest(s);
        return;
    }
}

void session_look_at_starved(struct session_host *host, int64_t now_ms)
{
    struct session *s = host->growing;
    session_feed_starved(host);
    if (list_empty(&host->starved) || (s && now_ms - host->growing_since_ms < GROWING_MS))
        return;
    host->growing = NULL;
    let_one_grow(host, now_ms);
    if (s && now_ms - s->client.read_ms >= GROWING_MS)
        session_disconnect(s, CLOSED_LIMIT, "its request does not come to its end: request_memory");
    else if (s)
        session_update_interest(s);
}
