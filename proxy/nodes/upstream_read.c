/*
 * upstream_read: reads what the node sends, and finds out whose it is: the n-th reply is the n-th request's. A reply is
 * passed on in the pieces in which it comes. Three things are kept back: the beginning of an error, until its first
 * word is there; on a tapped upstream a message until it is whole, but for what is a reply for certain; and on a tunnel
 * nothing at all, whose bytes are not even looked at.
 */
#include "nodes/upstream_parts.h"

#include <string.h>

/* Reads of one readable event: after that the others' turn. */
#define READS_PER_EVENT 4
/* An error's first piece holds at least this much of it, or all. */
#define ERROR_HEAD 64
/* What the proxy itself asks for is kept whole; the longest is a list of a node's clients. */
#define OWN_REPLY_MAX ((uint64_t)16 * 1024 * 1024)

static void head_answered(struct upstream *up, struct request *head)
{
    upstream_forget(up, head);
    memset(&up->reply, 0, sizeof(up->reply));
    if (up->window && up->send_at != &up->queue)
        upstream_mark_dirty(up);
}

/* An error is told by its first word: keep its beginning until that is there. */
static bool head_of_error_missing(const struct upstream *up, const char *data, size_t len)
{
    return up->reply.total == 0 && data[0] == '-' && len < ERROR_HEAD && !memchr(data, '\n', len);
}

/* One whole message on a tapped upstream. */
static void tap_message(struct upstream *up, const char *message, size_t len)
{
    struct request *head = upstream_first_sent(up);
    bool first = head && head->reply_type == 0;
    enum tap_verdict verdict = up->tap->message(up->lease_data, head, message, len);
    if (verdict == TAP_PUSH || up->state == UPSTREAM_CLOSED)
        return;
    if (!head) {
        upstream_cut(up, "a reply without a request");
        return;
    }
    if (verdict == TAP_ANSWER)
        head_answered(up, head);
    request_deliver(&up->turn->requests, head, message, len, first, verdict == TAP_ANSWER);
    if (verdict == TAP_ANSWER)
        upstream_close_if_done(up);
}

/* Takes from `data` what belongs to the reply at hand. Returns how much, or 0 when it stops here.
 */
static size_t take_reply(struct upstream *up, const char *data, size_t len)
{
    struct request *head = upstream_first_sent(up);
    bool first = up->reply.total == 0;
    size_t used = 0;
    enum resp_result result;

    if (!head) {
        upstream_cut(up, "a reply without a request");
        return 0;
    }
    if (head_of_error_missing(up, data, len)) {
        buf_append(&up->stash, data, len);
        return 0;
    }
    result = resp_reply_parse(&up->reply, data, len, &used);
    if (result == RESP_ERROR) {
        upstream_cut(up, "the node's reply is not RESP");
        return 0;
    }
    if (result == RESP_DONE) {
        head_answered(up, head);
    } else if (head->own && up->reply.total > OWN_REPLY_MAX) {
        upstream_cut(up, "the node's answer does not end");
        return 0;
    }
    request_deliver(&up->turn->requests, head, data, used, first, result == RESP_DONE);
    if (result == RESP_DONE)
        upstream_close_if_done(up);
    return used;
}

/* The same on a tapped upstream, where messages are kept until they are whole. */
static size_t take_message(struct upstream *up, const char *data, size_t len)
{
    size_t used = 0;
    struct buf message = up->stash;
    enum resp_result result = resp_reply_parse(&up->reply, data, len, &used);
    if (result == RESP_ERROR) {
        upstream_cut(up, "the node's reply is not RESP");
        return 0;
    }
    if (result == RESP_MORE) {
        buf_append(&up->stash, data, used);
        return used;
    }
    memset(&up->reply, 0, sizeof(up->reply));
    if (buf_len(&message) == 0) {
        tap_message(up, data, used);
        return used;
    }
    up->stash = (struct buf){0};
    buf_append(&message, data, used);
    tap_message(up, buf_head(&message), buf_len(&message));
    buf_free(&message);
    return used;
}

static bool is_for_tap(const struct upstream *up, char type)
{
    if (!up->tap)
        return false;
    return up->reply.total > 0 ? buf_len(&up->stash) > 0 : !up->tap->is_reply(up->lease_data, type);
}

static void take(struct upstream *up, const char *data, size_t len)
{
    while (len > 0 && up->state != UPSTREAM_CLOSED) {
        size_t used =
            is_for_tap(up, data[0]) ? take_message(up, data, len) : take_reply(up, data, len);
        if (used == 0)
            return;
        data += used;
        len -= used;
    }
}

static void take_after_stash(struct upstream *up, const char *data, size_t len)
{
    struct buf whole = up->stash;
    if (upstream_is_tunnel(up)) {
        up->tunnel(up->lease_data, data, len);
        return;
    }
    if (up->tap || buf_len(&whole) == 0) {
        take(up, data, len);
        return;
    }
    up->stash = (struct buf){0};
    buf_append(&whole, data, len);
    take(up, buf_head(&whole), buf_len(&whole));
    buf_free(&whole);
}

/* Before Redis shuts down it lets its replicas catch up, pauses writes for that time, and answers what
 * it executed before (prepareForShutdown in server.c). So if such a node has closed the connection in good order,
 * after a whole reply, it executed no write that it has not answered. A reset of the connection proves nothing: it
 * may have overtaken a reply. */
static void reached_end(struct upstream *up, int error)
{
    struct request *head = upstream_first_sent(up);
    if (head && !head->blocking && head->ends < UINT8_MAX)
        head->ends++; /* one that blocks waits for days, and is not why it ends */
    up->ended = true;
    up->undone = error == UV_EOF && !stream_ended_short(&up->stream) && up->reply.total == 0 &&
                 buf_len(&up->stash) == 0 && up->owner->lets_no_write_through(up);
    upstream_broke(up, error);
}

void upstream_read(struct upstream *up)
{
    turn_look(up->turn);
    for (int i = 0; i < READS_PER_EVENT && up->state != UPSTREAM_CLOSED && !up->paused; i++) {
        if (i > 0 && turn_spent(up->turn))
            return; /* the rest is still there in the next turn */
        ssize_t n = stream_read(&up->stream, up->turn->read, sizeof(up->turn->read));
        if (n == 0)
            return;
        if (n < 0) {
            reached_end(up, (int)n);
            return;
        }
        counter_add(&up->traffic->received, (size_t)n);
        counter_add(&up->node_traffic->received, (size_t)n);
        take_after_stash(up, up->turn->read, (size_t)n);
        if ((size_t)n < sizeof(up->turn->read))
            return;
    }
}
