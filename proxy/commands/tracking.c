/*
 * tracking: CLIENT TRACKING, NO-EVICT, NO-TOUCH and IMPORT-SOURCE (Valkey 8.1). With them a client tells its node something about
 * its connection, which stays so until it says otherwise or the connection ends. So a session that has sent one of
 * them keeps its lease, remembers the command, and sends it to the next lease again, before anything else goes there.
 *
 * With TRACKING (client-side caching) the node remembers which keys the client has cached, and sends an invalidation
 * when one of them changes. With the lease this memory is lost. Then the client, or the one that gets its
 * invalidations (redirect.c), is told to forget everything that it has cached, as Redis tells it after FLUSHALL.
 */
#include "commands/tracking.h"

#include "commands/pubsub.h"
#include "commands/redirect.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/lease.h"
#include "session/life.h"
#include "session/requests.h"

#include <stdlib.h>
#include <string.h>

enum kind { TRACKING, NO_EVICT, NO_TOUCH, IMPORT_SOURCE, KINDS }; /* in the order of their verbs */

/* What the node was told. */
struct told {
    struct buf of[KINDS]; /* the commands as the client sent them; empty: not in effect */
    uint64_t
        at_node; /* REDIRECT: the id of the other session's lease at the node that is to be told */
};

static bool redirects_to_itself(const struct session *s)
{
    return s->special.redirects_to == s->id;
}

static enum kind kind_of(const struct session_request *r)
{
    return (enum kind)(r->command->verb - VERB_CLIENT_TRACKING);
}

static void forget_commands(struct session *s)
{
    if (!s->special.told)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        buf_free(&s->special.told->of[kind]);
    free(s->special.told);
    s->special.told = NULL;
    lease_let(&s->lease, LEASE_TRACKS | LEASE_TOLD);
    s->special.redirects_to = 0;
}

/* ---- telling the node ---- */

enum step tracking_prepare(struct session *s, struct session_request *r)
{
    if (s->tx.state == TX_OPEN) {
        lease_keep(&s->lease, LEASE_CHANGED); /* it takes effect with EXEC, and is not remembered */
        return STEP_ON;
    }
    if (r->command->verb != VERB_CLIENT_TRACKING)
        return STEP_ON;
    if (!pubsub_tap_lease(s))
        return STEP_WAIT;
    s->special.redirecting = 0;
    return redirect_prepare(s, r);
}

void tracking_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    enum kind kind = kind_of(r);
    bool on = slice_is(session_arg(r, 2), "on");
    if (from != s->lease.upstream || r->in_tx)
        return;
    s->lease.dirty = true;
    if (r->reply_type != '+')
        return;
    if (!s->special.told && !(s->special.told = calloc(1, sizeof(*s->special.told))))
        abort();
    lease_keep(&s->lease, LEASE_TOLD);
    buf_free(&s->special.told->of[kind]);
    if (on)
        buf_append(&s->special.told->of[kind], r->data, r->len);
    if (kind == TRACKING) {
        lease_keep_if(&s->lease, LEASE_TRACKS, on);
        s->special.redirects_to = on ? s->special.redirecting : 0;
    }
    for (int i = 0; i < KINDS; i++)
        if (buf_len(&s->special.told->of[i]) > 0)
            return;
    forget_commands(s);
}

/* ---- another lease ---- */

static void on_tell_reply(struct request *r, const char *data, size_t len, bool first, bool last)
{
    struct session *s = r->owner_data;
    (void)data;
    (void)len;
    (void)first;
    if (last)
        request_free(session_pool(s), r);
}

static void on_tell_failed(struct request *r, enum request_failure why, const char *text)
{
    struct session *s = r->owner_data;
    (void)text;
    request_free(session_pool(s), r);
    if (life_closing(&s->life))
        return;
    if (why == REQUEST_REFUSED)
        session_close(
            s, CLOSED_ENTRY,
            "its user was refused after a switch"); /* the next lease would be refused, too */
    else if (why == REQUEST_UNSENT)
        session_lease_drop(s); /* the command was not sent there: the next lease is told */
    session_mark_woken(s);
}

static const struct request_owner tell_owner = {on_tell_reply, on_tell_failed, NULL};

static void tell_again(struct session *s, enum kind kind, uint64_t redirect)
{
    const struct buf *kept = &s->special.told->of[kind];
    struct buf bytes = {0};
    struct slice command;
    if (buf_len(kept) == 0)
        return;
    command = (struct slice){buf_head(kept), buf_len(kept)};
    if (redirect) {
        redirect_append(&bytes, command, redirect);
        command = (struct slice){buf_head(&bytes), buf_len(&bytes)};
    }
    session_tell_lease(s, command, &tell_owner);
    buf_free(&bytes);
}

static bool ready(struct session *s)
{
    if (!s->special.redirects_to || redirects_to_itself(s))
        return true; /* the id of its own lease is known when it has one */
    switch (redirect_find(s, s->special.redirects_to, &s->special.told->at_node)) {
    case FOUND_NOT_YET:
        return false;
    case FOUND_NOBODY:
        forget_commands(
            s); /* nobody is there to be told, or the two sessions would wait for each other */
        break;
    case FOUND:
        break;
    }
    return true;
}

/* A lease's id at its node is known only when it is READY: until then the lease is parked (pool_park()). */
static bool granted(struct session *s)
{
    return !redirects_to_itself(s) || !router_park(s->lease.upstream);
}

void tracking_tell_again(struct session *s)
{
    s->lease.dirty = true;
    if (redirects_to_itself(s))
        s->special.told->at_node = upstream_client_id(s->lease.upstream);
    for (int kind = 0; kind < KINDS; kind++)
        tell_again(s, (enum kind)kind, kind == TRACKING ? s->special.told->at_node : 0);
}

static void tell(struct session *s)
{
    if (s->special.told)
        tracking_tell_again(s);
}

/* The lease is gone: no node tracks any more what the client has cached. */
static void lost(struct session *s)
{
    if (lease_kept_for(&s->lease, LEASE_TRACKS) && s->special.redirects_to)
        redirect_invalidate_target(s, s->special.redirects_to);
    else if (lease_kept_for(&s->lease, LEASE_TRACKS))
        redirect_invalidate(s);
}

static void forget(struct session *s)
{
    forget_commands(s);
    redirect_forget(s);
}

/* ---- to another process ---- */

/* As the client sent them: with the id of a session behind REDIRECT, not that of a connection at the node. */
static void pack(const struct session *s, struct buf *out)
{
    for (int kind = 0; s->special.told && kind < KINDS; kind++) {
        struct slice command = buf_slice(&s->special.told->of[kind]);
        if (command.len > 0 && kind == TRACKING && s->special.redirects_to)
            redirect_append(out, command, s->special.redirects_to);
        else if (command.len > 0)
            buf_append(out, command.data, command.len);
    }
}

static bool unpack(struct session *s, struct slice command)
{
    struct slice word = resp_arg(command.data, command.len, 1);
    static const char *const of_kind[KINDS] = {"tracking", "no-evict", "no-touch", "import-source"};
    int kind = 0;
    while (word.data && kind < KINDS && !slice_is(word, of_kind[kind]))
        kind++;
    if (!word.data || kind == KINDS ||
        !slice_is(resp_arg(command.data, command.len, 0), "client") ||
        !slice_is(resp_arg(command.data, command.len, 2), "on"))
        return false;
    if (!s->special.told && !(s->special.told = calloc(1, sizeof(*s->special.told))))
        abort();
    buf_free(&s->special.told->of[kind]);
    buf_append(&s->special.told->of[kind], command.data, command.len);
    lease_keep(&s->lease, LEASE_TOLD | (kind == TRACKING ? LEASE_TRACKS : 0));
    if (kind == TRACKING)
        s->special.redirects_to = redirect_named(command);
    return true;
}

const struct carried tracking_carried = {.ready = ready,
                                         .granted = granted,
                                         .tell = tell,
                                         .lost = lost,
                                         .forget = forget,
                                         .pack = pack,
                                         .unpack = unpack};

/* ---- CLIENT GETREDIR, TRACKINGINFO ---- */

enum step tracking_redir_prepare(struct session *s, struct session_request *r)
{
    (void)s;
    r->capture = true;
    return STEP_ON;
}
