/*
 * hears: what a client hears, judged against what it asked and what nodes did.
 *
 * Replies are taken one by one, each as the answer of the next command that
 * has one. What the client may know at that point (its database, an open
 * transaction, its subscriptions) follows from the replies before it, and
 * nothing else. A failure is right only where something has failed, and only
 * for what no node has executed.
 */
#include "hears.h"

#include <stdlib.h>
#include <string.h>

/* A client whose read has ended so many connections may be cut off (session_answers.c). */
#define ENDS_MAX 5

/* ---- words ---- */

bool starts(struct slice reply, const char *text)
{
    return reply.len >= strlen(text) && memcmp(reply.data, text, strlen(text)) == 0;
}

bool equals(struct slice reply, const char *text)
{
    return reply.len == strlen(text) && starts(reply, text);
}

struct slice take_string(struct slice *message)
{
    struct slice text = {NULL, 0};
    const char *eol = memchr(message->data, '\n', message->len);
    size_t skip, len;
    if (!eol || message->data[0] != '$' || message->data[1] == '-')
        return text;
    skip = (size_t)(eol + 1 - message->data);
    len = strtoul(message->data + 1, NULL, 10);
    if (skip + len + 2 > message->len)
        return text;
    text = (struct slice){message->data + skip, len};
    message->data += skip + len + 2;
    message->len -= skip + len + 2;
    return text;
}

struct slice behind_head(struct slice reply)
{
    const char *eol = memchr(reply.data, '\n', reply.len);
    return (struct slice){eol + 1, (size_t)(reply.data + reply.len - eol - 1)};
}

bool has_word(enum kind kind)
{
    return kind <= EVAL || kind == MODULE || kind == SCRIPT_LOAD;
}

bool changes_connection(enum kind kind)
{
    return (kind >= SELECT_0 && kind <= HELLO_AUTH) || kind == SETNAME ||
           (kind >= TRACKING_ON && kind <= MONITOR);
}

/* ---- failures ---- */

void must_not_be_executed(struct client *c, const struct record *record, struct slice reply)
{
    if (record->write && record->executed > 0)
        WRONG(c, reply, "refused, so not executed");
}

static bool is_switch_error(struct slice reply)
{
    return starts(reply, "-READONLY ") || starts(reply, "-LOADING ") ||
           starts(reply, "-NOREPLICAS ") || starts(reply, "-MASTERDOWN ");
}

/* What any command may be answered when something went wrong; returns whether this is such. */
static bool judge_failure(struct client *c, struct record *record, struct slice reply)
{
    if (starts(reply, "-MASTERDOWN redisproxy:")) {
        if (!books.unserved)
            WRONG(c, reply, "there was nobody to send it to");
        must_not_be_executed(c, record, reply);
    } else if (starts(reply, "-ERR redisproxy: outcome unknown")) {
        if (!books.lost && !books.unserved)
            WRONG(c, reply, "a connection was lost");
    } else if (is_switch_error(reply)) {
        if (c->route != ROUTE_REPLICA && !books.refused)
            WRONG(c, reply, "a node refused something");
        must_not_be_executed(c, record, reply);
    } else if (starts(reply, "-WRONGPASS")) {
        if (!books.strangers && record->kind != AUTH_BAD)
            WRONG(c, reply, "the password is right");
        if (record->kind < AUTH_A || record->kind > HELLO_AUTH)
            c->may_end = true;
    } else if (starts(reply, "-ERR Can't execute")) {
        if (!c->loose && (c->resp3 || !(c->subs[0] | c->subs[1] | c->subs[2])))
            WRONG(c, reply, "it is subscribed");
        if (c->tx)
            c->doomed = true;
    } else {
        return false;
    }
    return true;
}

/* ---- whose it is ---- */

static bool is_subscription(enum kind kind)
{
    return kind >= SUBSCRIBE && kind <= SUNSUBSCRIBE_ALL;
}

/* Performed by the session wherever it stands. */
static bool leaves_tx(enum kind kind)
{
    return kind == RESET || kind == QUIT || kind == GARBAGE;
}

static void judge_reply(struct client *c, struct slice reply)
{
    struct record *record = &c->records[c->next];
    enum kind kind = record->kind;
    if (c->skip)
        c->skip = false;
    if (is_subscription(kind) && reply.data[0] != '-' && reply.data[0] != '+') {
        judge_confirmation(c, record, reply);
        return;
    }
    if (judge_failure(c, record, reply)) {
        if (kind == EXEC && !starts(reply, "-ERR redisproxy: outcome unknown"))
            none_executed(c, reply);
        if ((kind == EXEC || kind == DISCARD) && !starts(reply, "-ERR Can't execute"))
            end_tx(c);
        else if (c->tx)
            c->doomed = true;
    } else if (kind == EXEC) {
        judge_exec(c, reply);
    } else if (kind == DISCARD) {
        judge_answer(c, kind, reply);
    } else if (c->tx && kind == MULTI) {
        if (!equals(reply, "-ERR MULTI calls can not be nested\r\n"))
            WRONG(c, reply, "nested");
    } else if (c->tx && kind == WATCH && reply.data[0] == '-') {
        /* not inside MULTI */
    } else if (c->loose && kind != RESET && kind != REPLY_ON &&
               (reply.data[0] == '-' || reply.data[0] == '+')) {
        /* perhaps it was inside MULTI, perhaps not */
    } else if (c->tx && !leaves_tx(kind)) {
        judge_queued(c, record, reply);
    } else {
        judge_answer(c, kind, reply);
    }
    c->passed = 0;
    c->next++;
}

/* Passes over commands whose replies the client does not want. */
static void skip_unheard(struct client *c)
{
    while (c->next <= c->issued) {
        enum kind kind = c->records[c->next].kind;
        /* Confirmations are heard all the same, but not that they could not be held; nor that
         * about what says how the next one is heard. */
        c->blind |= (c->off || c->skip) && is_subscription(kind) && books.unserved;
        c->blind |= c->skip && (kind == REPLY_OFF || kind == REPLY_SKIP) && books.unserved;
        if (kind == REPLY_ON || (kind == RESET && !c->skip) || kind == GARBAGE ||
            is_subscription(kind))
            return;
        if (kind == RESET) {
            /* As in Redis: it ends OFF and is heard, and is itself what SKIP skips. */
            c->blind |= c->monitoring || c->subs[0] || c->subs[1] || c->subs[2]; /* until when? */
            reset_heard(c);
        } else if (kind == REPLY_OFF) {
            c->off = true;
            c->skip = false; /* it was the one */
        } else if (kind == REPLY_SKIP && !c->off) {
            c->skip = true;
        } else if (c->off || c->skip) {
            c->skip = false;
        } else {
            return;
        }
        if ((kind >= MULTI && kind <= UNWATCH) || changes_connection(kind))
            c->loose = true;
        if (!c->passed)
            c->passed = c->next;
        c->next++;
    }
}

void client_judge(struct client *c)
{
    while (buf_len(&c->heard) > 0) {
        struct resp_reply parse = {0};
        struct slice reply = {buf_head(&c->heard), 0};
        enum resp_result result =
            resp_reply_parse(&parse, reply.data, buf_len(&c->heard), &reply.len);
        CHECK(result != RESP_ERROR, "t%u hears no RESP: %.60s", c->number, reply.data);
        if (result == RESP_MORE) {
            return;
        }
        TRACE("t%u hears %.*s", c->number, reply.len < 100 ? (int)reply.len : 100, reply.data);
        skip_unheard(c);
        /* Was it CLIENT REPLY itself that could not be held, or whose user is not let in any more? */
        c->blind |= c->issued_reply &&
                    (starts(reply, "-MASTERDOWN redisproxy:") || starts(reply, "-WRONGPASS "));
        if (!c->blind && !judge_unasked(c, reply)) {
            if (c->next > c->issued)
                WRONG(c, reply, "it was asked for");
            judge_reply(c, reply);
        }
        buf_consume(&c->heard, reply.len);
    }
}

/* Was it taken for the reason for which its connections end? */
static bool ended_connections(const struct client *c)
{
    unsigned first = c->passed ? c->passed : c->next;
    return first <= c->issued && books.ends - c->records[first].ends >= ENDS_MAX;
}

bool client_heard_all(struct client *c)
{
    skip_unheard(c);
    return c->blind || c->ended || c->next > c->issued;
}

void client_has_heard_all(struct client *c)
{
    skip_unheard(c);
    if (c->blind)
        return;
    CHECK(!c->ended || c->may_end || books.cut_short || books.strangers || c->next > c->issued ||
              ended_connections(c),
          "t%u was cut off, and had not heard of %u (kind %d)", c->number, c->next,
          c->records[c->next].kind);
    CHECK(c->ended || c->next > c->issued, "t%u never heard of %u (kind %d)", c->number, c->next,
          c->records[c->next].kind);
    CHECK(c->ended || buf_len(&c->heard) == 0, "t%u heard half a reply", c->number);
}
