/*
 * session_kept: what a session told its node about its connection and keeps: CLIENT TRACKING,
 * NO-EVICT, NO-TOUCH. The session keeps its lease for it, and tells the next lease the same, before
 * anything else goes there.
 *
 * Tracking (client-side caching): what the client has cached was tracked by the node that is gone, so
 * it, or who gets its messages (session_redirect.c), is told to forget all of it, as Redis does after
 * FLUSHALL.
 */
#include "traffic/session_state.h"

#include <stdlib.h>
#include <string.h>

enum kind { TRACKING, NO_EVICT, NO_TOUCH, KINDS };

struct kept {
    struct buf of[KINDS]; /* the commands as the client sent them; empty: not in effect */
    uint64_t redirect;    /* TRACKING's REDIRECT: the id of one of our sessions; 0: none */
    uint64_t at_node;     /* its id at the node that is to be told */
};

uint64_t session_redirects_to(const struct session *s)
{
    return s->kept ? s->kept->redirect : 0;
}

bool session_tracks_for_itself(const struct session *s)
{
    return session_redirects_to(s) == s->id;
}

bool session_is_kept_verb(uint8_t verb)
{
    return verb >= VERB_CLIENT_TRACKING && verb <= VERB_CLIENT_NO_TOUCH;
}

static enum kind kind_of(const struct request *r)
{
    return (enum kind)(r->command->verb - VERB_CLIENT_TRACKING);
}

bool session_tracks(const struct session *s)
{
    return s->kept && buf_len(&s->kept->of[TRACKING]) > 0;
}

void session_forget_kept(struct session *s)
{
    if (!s->kept)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        buf_free(&s->kept->of[kind]);
    free(s->kept);
    s->kept = NULL;
}

/* ---- telling the node ---- */

enum step session_prepare_kept(struct session *s, struct request *r)
{
    if (s->tx == TX_OPEN) {
        s->sticky = true; /* it comes into effect with EXEC, unseen */
        return STEP_ON;
    }
    if (r->command->verb != VERB_CLIENT_TRACKING)
        return STEP_ON;
    if (!session_tap_lease(s))
        return STEP_WAIT;
    s->redirecting = 0;
    return session_redirect(s, r);
}

void session_kept_answered(struct session *s, struct request *r)
{
    enum kind kind = kind_of(r);
    bool on = slice_is(session_arg(r, 2), "on");
    s->lease_dirty = true;
    if (r->reply_type != '+')
        return;
    if (!s->kept && !(s->kept = calloc(1, sizeof(*s->kept))))
        abort();
    buf_free(&s->kept->of[kind]);
    if (on)
        buf_append(&s->kept->of[kind], r->data, r->len);
    if (kind == TRACKING)
        s->kept->redirect = on ? s->redirecting : 0;
    for (int i = 0; i < KINDS; i++)
        if (buf_len(&s->kept->of[i]) > 0)
            return;
    session_forget_kept(s);
}

/* ---- another lease ---- */

static void on_told(struct request *r, const char *data, size_t len, bool first, bool last)
{
    struct session *s = r->owner_data;
    (void)data;
    (void)len;
    (void)first;
    if (last)
        request_free(&s->host->turn->requests, r);
}

static void on_untold(struct request *r, enum request_failure why, const char *text)
{
    struct session *s = r->owner_data;
    (void)text;
    request_free(&s->host->turn->requests, r);
    if (s->closing)
        return;
    if (why == REQUEST_REFUSED)
        session_close(s, "its user was refused after a switch"); /* so would the next lease be */
    else if (why == REQUEST_UNSENT)
        session_lease_drop(s); /* this one will never hear of it */
    session_mark_woken(s);
}

static const struct request_owner told_owner = {on_told, on_untold};

static void send_again(struct session *s, enum kind kind, uint64_t redirect)
{
    const struct buf *kept = &s->kept->of[kind];
    struct buf bytes = {0};
    struct request *r;
    if (buf_len(kept) == 0)
        return;
    if (redirect)
        session_append_redirect(&bytes, (struct slice){buf_head(kept), buf_len(kept)}, redirect);
    else
        buf_append(&bytes, buf_head(kept), buf_len(kept));
    r = request_new(&s->host->turn->requests, buf_len(&bytes));
    request_set_bytes(r, buf_head(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    r->owner = &told_owner;
    r->owner_data = s;
    upstream_submit(s->lease, r);
}

bool session_kept_ready(struct session *s)
{
    if (!session_redirects_to(s) || session_tracks_for_itself(s))
        return true; /* its own id at the node is known when it has the lease */
    switch (session_find_redirected(s, s->kept->redirect, &s->kept->at_node)) {
    case FOUND_NOT_YET:
        return false;
    case FOUND_NOBODY:
        session_forget_kept(s); /* nobody to tell any more, or they would wait for each other */
        break;
    case FOUND:
        break;
    }
    return true;
}

void session_restore_kept(struct session *s)
{
    s->lease_dirty = true;
    if (session_tracks_for_itself(s))
        s->kept->at_node = upstream_client_id(s->lease);
    for (int kind = 0; kind < KINDS; kind++)
        send_again(s, (enum kind)kind, kind == TRACKING ? s->kept->at_node : 0);
}

void session_kept_lost(struct session *s)
{
    if (session_tracks(s) && s->kept->redirect)
        session_invalidate_redirected(s, s->kept->redirect);
    else if (session_tracks(s))
        session_invalidate(s);
}
