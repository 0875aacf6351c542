/* subscriptions: see the header. */
#include "commands/subscriptions.h"

#include "nodes/router.h"
#include "session/lease.h"
#include "session/life.h"

#include <stdlib.h>
#include <string.h>

void subscriptions_add(struct session *s, enum kind kind, struct slice name)
{
    struct subscription *sub;
    if (!s->special.subs && !(s->special.subs = calloc(1, sizeof(*s->special.subs))))
        abort();
    lease_keep(&s->lease, LEASE_SUBSCRIBED);
    HASH_FIND(hh, s->special.subs->of[kind], name.data, name.len, sub);
    if (sub)
        return;
    sub = calloc(1, sizeof(*sub) + name.len);
    if (!sub)
        abort();
    sub->len = name.len;
    memcpy(sub->name, name.data, name.len);
    HASH_ADD(hh, s->special.subs->of[kind], name, name.len, sub);
}

/* The session's subscriptions stand again, or nobody wants them any more. */
static void mark_renewed(struct session *s)
{
    if (s->special.unrenewed)
        router_subscriber_renewed(s->host->router, s->place.group);
    s->special.unrenewed = false;
}

void subscriptions_mark_lost(struct session *s)
{
    if (s->special.unrenewed || life_closing(&s->life))
        return;
    s->special.unrenewed = true;
    router_subscriber_lost(s->host->router, s->place.group);
}

bool subscriptions_are_asked(const struct session_request *r)
{
    return r->command && r->command->verb >= VERB_SUBSCRIBE && r->command->verb <= VERB_SSUBSCRIBE;
}

void subscriptions_check(struct session *s)
{
    if (!s->special.unrenewed || s->special.renewing > 0 || session_wants_lease(s))
        return;
    for (const struct list *it = s->queue.requests.next; it != &s->queue.requests; it = it->next) {
        const struct session_request *r = session_const_request(it);
        if (r->state != REQUEST_ANSWERED && subscriptions_are_asked(r))
            return;
    }
    mark_renewed(s);
}

static void drop_if_empty(struct session *s)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (s->special.subs->of[kind])
            return;
    free(s->special.subs);
    s->special.subs = NULL;
    lease_let(&s->lease, LEASE_SUBSCRIBED);
    /* The session keeps its connection. Perhaps it subscribes again, and then must not have to wait for a new one:
     * Celery subscribes to the message about a result while it asks, over another connection, whether the result is
     * there already. With a subscription that comes late it would learn of it in neither way. */
    lease_keep(&s->lease, LEASE_CHANGED);
    s->lease.dirty = true;
    subscriptions_check(s);
}

void subscriptions_remove(struct session *s, enum kind kind, struct slice name)
{
    struct subscription *sub = NULL;
    if (!s->special.subs || !name.data)
        return;
    HASH_FIND(hh, s->special.subs->of[kind], name.data, name.len, sub);
    if (sub) {
        HASH_DEL(s->special.subs->of[kind], sub);
        free(sub);
    }
    drop_if_empty(s);
}

void subscriptions_forget(struct session *s)
{
    struct subscription *sub, *next;
    mark_renewed(s);
    if (!s->special.subs)
        return;
    for (int kind = 0; kind < KINDS; kind++) {
        HASH_ITER (hh, s->special.subs->of[kind], sub, next) {
            HASH_DEL(s->special.subs->of[kind], sub);
            free(sub);
        }
    }
    free(s->special.subs);
    s->special.subs = NULL;
    lease_let(&s->lease, LEASE_SUBSCRIBED);
}
