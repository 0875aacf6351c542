/* replay: see the header. */
#include "session/replay.h"

#include "session/client.h"
#include "session/lease.h"
#include "session/replies.h"
#include "session/requests.h"
#include "session/transaction.h"

/* The answers were given long ago. What goes wrong now, EXEC will tell. */
static void on_copy_reply(struct request *copy, const char *data, size_t len, bool first, bool last)
{
    struct session *s = copy->owner_data;
    if (first && session_is_switch_error(data, len))
        s->tx.rejected = true;
    if (last)
        request_free(session_pool(s), copy);
}

static void on_copy_failed(struct request *copy, enum request_failure why, const char *text)
{
    struct session *s = copy->owner_data;
    (void)text;
    request_free(session_pool(s), copy);
    if (life_closing(&s->life) || why != REQUEST_UNSENT || list_empty(&s->tx.log))
        return;
    session_lease_drop(s); /* a part is missing there: all of it goes on the next one */
    session_tx_again(s);
    session_mark_woken(s);
}

static const struct request_owner copy_owner = {on_copy_reply, on_copy_failed, NULL};

void session_tx_replay(struct session *s)
{
    session_deliver(s); /* what is answered is part of it */
    for (struct list *it = s->tx.log.next; it != &s->tx.log; it = it->next) {
        const struct session_request *r = session_request(it);
        session_tell_lease(s, (struct slice){r->data, r->len}, &copy_owner);
        counter_add(&session_group_counters(s)->retries[RETRY_LEASE], 1);
        /* AUTH and kin: with EXEC they change the connection, which is nobody else's then. */
        if (session_keeps_lease(r))
            lease_keep(&s->lease, LEASE_CHANGED);
    }
    s->tx.lost = false;
    s->tx.confirmed = true;
}
