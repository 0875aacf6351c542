/*
 * pubsub: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, their opposites, and MONITOR. In Redis a subscription belongs to a
 * connection, which then brings messages besides replies, and ends with that connection. A client behind the proxy
 * must not notice when its connection to the node ends.
 *
 * So a session that subscribes keeps a lease, and everything that the node sends there passes through a tap
 * (struct upstream_tap), a function that says what each message is:
 *
 *   - what is no reply (a published message, a line of MONITOR's) goes to the client as it is;
 *   - a confirmation is a part of the answer to its SUBSCRIBE, and changes what the session remembers;
 *   - all else is the answer to the first request that waits on the lease.
 *
 * When the lease is lost, the next one is told all subscriptions that the session remembers, before anything else
 * goes there. Until they are confirmed the session counts as `unrenewed`, and what other clients publish is held
 * (nodes/gate.h), so that no message is published to nobody.
 *
 * In RESP2 a subscriber may send few other commands; Redis itself says so on the lease, where everything goes.
 */
#include "commands/pubsub.h"

#include "commands/subscriptions.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/ended.h"
#include "session/lease.h"
#include "session/life.h"
#include "session/output.h"
#include "session/replies.h"
#include "session/requests.h"

#include <string.h>
#include <strings.h>

static const char *const subscribe_words[KINDS] = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"};

static const char *const unsubscribe_words[KINDS] = {"UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"};

/* Sets *kind to what the verb is about. Returns whether it subscribes, and not the opposite. */
static bool kind_of_verb(uint8_t verb, enum kind *kind)
{
    bool subscribes = verb <= VERB_SSUBSCRIBE;
    *kind = (enum kind)(verb - (subscribes ? VERB_SUBSCRIBE : VERB_UNSUBSCRIBE));
    return subscribes;
}

/* ---- messages ---- */

static int find_word(struct slice word, const char *const *words)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (word.len == strlen(words[kind]) && strncasecmp(word.data, words[kind], word.len) == 0)
            return kind;
    return -1;
}

/* Which request does a confirmation answer? The first one that waits, if it is of this kind; otherwise none: Redis
 * has ended a subscription by itself. */
static enum tap_verdict confirmation(struct request *head, uint8_t verb_from, int kind)
{
    if (!head || !head->command || head->command->verb != verb_from + kind)
        return TAP_PUSH;
    return --head->parts_left > 0 ? TAP_PART : TAP_ANSWER;
}

/* The next element of a message, if it is a string. */
static struct slice element(struct resp_args *message)
{
    struct slice text = {NULL, 0};
    if (message->left > 0 && message->at + 1 < message->end && message->at[0] == '$' &&
        message->at[1] != '-')
        (void)resp_args_next(message, &text);
    return text;
}

static bool is_message(struct slice word)
{
    return slice_is(word, "message") || slice_is(word, "pmessage") || slice_is(word, "smessage");
}

/* RESP2 marks no message as such: an array may be one only on a connection that has subscribed, or does. */
static bool is_plain_reply(const struct session *s, const struct request *head)
{
    return head && !s->identity->resp3 && !session_subscribed(s) &&
           !(head->command && command_is_subscription(head->command->verb));
}

/* Whether a line of MONITOR's, as "+1795391682.558940 [0 127.0.0.1:46918] \"Info\" ...", shows a command that a
 * proxy sent for itself: it spells its commands as no client does (command_is_own()). */
static bool is_own_command(const char *line, size_t len)
{
    const char *name = memmem(line, len, "] \"", 3), *end;
    if (!name)
        return false;
    name += 3;
    end = memchr(name, '"', len - (size_t)(name - line));
    return end && command_is_own((struct slice){name, (size_t)(end - name)});
}

static enum tap_verdict on_message(void *data, struct request *head, const char *message,
                                   size_t len)
{
    struct session *s = data;
    enum tap_verdict verdict;
    struct resp_args args;
    struct slice word, name;
    int kind;

    if (message[0] != (s->identity->resp3 ? '>' : '*')) {
        /* MONITOR's lines: +<time> ... */
        bool line = lease_kept_for(&s->lease, LEASE_MONITORS) && message[0] == '+' &&
                    message[1] >= '0' && message[1] <= '9';
        if (head && !line)
            return TAP_ANSWER;
        if (!line || !is_own_command(message, len))
            session_pass_on(s, message, len);
        return TAP_PUSH;
    }
    if (is_plain_reply(s, head))
        return TAP_ANSWER;
    args = resp_args(message, len);
    word = element(&args);
    name = element(&args);
    if ((kind = find_word(word, subscribe_words)) >= 0 && name.data) {
        subscriptions_add(s, (enum kind)kind, name);
        return confirmation(head, VERB_SUBSCRIBE, kind);
    }
    if ((kind = find_word(word, unsubscribe_words)) >= 0) {
        verdict = confirmation(head, VERB_UNSUBSCRIBE, kind);
        subscriptions_remove(s, (enum kind)kind, name);
        if (verdict == TAP_PUSH)
            session_pass_on(s, message, len);
        return verdict;
    }
    if (message[0] != '>' && !(word.data && is_message(word)))
        return TAP_ANSWER;
    session_pass_on(s, message, len);
    return TAP_PUSH;
}

/* Whether only a reply may begin with this byte. The protocol is that of the session; the connection may have begun
 * with the other one. */
static bool is_reply(void *data, char type)
{
    const struct session *s = data;
    bool aggregate = type == '*' || type == '~' || type == '%' || type == '=';
    return type == '$' || (aggregate && s->identity->resp3);
}

static const struct upstream_tap tap = {on_message, is_reply};

bool pubsub_tap_lease(struct session *s)
{
    if (session_hears(s))
        return true;
    if (!upstream_may_tap(s->lease.upstream))
        return false; /* a tap cannot begin in the middle of a message */
    upstream_set_tap(s->lease.upstream, &tap);
    s->lease.dirty = true;
    return true;
}

bool pubsub_hears_invalidations(const struct session *s)
{
    static const char channel[] = "__redis__:invalidate";
    struct subscription *sub = NULL;
    if (s->special.subs)
        HASH_FIND(hh, s->special.subs->of[CHANNELS], channel, sizeof(channel) - 1, sub);
    return sub != NULL;
}

/* ---- requests ---- */

/* How many confirmations an UNSUBSCRIBE without arguments brings: one for each subscription, and one if there is
 * none. */
static int32_t count_all(const struct session *s, enum kind kind)
{
    int32_t count = s->special.subs ? (int32_t)HASH_COUNT(s->special.subs->of[kind]) : 0;
    return count > 0 ? count : 1;
}

enum step subscribe_prepare(struct session *s, struct session_request *r)
{
    enum kind kind;
    bool tapped = upstream_is_tapped(s->lease.upstream); /* also when nothing is subscribed now */
    if (s->tx.state == TX_OPEN && s->queue.inflight > 0)
        return STEP_WAIT; /* until it is known whether the node accepted MULTI */
    if (s->tx.state == TX_OPEN) {
        s->tx.refused = true;
        session_answer(s, r, "-ERR redisproxy: not available inside MULTI\r\n");
        return STEP_ON;
    }
    if (r->command->verb == VERB_MONITOR) {
        if (!tapped && s->queue.inflight > 0)
            return STEP_WAIT;
    } else {
        bool subscribes = kind_of_verb(r->command->verb, &kind);
        /* A tap cannot begin in the middle of a reply; and Redis must see as many subscriptions as are counted
         * here. */
        if (s->queue.inflight > 0 && (!tapped || (!subscribes && r->argc == 1)))
            return STEP_WAIT;
        r->parts_left = r->argc > 1 ? r->argc - 1 : count_all(s, kind);
    }
    if (!tapped)
        upstream_set_tap(s->lease.upstream, &tap);
    s->lease.dirty = true;
    return STEP_ON;
}

void monitor_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    if (from == s->lease.upstream && r->reply_type == '+' && !r->in_tx)
        lease_keep(&s->lease, LEASE_MONITORS);
}

/* ---- subscribing again ---- */

static void on_resubscribe_reply(struct request *r, const char *data, size_t len, bool first,
                                 bool last)
{
    struct session *s = r->owner_data;
    (void)len;
    r->reply_type = data[0];
    (void)first;
    if (!last)
        return;
    request_free(session_pool(s), r);
    s->special.renewing--;
    subscriptions_check(s);
    if (data[0] == '-')
        session_close(s, CLOSED_ENTRY, "its subscriptions were refused after a switch");
}

static void on_resubscribe_failed(struct request *r, enum request_failure why, const char *text)
{
    struct session *s = r->owner_data;
    (void)text;
    request_free(session_pool(s), r);
    s->special.renewing--;
    if (life_closing(&s->life))
        return;
    if (why == REQUEST_REFUSED)
        session_close(s, CLOSED_ENTRY, "its user was refused after a switch");
    else if (why == REQUEST_UNSENT)
        session_lease_drop(
            s); /* some were not sent: all of them are made again on the next lease */
    subscriptions_check(s);
    session_mark_woken(s);
}

static const struct request_owner resubscribe_owner = {on_resubscribe_reply, on_resubscribe_failed,
                                                       NULL};

/* Sends a command of the proxy's own on the lease; its answer is not for the client. */
static void send_own(struct session *s, const struct buf *bytes, uint8_t verb, int32_t parts)
{
    const char *name = verb == VERB_MONITOR ? "MONITOR" : subscribe_words[verb - VERB_SUBSCRIBE];
    struct request *r = request_own(
        session_pool(s), (struct slice){buf_head(bytes), buf_len(bytes)}, &resubscribe_owner, s);
    r->command = command_find((struct slice){name, strlen(name)}, (struct slice){NULL, 0});
    r->parts_left = parts;
    s->special.renewing++;
    upstream_submit(s->lease.upstream, r);
}

static void resubscribe_kind(struct session *s, enum kind kind)
{
    struct subscription *sub, *next;
    int32_t count = (int32_t)HASH_COUNT(s->special.subs->of[kind]);
    const char *word = subscribe_words[kind];
    struct buf bytes = {0};
    if (count == 0)
        return;
    buf_printf(&bytes, "*%d\r\n", (int)count + 1);
    resp_append_bulk(&bytes, (struct slice){word, strlen(word)});
    HASH_ITER (hh, s->special.subs->of[kind], sub, next)
        resp_append_bulk(&bytes, (struct slice){sub->name, sub->len});
    send_own(s, &bytes, (uint8_t)(VERB_SUBSCRIBE + kind), count);
    buf_free(&bytes);
}

/* Sends the session's subscriptions on a fresh lease, before anything that queues them in a transaction. */
static void resubscribe(struct session *s)
{
    if (!session_hears(s))
        return;
    upstream_set_tap(s->lease.upstream, &tap);
    s->lease.dirty = true;
    if (lease_kept_for(&s->lease, LEASE_MONITORS)) { /* first: in RESP2 a subscriber may not */
        struct buf bytes = {0};
        buf_printf(&bytes, "*1\r\n$7\r\nMONITOR\r\n");
        send_own(s, &bytes, VERB_MONITOR, 1);
        buf_free(&bytes);
    }
    for (int kind = 0; s->special.subs && kind < KINDS; kind++)
        resubscribe_kind(s, (enum kind)kind);
}

/* The session's lease is gone: what others publish waits until its subscriptions stand again. */
static void dropped(struct session *s)
{
    if (s->special.subs)
        subscriptions_mark_lost(s);
}

/* If the session's next request subscribes, publishers wait for that one, too: a client that does not wait for the
 * confirmation (Celery's do not) has asked for the subscription before what others publish from now on. */
static void held(struct session *s)
{
    if (s->queue.next && subscriptions_are_asked(s->queue.next))
        subscriptions_mark_lost(s);
}

static void lost(struct session *s)
{
    if (!session_doubts(s))
        dropped(s);
}

/* ---- to another process ---- */

static void pack(const struct session *s, struct buf *out)
{
    struct subscription *sub, *next;
    for (int kind = 0; s->special.subs && kind < KINDS; kind++) {
        const char *word = subscribe_words[kind];
        HASH_ITER (hh, s->special.subs->of[kind], sub, next) {
            struct slice argv[2] = {{word, strlen(word)}, {sub->name, sub->len}};
            resp_append_command(out, 2, argv);
        }
    }
}

static bool unpack(struct session *s, struct slice command)
{
    struct resp_args args = resp_args(command.data, command.len);
    struct slice word = {NULL, 0}, name = {NULL, 0};
    (void)resp_args_next(&args, &word);
    int kind = find_word(word, subscribe_words);
    if (kind < 0 || !resp_args_next(&args, &name) || args.left > 0)
        return false;
    subscriptions_add(s, (enum kind)kind, name);
    return true;
}

static void adopted(struct session *s)
{
    if (session_hears(s))
        upstream_set_tap(s->lease.upstream, &tap);
}

const struct carried pubsub_carried = {.tell = resubscribe,
                                       .lost = lost,
                                       .dropped = dropped,
                                       .forget = subscriptions_forget,
                                       .held = held,
                                       .delivered = subscriptions_check,
                                       .pack = pack,
                                       .unpack = unpack,
                                       .adopted = adopted};
