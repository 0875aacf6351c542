/*
 * scan: SCAN, HSCAN, SSCAN and ZSCAN. A client asks for one page after the other, each time with the cursor that the
 * last page brought, until the cursor is 0. A cursor means something only to the Redis process that made it: another
 * one would go on at a wrong place, and leave keys out without a word. Behind a proxy the next page may well come to
 * another node: over another session, another worker, another proxy, or after a switch.
 *
 * So the cursors that clients get also say which process they are of (nodes/cursor.h), and the request for the next
 * page goes to that process, while it serves the session's route. When it does not any more, the iteration begins
 * again elsewhere. SCAN's guarantee allows that: what was there all the time is returned, some of it twice. No key is
 * left out in silence (tests/system/test_scan.c). There are two cases:
 *
 *     it is known before the request is sent    the node is asked with cursor 0
 *     it is seen in the answer                  the client gets an empty page, whose cursor begins again
 *
 * The second case is that of a request that may not go elsewhere (the session has a connection of its own, or is in
 * a transaction), and of a process that was restarted and nobody had seen it. The answers inside EXEC are rewritten
 * in the same way. What a script returns is not: it keeps the node's own cursors, which are for scripts alone.
 */
#include "commands/scan.h"

#include "base/log.h"
#include "nodes/cursor.h"
#include "nodes/process.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/leasing.h"
#include "session/requests.h"
#include "session/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- asking ---- */

static void set_cursor(struct session *s, struct session_request *r, uint64_t at)
{
    struct buf whole = {0};
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, at);
    resp_append_replaced(&whole, (struct slice){r->data, r->len},
                         command_has_keys(r->command) ? 2 : 1, (struct slice){text, (size_t)len});
    session_rewrite(s, r, &whole);
    buf_free(&whole);
}

void scan_seen(struct session *s, struct session_request *r)
{
    struct cursor cursor;
    if (!cursor_read(session_arg(r, command_has_keys(r->command) ? 2 : 1), &cursor))
        return;
    r->cursor_of = cursor.process;
    set_cursor(s, r, cursor.at);
}

static void log_restart(const struct session *s, const struct upstream *to)
{
    log_event(LOG_DEBUG, "an iteration begins again",
              "session=%" PRIu64 " node=%s reason=\"the process that its cursor is of does not "
              "serve it any more\"",
              s->id, upstream_name(to));
}

/* Whether the page may be sent on another connection than the session's own. */
static bool may_go_elsewhere(const struct session *s)
{
    return s->tx.state != TX_OPEN && !(session_subscribed(s) && !s->identity->resp3);
}

/* Sends it where the session's route says; from the beginning, if that is another process than the cursor's. */
static enum step send_shared(struct session *s, struct session_request *r)
{
    struct router *router = s->host->router;
    struct upstream *up = router_shared(router, &s->place, session_target_role(s, r), s->identity);
    uint32_t process;
    if (!up)
        return STEP_HOLD;
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    process = process_of(router, up);
    if (r->cursor_of && process && process != r->cursor_of) {
        log_restart(s, up);
        set_cursor(s, r, 0);
        r->cursor_of = 0;
    }
    session_send(s, r, up);
    return STEP_ON;
}

enum step scan_route(struct session *s, struct session_request *r)
{
    struct router *router = s->host->router;
    bool leased = session_needs_lease(s, r);
    struct upstream *up = NULL;
    if (leased && !s->lease.upstream) {
        if (s->queue.inflight > 0)
            return STEP_WAIT;
        if (!session_take_lease(s))
            return STEP_HOLD;
    }
    if (r->cursor_of && may_go_elsewhere(s) &&
        !(s->lease.upstream && process_of(router, s->lease.upstream) == r->cursor_of)) {
        up = router_shared_of(router, &s->place, r->cursor_of, s->identity);
        if (!up && s->place.entry != ENTRY_NONE)
            return STEP_HOLD;
    }
    if (!up)
        return leased ? session_send_on_lease(s, r) : send_shared(s, r);
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    session_send(s, r, up);
    return STEP_ON;
}

/* Before it, the node is asked which process it is (INFO server), so that the answer is known to come from that one.
 * Inside a transaction the question would be queued, and to a subscriber's lease messages come as well: there the
 * snapshot of the topology has to do. */
void scan_sending(struct session *s, struct session_request *r, struct upstream *to)
{
    (void)r;
    if (s->tx.state != TX_OPEN && !session_subscribed(s))
        process_ask(session_pool(s), to);
}

/* ---- answers ---- */

void scan_begins(struct session *s, struct session_request *r, const struct upstream *from)
{
    struct buf whole = {0};
    enum page page = cursor_page((struct slice){buf_head(&r->reply), buf_len(&r->reply)},
                                 r->cursor_of, process_of(s->host->router, from), &whole);
    r->page_begins = page == PAGE_PART;
    if (page != PAGE_MINE && page != PAGE_LOST)
        return;
    buf_free(&r->reply);
    r->reply = whole;
    r->page_lost = page == PAGE_LOST;
    if (r->page_lost)
        log_restart(s, from);
}

/* Moves the element of one queued command from EXEC's answer, `rest`, to `out`, with its cursor rewritten. Returns
 * false when there is no element left. */
static bool take_element(const struct session_request *queued, uint32_t process, struct slice *rest,
                         struct buf *out)
{
    struct resp_reply parse;
    struct slice element = {rest->data, 0};
    memset(&parse, 0, sizeof(parse));
    if (queued->command->verb == VERB_MULTI || queued->reply_type == '-')
        return true; /* it has no element in the answer */
    if (resp_reply_parse(&parse, rest->data, rest->len, &element.len) != RESP_DONE)
        return false;
    *rest = (struct slice){rest->data + element.len, rest->len - element.len};
    if (queued->command->verb == VERB_SCAN) {
        enum page page = cursor_page(element, queued->cursor_of, process, out);
        if (page == PAGE_MINE || page == PAGE_LOST)
            return true;
    }
    buf_append(out, element.data, element.len);
    return true;
}

void scan_executed(struct session *s, struct session_request *exec, const struct upstream *from)
{
    const char *reply = buf_head(&exec->reply);
    size_t len = buf_len(&exec->reply);
    const char *line = memchr(reply, '\n', len);
    uint32_t process = process_of(s->host->router, from);
    struct slice rest = {line ? line + 1 : reply + len,
                         line ? len - (size_t)(line + 1 - reply) : 0};
    struct buf whole = {0};
    bool more = true;
    if (exec->reply_type != '*')
        return;
    buf_append(&whole, reply, (size_t)(rest.data - reply));
    list_each (it, &s->tx.log)
        more = more && take_element(session_request(it), process, &rest, &whole);
    for (struct list *it = s->queue.requests.next; more && it != &exec->in_session; it = it->next) {
        const struct session_request *r = session_request(it);
        more = !r->in_tx || take_element(r, process, &rest, &whole);
    }
    buf_append(&whole, rest.data, rest.len);
    buf_free(&exec->reply);
    exec->reply = whole;
}
