/*
 * read: what a client sends. Bytes are read into the turn's memory and
 * framed there; a request that is whole is copied into an object of its own, a
 * request that is not moves into one (struct partial) and grows there, a large
 * payload being read straight into its place. So an idle session owns no buffer.
 */
#include "session/read.h"

#include "base/log.h"
#include "base/memory.h"
#include "session/budget.h"
#include "session/client.h"
#include "session/dispatch.h"
#include "session/held.h"
#include "session/held_partial.h"
#include "session/input.h"
#include "session/interest.h"
#include "session/life.h"
#include "session/login_bound.h"
#include "session/protocol_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A payload's bytes are read into its place in pieces of at most this. */
#define DIRECT_MAX ((size_t)1024 * 1024)

/* A payload with more than this missing is read straight into its request. */
#define DIRECT_MIN 16384

#define READS_PER_EVENT 8

/* Of the head of a request, and of its short arguments, so much is looked at at once. */
#define HEAD_PIECE ((size_t)128)

/* Small enough that the requests in it do not fill a turn, however short they are. */
#define READ_MAX ((size_t)16 * 1024)

/* What a system call is worth of a turn (turn_took()). */
#define READ_STEPS 4

/* Who sends so much at once may fill the memory for requests within one turn. */
#define LOOK_MIN 512

/* A request that is not whole may become AUTH, as long as it is no longer than this: its bytes are wiped
 * wherever they were. Redis takes 16 KB from a client that has to log in. */
#define SECRET_MAX ((size_t)32 * 1024)

/* ---- requests ---- */

static bool is_secret(const struct command *command)
{
    return command && (command->verb == VERB_AUTH || command->verb == VERB_HELLO);
}

static void identify(struct session_request *r, const struct resp_request *parse)
{
    struct slice name = {r->data + parse->name_at, parse->name_len};
    struct slice sub = {r->data + parse->sub_at, parse->argc > 1 ? parse->sub_len : 0};
    r->argc = parse->argc;
    r->command = command_find(name, sub);
    r->secret = is_secret(r->command);
}

static void accept_multibulk(struct session *s, struct session_request *r,
                             const struct resp_request *parse)
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
        struct session_request *r = session_request_new(session_pool(s), buf_len(&whole));
        memset(&parse, 0, sizeof(parse));
        if (resp_request_parse(&parse, buf_head(&whole), buf_len(&whole)) != RESP_DONE)
            abort(); /* we wrote it */
        request_set_bytes(&r->wire, buf_head(&whole), buf_len(&whole));
        identify(r, &parse);
        if (r->secret)
            explicit_bzero(line, len);
        session_add(s, r);
    } else if (argc == 0 && s->special.tunnel) {
        s->special.tunnel->alive(s);
    } else if (argc < 0) {
        session_protocol_error(s, "Protocol error: unbalanced quotes in request");
    }
    buf_wipe(&whole);
}

/* There is no memory for so much: that is the end of this client, and of nobody else. */
__attribute__((noinline, cold)) static void no_memory(struct session *s, size_t len)
{
    char text[96];
    snprintf(text, sizeof(text), "redisproxy: no memory for a request of %zu bytes", len);
    log_event(LOG_ERROR, "no memory for a client's request", "client=%" PRIu64 " bytes=%zu", s->id,
              len);
    session_protocol_error(s, text);
}

/* The request that begins at data is whole. */
static void accept_request(struct session *s, char *data, const struct resp_request *parse)
{
    struct session_request *r;
    if (parse->argc == 0 && !parse->is_inline)
        return;
    if (parse->is_inline) {
        accept_inline(s, data, parse->pos);
        return;
    }
    if (!session_within_login_bound(s, parse) && !session_takes_request(s, data, parse))
        return;
    r = session_request_try_new(session_pool(s), parse->pos);
    if (!r) {
        no_memory(s, parse->pos);
        return;
    }
    request_set_bytes(&r->wire, data, parse->pos);
    identify(r, parse);
    if (r->secret)
        explicit_bzero(data, parse->pos);
    session_add(s, r);
}

__attribute__((noinline, cold)) static void say_too_large(struct session *s)
{
    char text[128];
    snprintf(text, sizeof(text), "redisproxy: the request is larger than request_max (%zu bytes)",
             s->host->options->request_max);
    session_protocol_error(s, text);
}

static bool too_large(struct session *s, size_t len)
{
    if (len <= s->host->options->request_max)
        return false;
    say_too_large(s);
    return true;
}

__attribute__((noinline)) static void
keep_partial(struct session *s, const struct resp_request *parse, char *data, size_t len)
{
    struct partial *partial;
    struct session_request *request;
    if (too_large(s, len + resp_request_missing(parse, len)))
        return;
    request = session_request_try_new(session_pool(s), len);
    if (!request) {
        no_memory(s, len);
        return;
    }
    partial = malloc(sizeof(*partial));
    if (!partial)
        out_of_memory(sizeof(*partial));
    partial->parse = *parse;
    partial->request = request;
    partial->held_since_ms = 0;
    partial->skipped = false;
    request_set_bytes(&request->wire, data, len);
    request->secret = len <= SECRET_MAX;
    if (request->secret)
        explicit_bzero(data, len);
    s->client.partial = partial;
    partial->charged = 0;
    session_charge_partial(s);
    session_judge_partial(s);
}

/* The partial request became whole: `extra` bytes behind it are somebody else's. */
static void finish_partial(struct session *s)
{
    struct partial *partial = s->client.partial;
    struct session_request *r = partial->request;
    session_unhold_partial(s);
    session_discharge_partial(s);
    s->client.partial = NULL;
    r->len = partial->parse.pos;
    if (s->host->growing == s)
        s->host->growing = NULL;
    if (partial->parse.argc == 0 || partial->parse.is_inline) {
        if (partial->parse.is_inline)
            accept_inline(s, r->data, r->len);
        r->secret = true;
        session_request_free(session_pool(s), r);
    } else if (partial->skipped) {
        r->len = 0;
        session_add_refused(s, r);
    } else {
        accept_multibulk(s, r, &partial->parse);
    }
    free(partial);
}

/* Looks at what the partial request has now. Returns its length if it is whole, otherwise 0. */
static size_t frame_partial(struct session *s)
{
    struct partial *partial = s->client.partial;
    struct session_request *r = partial->request;
    char error[160];
    size_t len;
    switch (resp_request_parse(&partial->parse, r->data, r->len)) {
    case RESP_DONE:
        len = partial->parse.pos;
        finish_partial(s);
        return len;
    case RESP_MORE:
        if (partial->skipped)
            session_drop_passed(s);
        else if (!too_large(s, r->len + resp_request_missing(&partial->parse, r->len)))
            session_judge_partial(s);
        return 0;
    case RESP_ERROR:
        break;
    }
    snprintf(error, sizeof(error), "%s", partial->parse.error);
    session_protocol_error(s, error);
    return 0;
}

/* Room for `more` bytes, growing in steps that keep the copying linear, as long as there is memory for that. Returns
 * false when there is not even so much: the session has got its last words. */
static bool grow_partial(struct session *s, struct session_request *r, size_t more)
{
    size_t cap = r->len + more;
    if (cap <= r->cap)
        return true;
    r->secret = r->len <= SECRET_MAX;
    if (request_try_reserve(&r->wire, cap < r->cap * 2 ? r->cap * 2 : cap) ||
        request_try_reserve(&r->wire, cap)) {
        session_charge_partial(s);
        return true;
    }
    no_memory(s, cap);
    return false;
}

/* How many of `len` bytes the partial request gets at once: what it lacks for certain, so that it takes no memory for what
 * belongs to the next ones. */
static size_t piece_of(const struct partial *partial, size_t len)
{
    size_t missing = resp_request_missing(&partial->parse, partial->request->len);
    size_t piece = missing > HEAD_PIECE ? missing : HEAD_PIECE;
    return piece < len ? piece : len;
}

/* Returns how many of the bytes belong to the partial request. */
__attribute__((noinline)) static size_t feed_partial(struct session *s, char *data, size_t len)
{
    struct session_request *r = s->client.partial->request;
    size_t before = r->len, whole, taken;
    bool secret = r->secret;
    if (s->client.partial->skipped && session_skip_payload(s, len))
        return len;
    if (!grow_partial(s, r, len))
        return len;
    memcpy(r->data + r->len, data, len);
    r->len += len;
    whole = frame_partial(s);
    taken = whole ? whole - before : len;
    if (secret)
        explicit_bzero(data, taken);
    return taken;
}

/* What may not become requests yet is kept as bytes: the client has not logged in, and may not be further ahead; or the
 * worker has too many requests, of which short ones cost far more than their bytes. */
__attribute__((noinline, cold)) static void wait_with_the_rest(struct session *s, char *data,
                                                               size_t len)
{
    bool kept = session_put_input_back(s, data, len);
    explicit_bzero(data, len);
    if (!kept)
        no_memory(s, len);
}

void session_feed(struct session *s, char *data, size_t len)
{
    struct resp_request parse;
    bool spent = len >= LOOK_MIN && session_look_at_budget(s->host);
    while (s->client.partial && len > 0 && life_frames(&s->life)) {
        size_t used = feed_partial(s, data, piece_of(s->client.partial, len));
        data += used;
        len -= used;
    }
    while (len > 0 && life_frames(&s->life)) {
        if (spent && !session_has_budget(s)) {
            wait_with_the_rest(s, data, len);
            return;
        }
        memset(&parse, 0, offsetof(struct resp_request, error_text));
        switch (resp_request_parse(&parse, data, len)) {
        case RESP_DONE:
            accept_request(s, data, &parse);
            data += parse.pos;
            len -= parse.pos;
            /* Of bytes there are no more in one read than it may be ahead. */
            if (__builtin_expect(s->queue.count >= STRANGER_REQUESTS, false) && len > 0 &&
                session_is_stranger(s)) {
                wait_with_the_rest(s, data, len);
                return;
            }
            break;
        case RESP_MORE:
            keep_partial(s, &parse, data, len);
            return;
        case RESP_ERROR:
            session_protocol_error(s, parse.error);
            return;
        }
    }
}

/* ---- reading ---- */

void session_ended(struct session *s)
{
    life_client_left(&s->life, CLIENT_ENDED);
    /* A blocked command would pop an item for nobody; a held one would be done after its client
     * gave up and came back (decision 3). What is on its way is still answered: a client may have
     * closed only its sending side. */
    if (session_is_finished(s) || barrier_of(&s->barrier, BARRIER_BLOCKED) ||
        hold_waits(&s->queue.held) || login_waits(&s->place.login) || session_subscribed(s) ||
        lease_kept_for(&s->lease, LEASE_MONITORS) || s->special.tunnel)
        session_close(s, CLOSED_CLIENT, "the client closed the connection");
    else
        session_update_interest(s);
}

/* Reads more of a large payload into its place. Returns false when there is none. */
static bool read_direct(struct session *s, ssize_t *n)
{
    struct session_request *r;
    size_t missing, room;
    if (!s->client.partial || s->client.partial->skipped)
        return false;
    r = s->client.partial->request;
    missing = resp_request_missing(&s->client.partial->parse, r->len);
    if (missing < DIRECT_MIN)
        return false;
    room = missing < DIRECT_MAX ? missing : DIRECT_MAX;
    if (!grow_partial(s, r, room)) {
        *n = 0;
        return true;
    }
    if (room < r->cap - r->len)
        room = missing < r->cap - r->len ? missing : r->cap - r->len;
    *n = stream_read(&s->client.stream, r->data + r->len, room);
    if (*n > 0) {
        r->len += (size_t)*n;
        (void)session_look_at_budget(s->host);
        (void)frame_partial(s);
    }
    return true;
}

/* What came is worth so much of the turn, and may have filled it. */
static void feed_from_turn(struct session *s, size_t len)
{
    struct turn *turn = s->host->turn;
    uint32_t before = s->queue.numbered;
    session_feed(s, turn->read, len);
    turn_took(turn, READ_STEPS + s->queue.numbered - before);
    (void)turn_spent(turn);
}

void session_read(struct session *s)
{
    struct turn *turn = s->host->turn;
    s->client.read_ms = turn_now(turn);
    for (int i = 0; i < READS_PER_EVENT && (i == 0 || (session_reads(s) && !turn->over)); i++) {
        ssize_t n;
        bool direct = read_direct(s, &n);
        if (!direct) {
            n = stream_read(&s->client.stream, turn->read, READ_MAX);
            if (n > 0)
                feed_from_turn(s, (size_t)n);
        }
        if (n > 0)
            counter_add(&s->counters->received, (size_t)n);
        if (life_closing(&s->life) || n == 0)
            break;
        if (n < 0) {
            session_dispatch(s);
            if (!life_closing(&s->life) && n == UV_EOF)
                session_ended(s);
            else
                session_close(s, CLOSED_CONNECTION, stream_strerror(&s->client.stream, (int)n));
            return;
        }
        if (!direct && (size_t)n < READ_MAX)
            break;
    }
    if (!life_closing(&s->life))
        session_dispatch(s);
    if (!life_closing(&s->life))
        session_update_interest(s);
}
