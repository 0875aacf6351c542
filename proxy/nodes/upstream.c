/*
 * upstream: queue, write, match replies. See the header for the life of one.
 *
 *     queue:   [sent] [sent] [partly sent] [unsent] [unsent]
 *               ^head: the next reply is its   ^send_at
 *
 * The send queue is the requests themselves: nothing is copied into an output
 * buffer that would have to be told apart again when the connection dies.
 * Short requests are gathered into one piece of memory for the system call,
 * long ones, and those that hold a secret, are written from where they are.
 */
#include "nodes/upstream.h"

#include "base/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPSTREAM_MAGIC 0x75707374u
/* Reads of one readable event: after that the others' turn. */
#define READS_PER_EVENT 4
#define PARTS_MAX 64
/* Longer requests are written from where they are. */
#define GATHER_MAX 1024
/* An error's first piece holds at least this much of it, or all. */
#define ERROR_HEAD 64

static struct upstream *upstream_of(struct stream *stream)
{
    struct upstream *up = container_of(stream, struct upstream, stream);
    assert(up->magic == UPSTREAM_MAGIC);
    return up;
}

static struct request *queued(struct list *node)
{
    return container_of(node, struct request, in_upstream);
}

static void mark_dirty(struct upstream *up)
{
    if (!list_linked(&up->in_turn))
        list_append(&up->turn->dirty_upstreams, &up->in_turn);
}

static bool is_held_back(const struct upstream *up)
{
    return up->singly && up->state == UPSTREAM_READY && up->send_at != up->queue.next;
}

static void update_want(struct upstream *up)
{
    unsigned want = up->paused ? 0 : STREAM_READABLE;
    if (up->send_at != &up->queue && !list_linked(&up->in_turn) && !is_held_back(up))
        want |= STREAM_WRITABLE;
    stream_want(&up->stream, want);
}

/* ---- writing ---- */

static void enqueue(struct upstream *up, struct request *request)
{
    list_append(&up->queue, &request->in_upstream);
    if (up->send_at == &up->queue) {
        up->send_at = &request->in_upstream;
        up->sent = 0;
    }
    mark_dirty(up);
}

void upstream_submit(struct upstream *up, struct request *request)
{
    assert(up->state != UPSTREAM_CLOSED && !up->retired && request->state == REQUEST_WAITING);
    request_move(request, REQUEST_QUEUED);
    request->upstream = up;
    if (up->state == UPSTREAM_READY)
        enqueue(up, request);
    else
        list_append(&up->pending, &request->in_upstream);
}

void upstream_send_own(struct upstream *up, struct request *request)
{
    request_move(request, REQUEST_QUEUED);
    request->upstream = up;
    enqueue(up, request);
}

/* Fills `parts` with what is to be written, from send_at on. Returns how many there are. */
static int gather(struct upstream *up, struct iovec *parts)
{
    char *gathered = up->turn->gather;
    size_t room = sizeof(up->turn->gather), skip = up->sent;
    int count = 0;
    bool open = false; /* the last part is gathered memory that may grow */

    for (struct list *it = up->send_at; it != &up->queue; it = it->next) {
        struct request *request = queued(it);
        char *data = request->data + skip;
        size_t len = request->len - skip;
        skip = 0;
        if (count > 0 && up->singly && up->state == UPSTREAM_READY)
            break;
        if (len <= GATHER_MAX && !request->secret) {
            if (len > room || (!open && count == PARTS_MAX))
                break;
            memcpy(gathered, data, len);
            if (open)
                parts[count - 1].iov_len += len;
            else
                parts[count++] = (struct iovec){gathered, len};
            gathered += len;
            room -= len;
            open = true;
        } else {
            if (count == PARTS_MAX)
                break;
            parts[count++] = (struct iovec){data, len};
            open = false;
        }
    }
    return count;
}

/* Not before the handshake is over. */
static bool is_tunnel(const struct upstream *up)
{
    return up->tunnel && up->state == UPSTREAM_READY;
}

/* Nobody answers it: it is done when it is written. */
static void written(struct upstream *up, struct request *request)
{
    list_remove(&request->in_upstream);
    request_deliver(&up->turn->requests, request, NULL, 0, true, true);
}

/* The kernel took `taken` bytes: whose were they? */
static void advance(struct upstream *up, size_t taken)
{
    while (taken > 0) {
        struct request *request = queued(up->send_at);
        size_t left = request->len - up->sent;
        request_move(request, REQUEST_SENT);
        if (taken < left) {
            up->sent += taken;
            return;
        }
        taken -= left;
        up->send_at = up->send_at->next;
        up->sent = 0;
        if (is_tunnel(up))
            written(up, request);
    }
}

static size_t parts_len(const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    return len;
}

void upstream_flush(struct upstream *up)
{
    struct iovec parts[PARTS_MAX];
    list_remove(&up->in_turn);
    if (!stream_is_open(&up->stream))
        return;
    while (up->send_at != &up->queue && !is_held_back(up)) {
        int count = gather(up, parts);
        ssize_t taken = stream_write(&up->stream, parts, count);
        if (taken < 0) {
            upstream_cut(up, uv_strerror((int)taken));
            return;
        }
        advance(up, (size_t)taken);
        if ((size_t)taken < parts_len(parts, count))
            break;
    }
    update_want(up);
}

/* ---- reading ---- */

static void head_answered(struct upstream *up, struct request *head)
{
    list_remove(&head->in_upstream);
    memset(&up->reply, 0, sizeof(up->reply));
    if (up->singly && up->send_at != &up->queue)
        mark_dirty(up);
}

static void close_if_done(struct upstream *up)
{
    if (up->retired && upstream_idle(up))
        upstream_close(up, up->why);
}

/* An error is told by its first word: keep its beginning until that is there. */
static bool head_of_error_missing(const struct upstream *up, const char *data, size_t len)
{
    return up->reply.total == 0 && data[0] == '-' && len < ERROR_HEAD && !memchr(data, '\n', len);
}

static struct request *first_sent(struct upstream *up)
{
    if (list_empty(&up->queue) || up->queue.next == up->send_at)
        return NULL;
    return queued(up->queue.next);
}

/* One whole message on a tapped upstream. */
static void tap_message(struct upstream *up, const char *message, size_t len)
{
    struct request *head = first_sent(up);
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
        close_if_done(up);
}

/* Takes from `data` what belongs to the reply at hand. Returns how much, or 0 when it stops here.
 */
static size_t take_reply(struct upstream *up, const char *data, size_t len)
{
    struct request *head = first_sent(up);
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
    if (result == RESP_DONE)
        head_answered(up, head);
    request_deliver(&up->turn->requests, head, data, used, first, result == RESP_DONE);
    if (result == RESP_DONE)
        close_if_done(up);
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
    if (is_tunnel(up)) {
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

/* Redis lets its replicas catch up before it shuts down, pauses writes for that time, and answers what
 * it executed before (prepareForShutdown in server.c). So once it has ended the connection in good order,
 * after a whole reply, what is unanswered was not executed. A reset proves nothing: it
 * may have overtaken a reply. */
static void reached_end(struct upstream *up, int error)
{
    struct request *head = first_sent(up);
    if (head && !head->blocking && head->ends < UINT8_MAX)
        head->ends++; /* one that blocks waits for days, and is not why it ends */
    up->ended = true;
    up->undone = error == UV_EOF && up->reply.total == 0 && buf_len(&up->stash) == 0 &&
                 up->owner->lets_no_write_through(up);
    upstream_cut(up, error == UV_EOF ? "closed by the node" : uv_strerror(error));
}

static void read_replies(struct upstream *up)
{
    for (int i = 0; i < READS_PER_EVENT && up->state != UPSTREAM_CLOSED && !up->paused; i++) {
        ssize_t n = stream_read(&up->stream, up->turn->read, sizeof(up->turn->read));
        if (n == 0)
            return;
        if (n < 0) {
            reached_end(up, (int)n);
            return;
        }
        take_after_stash(up, up->turn->read, (size_t)n);
        if ((size_t)n < sizeof(up->turn->read))
            return;
    }
}

/* ---- life ---- */

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct upstream *up = upstream_of(stream);
    if (error) {
        upstream_cut(up, uv_strerror(error));
        return;
    }
    if (events & STREAM_OPEN) {
        up->owner->on_open(up);
        update_want(up);
        return;
    }
    if (events & (STREAM_READABLE | STREAM_GONE))
        read_replies(up);
    if ((events & STREAM_WRITABLE) && up->state != UPSTREAM_CLOSED)
        mark_dirty(up); /* it is written when the newest snapshot has been seen */
}

static void on_closed(struct stream *stream)
{
    struct upstream *up = upstream_of(stream);
    assert(upstream_idle(up));
    up->magic = 0;
    free(up);
}

struct upstream *upstream_open(struct turn *turn, const struct target *target,
                               struct identity *identity, int64_t timeout_ms,
                               const struct upstream_owner *owner, void *owner_data,
                               const char **error)
{
    struct upstream *up = calloc(1, sizeof(*up));
    int status;
    if (!up)
        abort();
    status = stream_connect(&up->stream, turn->loop, &target->view->address, on_event, on_closed);
    if (status) {
        *error = uv_strerror(status);
        free(up);
        return NULL;
    }
    up->magic = UPSTREAM_MAGIC;
    up->turn = turn;
    up->owner = owner;
    up->owner_data = owner_data;
    list_init(&up->in_pool);
    list_init(&up->in_idle);
    list_init(&up->in_turn);
    list_init(&up->queue);
    list_init(&up->pending);
    up->send_at = &up->queue;
    identity_retain(identity);
    up->identity = identity;
    up->group = target->group;
    up->node = target->node;
    up->tenure = target->view->tenure;
    up->purpose = target->purpose;
    up->deadline_ms = turn_now(turn) + timeout_ms;
    snprintf(up->name, sizeof(up->name), "%s", target->view->name);
    return up;
}

/* ---- the states ---- */

static const struct state_row rows[] = {
    [UPSTREAM_CONNECTING] = {"connecting",
                             STATE_BIT(UPSTREAM_VERIFYING) | STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_VERIFYING] = {"verifying", STATE_BIT(UPSTREAM_ENTERING) | STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_ENTERING] = {"entering", STATE_BIT(UPSTREAM_READY) | STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_READY] = {"ready", STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_CLOSED] = {"closed", 0},
};
static const struct state_table states = STATE_TABLE("upstream", rows);

static void begin_service(struct upstream *up)
{
    struct list *node;
    up->deadline_ms = 0;
    while ((node = list_take(&up->pending)))
        enqueue(up, queued(node));
    up->owner->on_ready(up);
}

/* The only place where the state changes. */
void upstream_enter(struct upstream *up, enum upstream_state state)
{
    state_check(&states, up->state, state);
    up->state = state;
    if (state == UPSTREAM_READY)
        begin_service(up);
}

/* Closes the socket, tells the pool and a lease's holder, then fails what is left. */
static void end(struct upstream *up, const char *why, bool error, enum request_failure unsent_as,
                const char *text)
{
    struct list *node, doomed;
    struct request_pool *requests = &up->turn->requests;
    if (up->state == UPSTREAM_CLOSED)
        return;
    if (why != up->why)
        snprintf(up->why, sizeof(up->why), "%s", why);
    stream_close(&up->stream);
    up->owner->on_cut(up, up->why, error);
    upstream_enter(up, UPSTREAM_CLOSED);
    if (up->on_lost)
        up->on_lost(up->lease_data);
    list_remove(&up->in_pool);
    list_remove(&up->in_idle);
    list_remove(&up->in_turn);
    list_init(&doomed);
    list_splice(&doomed, &up->queue);
    list_splice(&doomed, &up->pending);
    up->send_at = &up->queue;
    buf_free(&up->stash);
    while ((node = list_take(&doomed))) {
        struct request *request = queued(node);
        bool sent = request->state == REQUEST_SENT;
        request_fail(requests, request, sent ? REQUEST_LOST : unsent_as, text);
    }
    identity_release(up->identity);
    up->identity = NULL;
}

void upstream_cut(struct upstream *up, const char *why)
{
    end(up, why, true, REQUEST_UNSENT, NULL);
}

void upstream_close(struct upstream *up, const char *why)
{
    end(up, why, false, REQUEST_UNSENT, NULL);
}

void upstream_refused(struct upstream *up, const char *error_line)
{
    end(up, error_line, false, REQUEST_REFUSED, error_line);
}

void upstream_cut_refused(struct upstream *up, const char *why, bool waits)
{
    up->refused = true;
    up->waits = waits;
    upstream_cut(up, why);
}

void upstream_retire(struct upstream *up, const char *why)
{
    if (up->retired || up->state == UPSTREAM_CLOSED)
        return;
    up->retired = true;
    up->retired_ms = turn_now(up->turn);
    snprintf(up->why, sizeof(up->why), "%s", why);
    upstream_withdraw(up);
    close_if_done(up);
}

bool upstream_idle(const struct upstream *up)
{
    return list_empty(&up->queue) && list_empty(&up->pending);
}

bool upstream_has_write(const struct upstream *up)
{
    for (const struct list *it = up->queue.next; it != &up->queue; it = it->next) {
        const struct request *request = container_of(it, struct request, in_upstream);
        if (request->write && request->state == REQUEST_SENT)
            return true;
    }
    return false;
}

/* ---- taking back ---- */

void upstream_withdraw(struct upstream *up)
{
    struct list *node, back;
    if (up->state == UPSTREAM_CLOSED)
        return;
    list_init(&back);
    list_splice(&back, &up->pending);
    if (up->state == UPSTREAM_READY) {
        struct list *it = up->send_at;
        if (it != &up->queue && up->sent > 0)
            it = it->next;
        while (it != &up->queue) {
            struct list *next = it->next;
            if (it == up->send_at)
                up->send_at = &up->queue;
            list_remove(it);
            list_append(&back, it);
            it = next;
        }
    }
    while ((node = list_take(&back)))
        request_fail(&up->turn->requests, queued(node), REQUEST_UNSENT, NULL);
}

void upstream_unqueue(struct upstream *up, struct request *request)
{
    assert(request->state == REQUEST_QUEUED && request->upstream == up);
    if (up->send_at == &request->in_upstream)
        up->send_at = request->in_upstream.next;
    list_remove(&request->in_upstream);
    request->upstream = NULL;
    request_move(request, REQUEST_WAITING);
}

/* A read before a write of its own session has to stay: elsewhere it would see that write. */
static bool may_leave(const struct upstream *up, const struct request *request)
{
    if (!request->owner || request->write)
        return false;
    for (struct list *it = request->in_upstream.next; it != &up->queue; it = it->next) {
        const struct request *later = container_of(it, struct request, in_upstream);
        if (later->write && later->owner_data == request->owner_data)
            return false;
    }
    return true;
}

void upstream_evict_reads(struct upstream *up, const void *except_owner_data)
{
    struct list *it = up->queue.next;
    if (it == up->send_at || it == &up->queue)
        return;
    it = it->next; /* the head's reply is on its way */
    while (it != up->send_at && it != &up->queue) {
        struct list *next = it->next;
        struct request *request = queued(it);
        if (request->owner_data != except_owner_data && may_leave(up, request)) {
            struct request *ghost = request_new(&up->turn->requests, 0);
            request_move(ghost, REQUEST_QUEUED);
            request_move(ghost, REQUEST_SENT);
            ghost->upstream = up;
            list_insert_before(it, &ghost->in_upstream);
            list_remove(it);
            request_fail(&up->turn->requests, request, REQUEST_LOST, NULL);
        }
        it = next;
    }
}

void upstream_pause(struct upstream *up, bool paused)
{
    if (up->paused == paused || up->state == UPSTREAM_CLOSED)
        return;
    up->paused = paused;
    if (stream_is_open(&up->stream))
        update_want(up);
}

void upstream_set_tunnel(struct upstream *up, upstream_bytes *tunnel)
{
    up->tunnel = tunnel;
}

void upstream_set_tap(struct upstream *up, const struct upstream_tap *tap)
{
    assert(up->reply.total == 0);
    up->tap = tap;
}
