/*
 * session_kept: what a session told its node about its connection and keeps: CLIENT TRACKING,
 * NO-EVICT, NO-TOUCH. The session keeps its lease for it, and tells the next lease the same, before
 * anything else goes there.
 *
 * Tracking (client-side caching): what the client has cached was tracked by the node that is gone, so
 * it is told to forget all of it, as Redis does after FLUSHALL.
 */
#include "traffic/session_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TRACKING, NO_EVICT, NO_TOUCH, KINDS };

struct kept {
    struct buf of[KINDS]; /* the commands as the client sent them; empty: not in effect */
    uint64_t redirect;    /* TRACKING's REDIRECT: the id of one of our sessions; 0: none */
};

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

/* ---- REDIRECT ---- */

/* Where the id stands among the arguments of CLIENT TRACKING; 0: nowhere. */
static int redirect_argument(const struct request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct slice arg;
    for (int i = 0; resp_args_next(&args, &arg) && i + 1 < r->argc; i++)
        if (i > 2 && slice_is(arg, "redirect"))
            return i + 1;
    return 0;
}

/* The node's id of the session that gets the messages. It needs a connection of its own for that.
 * 0: not yet. */
static uint64_t redirected_to(struct session *s, struct session *to)
{
    if (!to->lease) {
        to->place.replica = to->place.replica ? to->place.replica : s->place.replica;
        if (!session_take_lease(to))
            return 0;
        to->sticky = true;
    }
    (void)session_tap_lease(to); /* what it gets it did not ask for */
    return router_client_id(to->lease);
}

/* Appends the command with its argument `at` (0: none) replaced by the id. */
static void append_with_id(struct buf *out, const char *bytes, size_t len, int at, uint64_t id)
{
    struct resp_args args = resp_args(bytes, len);
    struct slice arg;
    char text[24];
    size_t text_len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, id);
    buf_printf(out, "*%d\r\n", args.left);
    for (int number = 0; resp_args_next(&args, &arg); number++) {
        if (at && number == at)
            arg = (struct slice){text, text_len};
        buf_printf(out, "$%zu\r\n", arg.len);
        buf_append(out, arg.data, arg.len);
        buf_append(out, "\r\n", 2);
    }
}

/* Our ids become the node's. Returns STEP_HOLD while the other session has no connection yet. */
static enum step translate(struct session *s, struct request *r)
{
    int at = redirect_argument(r);
    int64_t number;
    if (!at || !resp_parse_integer(session_arg(r, at), &number))
        return STEP_ON;
    struct session *to = session_find(s->host, (uint64_t)number);
    if (!to || to == s || (to->kept && to->kept->redirect))
        return STEP_ON; /* Redis will say that there is no such client */
    uint64_t id = redirected_to(s, to);
    if (!id)
        return STEP_HOLD;
    struct buf bytes = {0};
    append_with_id(&bytes, r->data, r->len, at, id);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
    s->redirecting = to->id;
    return STEP_ON;
}

static struct session *target(const struct session *s)
{
    return s->kept->redirect ? session_find(s->host, s->kept->redirect) : NULL;
}

uint64_t session_redirects_to(const struct session *s)
{
    return s->kept ? s->kept->redirect : 0;
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
    return translate(s, r);
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
    int at = 0;
    if (buf_len(kept) == 0)
        return;
    for (int i = 3; redirect && !at; i++)
        if (slice_is(resp_arg(buf_head(kept), buf_len(kept), i), "redirect"))
            at = i + 1;
    append_with_id(&bytes, buf_head(kept), buf_len(kept), at, redirect);
    r = request_new(&s->host->turn->requests, buf_len(&bytes));
    request_set_bytes(r, buf_head(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    r->owner = &told_owner;
    r->owner_data = s;
    router_send(s->lease, r);
}

bool session_kept_ready(struct session *s)
{
    if (!s->kept || !s->kept->redirect)
        return true;
    struct session *to = target(s);
    if (to && !(to->kept && to->kept->redirect))
        return redirected_to(s, to) != 0;
    session_forget_kept(
        s); /* there is nobody to tell any more, or they would wait for each other */
    return true;
}

void session_restore_kept(struct session *s)
{
    struct session *to = target(s);
    uint64_t id = to && to->lease ? router_client_id(to->lease) : 0;
    s->lease_dirty = true;
    for (int kind = 0; kind < KINDS; kind++)
        send_again(s, (enum kind)kind, kind == TRACKING ? id : 0);
}

void session_kept_lost(struct session *s)
{
    static const char push[] = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
    static const char message[] = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
    struct session *to = s;
    if (!session_tracks(s))
        return;
    if (s->kept->redirect)
        to = target(s);
    if (!to || to->closing)
        return;
    if (to->identity->resp3)
        session_pass_on(to, push, sizeof(push) - 1);
    else if (session_hears_invalidations(to))
        session_pass_on(to, message, sizeof(message) - 1);
}

/* CLIENT GETREDIR and TRACKINGINFO tell the node's id of the other session: it becomes ours. */
void session_rewrite_redirect(struct session *s, struct request *r)
{
    const char *reply = buf_head(&r->reply), *end = reply + buf_len(&r->reply), *at = reply;
    struct buf whole = {0};
    if (!s->kept || !s->kept->redirect)
        return;
    if (*reply != ':') {
        at = memmem(reply, buf_len(&r->reply), "$8\r\nredirect\r\n:", 15);
        if (!at)
            return;
        at += 14;
    }
    buf_append(&whole, reply, (size_t)(at - reply));
    buf_printf(&whole, ":%" PRIu64, s->kept->redirect);
    while (at < end && *at != '\r')
        at++;
    buf_append(&whole, at, (size_t)(end - at));
    buf_free(&r->reply);
    r->reply = whole;
}
