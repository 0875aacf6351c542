/*
 * wait: WAIT and WAITAOF. Redis answers how many replicas (and disks) have everything that the same connection wrote
 * before: it remembers for each connection the replication offset of its last write. Behind the proxy the session's
 * writes went over shared connections, and the lease on which WAIT is sent has written nothing. So the lease is sent
 * something before that sets its offset to the present end of the replication stream:
 *
 *     PING                          before Redis 7.2 every command sets it
 *     SPUBLISH redisproxy:wait ""   since then only what is replicated does; nobody is subscribed to it
 *
 * A user who may not SPUBLISH there is told so: any number would be a guess.
 */
#include "commands/wait.h"

#include "session/lease.h"
#include "session/requests.h"

#include <string.h>

/* SPUBLISH was refused: the lease does not count the session's writes. In the words in which Redis 7.0 refuses a
 * command it does no harm, for there the PING was enough. */
static void on_mark_reply(struct request *mark, const char *data, size_t len, bool first, bool last)
{
    struct session *s = mark->owner_data;
    if (first)
        s->special.wait_unreliable = resp_starts(data, len, "-NOPERM ") &&
                                     !resp_starts(data, len, "-NOPERM this user has no ");
    if (last)
        request_free(session_pool(s), mark);
}

static void on_mark_failed(struct request *mark, enum request_failure why, const char *text)
{
    struct session *s = mark->owner_data;
    (void)why;
    (void)text;
    request_free(session_pool(s), mark);
}

static const struct request_owner mark_owner = {on_mark_reply, on_mark_failed, NULL};

enum step wait_prepare(struct session *s, struct session_request *r)
{
    static const struct slice ping[] = {{"Ping", 4}};
    static const struct slice publish[] = {{"Spublish", 8}, {"redisproxy:wait", 15}, {"", 0}};
    if (s->tx.state == TX_OPEN || !s->special.wrote || s->listener->multiplexing == MULTIPLEXING_NO)
        return STEP_ON; /* it is only queued; or there is nothing to count; or all writes went on this connection */
    session_tell_lease_words(s, 1, ping, NULL);
    session_tell_lease_words(s, 3, publish, &mark_owner);
    r->capture = true;
    return STEP_ON;
}

void wait_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    (void)from;
    if (r->capture && s->special.wait_unreliable && r->reply_type != '-')
        session_settle(s, r,
                       "-NOPERM redisproxy: WAIT and WAITAOF need the permissions +spublish and "
                       "&redisproxy:wait\r\n");
}
