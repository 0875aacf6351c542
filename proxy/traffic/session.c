/*
 * session: the connection's side. Bytes are read into the turn's memory and
 * framed there; a request that is whole is copied into an object of its own, a
 * request that is not moves into one (struct partial) and grows there, a large
 * payload being read straight into its place. So an idle session owns no buffer.
 *
 * `closing` is terminal: session_close() lets go of everything at once, the
 * memory goes in the stream's last callback.
 */
#include "traffic/session_state.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A client may be this far ahead of its replies before it is not read any more. */
#define AHEAD_REQUESTS 2048
#define AHEAD_BYTES ((size_t)1024 * 1024)
/* A payload with more than this missing is read straight into its request. */
#define DIRECT_MIN 16384
#define READS_PER_EVENT 2
/* A request that is not whole may become AUTH, as long as it is no longer than this: its bytes are wiped
 * wherever they were. Redis takes 16 KB from a client that has to log in. */
#define SECRET_MAX ((size_t)32 * 1024)

struct partial {
    struct request *request;
    struct resp_request parse;
};

static struct session *session_of(struct stream *stream)
{
    struct session *s = container_of(stream, struct session, stream);
    assert(s->magic == SESSION_MAGIC);
    return s;
}

static struct request_pool *pool_of(struct session *s)
{
    return &s->host->turn->requests;
}

void session_mark_dirty(struct session *s)
{
    if (!list_linked(&s->in_dirty))
        list_append(&s->host->turn->dirty_sessions, &s->in_dirty);
}

void session_mark_woken(struct session *s)
{
    if (!list_linked(&s->in_woken) && !s->closing)
        list_append(&s->host->turn->woken, &s->in_woken);
}

/* ---- whether to read ---- */

static bool wants_to_read(const struct session *s)
{
    return !s->eof && !s->last_words && !s->draining && s->count < AHEAD_REQUESTS &&
           s->waiting_bytes < AHEAD_BYTES && buf_len(&s->out) < s->host->options->output_high;
}

/* The one place that decides. Whoever makes one of the reasons go away (a reply delivered, bytes
 * written) comes by here through session_flush(). */
void session_update_interest(struct session *s)
{
    unsigned want = wants_to_read(s) ? STREAM_READABLE : 0;
    if (buf_len(&s->out) > 0 && !list_linked(&s->in_dirty))
        want |= STREAM_WRITABLE;
    stream_want(&s->stream, want);
}

/* ---- requests ---- */

static void fatal_error(struct session *s, const char *error)
{
    struct request *r = request_new(pool_of(s), 0);
    char reply[320];
    snprintf(reply, sizeof(reply), "-ERR %s\r\n", error);
    r->close_after = true;
    session_add(s, r);
    if (s->closing)
        return;
    if (r->state == REQUEST_WAITING) /* a full hold has answered it otherwise */
        session_answer(s, r, reply);
    s->last_words = true;
    session_deliver(s);
}

static bool is_secret(const struct command *command)
{
    return command && (command->verb == VERB_AUTH || command->verb == VERB_HELLO);
}

static void identify(struct request *r, const struct resp_request *parse)
{
    struct slice name = {r->data + parse->name_at, parse->name_len};
    struct slice sub = {r->data + parse->sub_at, parse->argc > 1 ? parse->sub_len : 0};
    r->argc = parse->argc;
    r->command = command_find(name, sub);
    r->secret = is_secret(r->command);
}

static void accept_multibulk(struct session *s, struct request *r, const struct resp_request *parse)
{
    identify(r, parse);
    session_add(s, r);
}

static void accept_inline(struct session *s, char *line, size_t len)
{
    struct buf whole = {0};
    struct resp_request parse;
    int argc = resp_inline_to_multibulk(line, len, &whole);
    if (argc > 0) {
        struct request *r = request_new(pool_of(s), buf_len(&whole));
        memset(&parse, 0, sizeof(parse));
        if (resp_request_parse(&parse, buf_head(&whole), buf_len(&whole)) != RESP_DONE)
            abort(); /* we wrote it */
        request_set_bytes(r, buf_head(&whole), buf_len(&whole));
        identify(r, &parse);
        if (r->secret)
            explicit_bzero(line, len);
        session_add(s, r);
    } else if (argc < 0) {
        fatal_error(s, "Protocol error: unbalanced quotes in request");
    }
    buf_wipe(&whole);
}

/* The request that begins at data is whole. */
static void accept_request(struct session *s, char *data, const struct resp_request *parse)
{
    struct request *r;
    if (parse->argc == 0 && !parse->is_inline)
        return;
    if (parse->is_inline) {
        accept_inline(s, data, parse->pos);
        return;
    }
    r = request_new(pool_of(s), parse->pos);
    request_set_bytes(r, data, parse->pos);
    identify(r, parse);
    if (r->secret)
        explicit_bzero(data, parse->pos);
    session_add(s, r);
}

static bool too_large(struct session *s, size_t len)
{
    char text[128];
    if (len <= s->host->options->request_max)
        return false;
    snprintf(text, sizeof(text), "redisproxy: the request is larger than request_max (%zu bytes)",
             s->host->options->request_max);
    fatal_error(s, text);
    return true;
}

static void keep_partial(struct session *s, const struct resp_request *parse, char *data,
                         size_t len)
{
    struct partial *partial;
    if (too_large(s, len + resp_request_missing(parse, len)))
        return;
    partial = malloc(sizeof(*partial));
    if (!partial)
        abort();
    partial->parse = *parse;
    partial->request = request_new(pool_of(s), len);
    request_set_bytes(partial->request, data, len);
    partial->request->secret = len <= SECRET_MAX;
    if (partial->request->secret)
        explicit_bzero(data, len);
    s->partial = partial;
}

/* The partial request became whole: `extra` bytes behind it are somebody else's. */
static void finish_partial(struct session *s)
{
    struct partial *partial = s->partial;
    struct request *r = partial->request;
    s->partial = NULL;
    r->len = partial->parse.pos;
    if (partial->parse.argc == 0 || partial->parse.is_inline) {
        if (partial->parse.is_inline)
            accept_inline(s, r->data, r->len);
        r->secret = true;
        request_free(pool_of(s), r);
    } else {
        accept_multibulk(s, r, &partial->parse);
    }
    free(partial);
}

/* Looks at what the partial request has now. Returns its length if it is whole, otherwise 0. */
static size_t frame_partial(struct session *s)
{
    struct partial *partial = s->partial;
    struct request *r = partial->request;
    char error[160];
    size_t len;
    switch (resp_request_parse(&partial->parse, r->data, r->len)) {
    case RESP_DONE:
        len = partial->parse.pos;
        finish_partial(s);
        return len;
    case RESP_MORE:
        (void)too_large(s, r->len + resp_request_missing(&partial->parse, r->len));
        return 0;
    case RESP_ERROR:
        break;
    }
    snprintf(error, sizeof(error), "%s", partial->parse.error);
    fatal_error(s, error);
    return 0;
}

/* Room for `more` bytes, growing in steps that keep the copying linear. */
static void grow_partial(struct request *r, size_t more)
{
    size_t cap = r->len + more;
    if (cap <= r->cap)
        return;
    r->secret = r->len <= SECRET_MAX;
    request_reserve(r, cap < r->cap * 2 ? r->cap * 2 : cap);
}

/* Returns how many of the bytes belong to the partial request. */
static size_t feed_partial(struct session *s, char *data, size_t len)
{
    struct request *r = s->partial->request;
    size_t before = r->len, whole, taken;
    bool secret = r->secret;
    grow_partial(r, len);
    memcpy(r->data + r->len, data, len);
    r->len += len;
    whole = frame_partial(s);
    taken = whole ? whole - before : len;
    if (secret)
        explicit_bzero(data, taken);
    return taken;
}

static void feed(struct session *s, char *data, size_t len)
{
    struct resp_request parse;
    if (s->tunnel) {
        session_tunnel_feed(s, data, len);
        return;
    }
    if (s->partial) {
        size_t used = feed_partial(s, data, len);
        data += used;
        len -= used;
    }
    while (len > 0 && !s->last_words && !s->closing) {
        memset(&parse, 0, offsetof(struct resp_request, error_text));
        switch (resp_request_parse(&parse, data, len)) {
        case RESP_DONE:
            accept_request(s, data, &parse);
            data += parse.pos;
            len -= parse.pos;
            break;
        case RESP_MORE:
            keep_partial(s, &parse, data, len);
            return;
        case RESP_ERROR:
            fatal_error(s, parse.error);
            return;
        }
    }
}

/* ---- reading ---- */

static bool finished(const struct session *s)
{
    return s->count == 0 && buf_len(&s->out) == 0;
}

static void on_end(struct session *s, ssize_t status)
{
    if (status != UV_EOF) {
        session_close(s, uv_strerror((int)status));
        return;
    }
    s->eof = true;
    /* A blocked command would pop an item for nobody; a held one would be done after its client
     * gave up and came back (decision 3). What is on its way is still answered: a client may have
     * closed only its sending side. */
    if (finished(s) || s->blocked || hold_waits(&s->held) || session_subscribed(s) ||
        s->monitoring || s->tunnel)
        session_close(s, "the client closed the connection");
    else
        session_update_interest(s);
}

/* Reads more of a large payload into its place. Returns false when there is none. */
static bool read_direct(struct session *s, ssize_t *n)
{
    struct request *r;
    size_t missing, room;
    if (!s->partial)
        return false;
    r = s->partial->request;
    missing = resp_request_missing(&s->partial->parse, r->len);
    if (missing < DIRECT_MIN)
        return false;
    room = missing < AHEAD_BYTES ? missing : AHEAD_BYTES;
    grow_partial(r, room);
    if (room < r->cap - r->len)
        room = missing < r->cap - r->len ? missing : r->cap - r->len;
    *n = stream_read(&s->stream, r->data + r->len, room);
    if (*n > 0) {
        r->len += (size_t)*n;
        (void)frame_partial(s);
    }
    return true;
}

static void read_requests(struct session *s)
{
    struct turn *turn = s->host->turn;
    s->read_ms = turn_now(turn);
    for (int i = 0; i < READS_PER_EVENT && !s->closing && wants_to_read(s); i++) {
        ssize_t n;
        bool direct = read_direct(s, &n);
        if (!direct) {
            n = stream_read(&s->stream, turn->read, sizeof(turn->read));
            if (n > 0)
                feed(s, turn->read, (size_t)n);
        }
        if (s->closing || n == 0)
            break;
        if (n < 0) {
            session_dispatch(s);
            if (!s->closing)
                on_end(s, n);
            return;
        }
        if (!direct && (size_t)n < sizeof(turn->read))
            break;
    }
    if (!s->closing)
        session_dispatch(s);
    if (!s->closing)
        session_update_interest(s);
}

/* ---- writing ---- */

void session_put(struct session *s, const char *bytes, size_t len)
{
    if (!s->out.data)
        buf_take(&s->out, &s->host->turn->stock);
    buf_append(&s->out, bytes, len);
    session_mark_dirty(s);
}

/* The client took that much. */
static void took(struct session *s, size_t len)
{
    if (len == buf_len(&s->out))
        buf_put(&s->out, &s->host->turn->stock);
    else
        buf_consume(&s->out, len);
}

void session_flush(struct session *s)
{
    list_remove(&s->in_dirty);
    if (s->closing)
        return;
    if (buf_len(&s->out) > 0) {
        struct iovec part = {buf_head(&s->out), buf_len(&s->out)};
        ssize_t n = stream_write(&s->stream, &part, 1);
        if (n < 0) {
            session_close(s, uv_strerror((int)n));
            return;
        }
        took(s, (size_t)n);
    }
    if (s->paused && buf_len(&s->out) < s->host->options->output_high / 2) {
        router_resume(s->paused);
        s->paused = NULL;
    }
    session_resume_early(s);
    if (s->said_all && buf_len(&s->out) == 0)
        session_close(s, "the client quit");
    else if (finished(s) && (s->last_words || s->eof || s->draining))
        session_close(s, s->draining ? "the proxy stops" : "done");
    else
        session_update_interest(s);
}

void session_flush_dirty(struct list *dirty)
{
    struct list *node;
    while ((node = dirty->next) != dirty)
        session_flush(container_of(node, struct session, in_dirty));
}

/* ---- life ---- */

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct session *s = session_of(stream);
    (void)error; /* only connecting fails here, and a session is accepted */
    if ((events & STREAM_WRITABLE) && !s->closing)
        session_flush(s);
    if ((events & STREAM_READABLE) && !s->closing) {
        if (events & STREAM_GONE && !wants_to_read(s))
            session_close(s, "the client's connection broke");
        else
            read_requests(s);
    } else if ((events & STREAM_GONE) && !s->closing) {
        s->gone = true;
        if (hold_waits(&s->held) || s->blocked)
            session_close(s, "the client closed the connection");
    }
}

static void on_closed(struct stream *stream)
{
    struct session *s = session_of(stream);
    s->magic = 0;
    free(s);
}

int session_open(struct session_host *host, const struct traffic_listener_options *listener, int fd,
                 uint64_t id)
{
    struct session *s = calloc(1, sizeof(*s));
    int status;
    if (!s)
        abort();
    status = stream_accept(&s->stream, host->turn->loop, fd, on_event, on_closed);
    if (status) {
        free(s);
        return status;
    }
    s->magic = SESSION_MAGIC;
    s->host = host;
    s->listener = listener;
    s->id = id;
    s->opened_ms = s->read_ms = turn_now(host->turn);
    s->place = (struct place){.group = listener->group, .route = listener->route};
    s->identity = identity_nobody(router_identities(host->router));
    list_init(&s->requests);
    list_init(&s->tx_log);
    s->tx_logged = true;
    list_init(&s->in_woken);
    list_init(&s->in_dirty);
    held_init(&s->held);
    list_append(&host->sessions, &s->in_host);
    host->count++;
    session_update_interest(s);
    return 0;
}

/* A request loses its session: it is taken back if no byte of it was sent, swallowed otherwise. */
static void abandon(struct session *s, struct request *r)
{
    list_remove(&r->in_session);
    if (r->fan)
        session_forget_fan(r);
    if (r->state == REQUEST_QUEUED)
        router_take_back(r);
    if (r->state == REQUEST_SENT)
        r->owner = NULL;
    else
        request_free(pool_of(s), r);
}

void session_close(struct session *s, const char *why)
{
    struct list *node;
    if (s->closing)
        return;
    s->closing = true;
    if (log_enabled(LOG_DEBUG)) {
        char quoted[200];
        log_event(LOG_DEBUG, "a session ended", "session=%" PRIu64 " reason=%s", s->id,
                  log_quote(quoted, sizeof(quoted), why));
    }
    stream_close(&s->stream);
    hold_leave(&s->held);
    list_remove(&s->in_woken);
    list_remove(&s->in_dirty);
    list_remove(&s->in_host);
    s->host->count--;
    while ((node = s->requests.next) != &s->requests)
        abandon(s, container_of(node, struct request, in_session));
    if (s->paused)
        router_resume(s->paused);
    if (s->early)
        router_resume(s->early);
    session_lease_drop(s);
    session_forget_kept(s);
    session_forget_redirection(s);
    session_forget_subscriptions(s);
    session_tx_forget(s);
    if (s->question)
        learn_cancel(s->question);
    if (s->asking)
        s->asking->owner = NULL;
    if (s->partial) {
        request_free(pool_of(s), s->partial->request);
        free(s->partial);
    }
    router_leave_replica(s->host->router, &s->place);
    identity_release(s->identity);
    buf_free(&s->out);
    free(s->name);
    free(s->hello_name);
}

void session_stuck(void *data, void *session)
{
    struct session *s = session;
    (void)data;
    if (!s)
        return;
    assert(s->magic == SESSION_MAGIC);
    log_event(LOG_WARN, "a client is disconnected",
              "session=%" PRIu64 " reason=\"it does not read a large reply, and others wait\"",
              s->id);
    session_close(s, "it does not read a large reply, and others wait");
}

void session_drain_all(struct session_host *host, bool now)
{
    list_each (it, &host->sessions) {
        struct session *s = container_of(it, struct session, in_host);
        bool unfinished = s->count > 0 || buf_len(&s->out) > 0;
        s->draining = true;
        if (now || !unfinished)
            session_close(s, "the proxy stops");
        else
            session_update_interest(s);
    }
}
