/*
 * hears: what a client hears, judged against what it asked and what nodes did.
 *
 * Replies are taken one by one, each as the answer of the next command that
 * has one. What the client may know at that point (its database, an open
 * transaction, its subscriptions) follows from the replies before it, and
 * nothing else. A failure is right only where something has failed, and only
 * for what no node has executed.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts(struct slice reply, const char *text)
{
    return reply.len >= strlen(text) && memcmp(reply.data, text, strlen(text)) == 0;
}

static bool equals(struct slice reply, const char *text)
{
    return reply.len == strlen(text) && starts(reply, text);
}

#define WRONG(c, reply, what)                                                                      \
    fail(__FILE__, __LINE__, what, "t%u.%u (kind %d) heard %.*s", (c)->number, (c)->next,          \
         (c)->records[(c)->next].kind, (reply).len < 120 ? (int)(reply).len : 120, (reply).data)

/* ---- what nobody asked for ---- */

/* The string that begins at *at of the message; moves on. */
static struct slice take_string(struct slice *message)
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

static struct slice behind_head(struct slice reply)
{
    const char *eol = memchr(reply.data, '\n', reply.len);
    return (struct slice){eol + 1, (size_t)(reply.data + reply.len - eol - 1)};
}

static void judge_message(struct client *c, int kind, struct slice rest)
{
    struct slice channel = take_string(&rest), text;
    unsigned number;
    if (kind == 1)
        channel = take_string(&rest);
    text = take_string(&rest);
    number = (unsigned)strtoul(text.data + 1, NULL, 10);
    if (!c->loose && !(c->subs[kind] & 1 << (channel.data[2] - '0')))
        WRONG(c, text, "a message for a subscriber");
    if (number <= c->last_message[kind])
        WRONG(c, text, "messages in order, each once");
    c->last_message[kind] = number;
}

static bool judge_unasked(struct client *c, struct slice reply)
{
    struct slice rest, word;
    if (reply.data[0] == '+' && reply.data[1] == '1') {
        if (!c->monitoring && !c->loose)
            WRONG(c, reply, "a line of MONITOR's");
        return true;
    }
    if (reply.data[0] != '*' && reply.data[0] != '>')
        return false;
    rest = behind_head(reply);
    word = take_string(&rest);
    if (!word.data)
        return false;
    if (equals(word, "invalidate"))
        return true;
    if (!equals(word, "message") && !equals(word, "pmessage") && !equals(word, "smessage"))
        return false;
    judge_message(c, equals(word, "message") ? 0 : equals(word, "pmessage") ? 1 : 2, rest);
    return true;
}

/* ---- failures ---- */

static bool is_switch_error(struct slice reply)
{
    return starts(reply, "-READONLY ") || starts(reply, "-LOADING ") ||
           starts(reply, "-NOREPLICAS ") || starts(reply, "-MASTERDOWN ");
}

static void must_not_be_executed(struct client *c, const struct record *record, struct slice reply)
{
    if (record->write && record->executed > 0)
        WRONG(c, reply, "refused, so not executed");
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

/* ---- replies that show whose they are ---- */

/* "t2.7 d 0 2 5": the word, the user, the database, the protocol, the client's last write. */
static void judge_own(struct client *c, unsigned number, struct slice text, bool in_tx)
{
    struct record *record = &c->records[number];
    struct slice whole = text;
    unsigned whose, which, last;
    int db, proto, len = text.len < 60 ? (int)text.len : 60;
    char user, copy[64];
    memcpy(copy, text.data, (size_t)len);
    copy[len] = '\0';
    if (sscanf(copy, "t%u.%u %c %d %d %u", &whose, &which, &user, &db, &proto, &last) != 6 ||
        whose != c->number || which != number)
        WRONG(c, whole, "the reply is this command's");
    if (record->executed == 0)
        WRONG(c, whole, "it was executed");
    if (!c->loose &&
        (user != c->user || db != c->db || proto != (c->tracking ? 10 : 0) + (c->resp3 ? 3 : 2)))
        WRONG(c, whole, "on a connection of its identity");
    if (!record->write && !in_tx && record->executed == 1 && last > number)
        WRONG(c, whole, "a read comes before later writes");
    if (last < c->acknowledged)
        WRONG(c, whole, "a read sees the writes before it");
    if (record->write && number > c->acknowledged)
        c->acknowledged = number;
}

static bool is_own(struct client *c, unsigned number, struct slice reply)
{
    struct slice rest = reply, text;
    if (reply.data[0] == '*' || reply.data[0] == '>')
        rest = behind_head(reply);
    text = take_string(&rest);
    if (text.data && equals(text, "pong"))
        text = take_string(&rest);
    if (!text.data)
        return false;
    judge_own(c, number, text, false);
    return true;
}

/* ---- transactions ---- */

static void end_tx(struct client *c)
{
    c->tx = c->watching = c->watched = c->doomed = false;
    c->queued_count = 0;
}

static void none_executed(struct client *c, struct slice reply)
{
    for (unsigned i = 0; i < c->queued_count; i++)
        must_not_be_executed(c, &c->records[c->queued[i]], reply);
}

static bool has_word(enum kind kind)
{
    return kind <= EVAL || kind == MODULE || kind == SCRIPT_LOAD;
}

/* What changes the connection, and was part of a transaction. */
static bool changes_connection(enum kind kind)
{
    return (kind >= SELECT_0 && kind <= HELLO_AUTH) || kind == SETNAME ||
           (kind >= TRACKING_ON && kind <= MONITOR);
}

static void judge_results(struct client *c, struct slice reply)
{
    struct slice rest = behind_head(reply);
    unsigned count = (unsigned)strtoul(reply.data + 1, NULL, 10);
    if (count != c->queued_count || c->doomed)
        WRONG(c, reply, "as many results as commands");
    for (unsigned i = 0; i < count; i++) {
        unsigned number = c->queued[i];
        struct resp_reply parse = {0};
        size_t used;
        if (changes_connection(c->records[number].kind))
            c->loose = true;
        if (has_word(c->records[number].kind)) {
            struct slice text = take_string(&rest);
            if (!text.data)
                WRONG(c, reply, "a result that shows whose it is");
            judge_own(c, number, text, true);
        } else if (resp_reply_parse(&parse, rest.data, rest.len, &used) == RESP_DONE) {
            rest = (struct slice){rest.data + used, rest.len - used};
        }
    }
    if (rest.len > 0)
        WRONG(c, reply, "nothing behind the results");
}

static void judge_exec(struct client *c, struct slice reply)
{
    if (equals(reply, "-ERR EXEC without MULTI\r\n")) {
        if (c->tx && !c->loose)
            WRONG(c, reply, "there was a MULTI");
        return; /* and what it watches, it watches still */
    } else if (!c->tx && !c->loose) {
        WRONG(c, reply, "there was no MULTI");
    } else if (c->loose) {
        /* what was queued unheard is not known */
    } else if (equals(reply, "*-1\r\n") || equals(reply, "_\r\n")) {
        if (!c->watched)
            WRONG(c, reply, "it watched something");
        none_executed(c, reply);
    } else if (starts(reply, "-EXECABORT ")) {
        if (!c->doomed && !books.unserved)
            WRONG(c, reply, "a part of it was refused");
        none_executed(c, reply);
    } else if (starts(reply, "-")) {
        WRONG(c, reply, "an answer of EXEC's");
    } else {
        judge_results(c, reply);
    }
    end_tx(c);
}

/* Inside MULTI. */
static void judge_queued(struct client *c, struct record *record, struct slice reply)
{
    if (equals(reply, "+QUEUED\r\n")) {
        c->queued[c->queued_count++] = c->next;
        return;
    }
    if (reply.data[0] != '-')
        WRONG(c, reply, "queued");
    must_not_be_executed(c, record, reply);
    c->doomed = true;
}

/* ---- subscriptions ---- */

static void judge_confirmation(struct client *c, struct record *record, struct slice reply)
{
    static const char *const on[3] = {"subscribe", "psubscribe", "ssubscribe"};
    static const char *const off[3] = {"unsubscribe", "punsubscribe", "sunsubscribe"};
    static const int all_of[3] = {0, 1, 2};
    struct slice rest = behind_head(reply), word = take_string(&rest), channel;
    bool subscribes = record->kind <= SSUBSCRIBE;
    int kind = record->kind == UNSUBSCRIBE ? 0
               : subscribes                ? record->kind - SUBSCRIBE
                                           : all_of[record->kind - UNSUBSCRIBE_ALL];
    unsigned parts = record->parts;
    if (!word.data || !equals(word, subscribes ? on[kind] : off[kind]))
        WRONG(c, reply, "a confirmation");
    channel = take_string(&rest);
    if (!subscribes && record->kind != UNSUBSCRIBE && c->parts == 0)
        record->parts = (uint8_t)__builtin_popcount(c->subs[kind]);
    parts = record->parts > 0 ? record->parts : 1;
    if (channel.data && subscribes)
        c->subs[kind] |= (uint8_t)(1 << (channel.data[2] - '0'));
    else if (channel.data)
        c->subs[kind] &= (uint8_t) ~(1 << (channel.data[2] - '0'));
    if (++c->parts < parts)
        return;
    c->parts = 0;
    c->next++;
}

/* ---- the rest ---- */

static void reset_heard(struct client *c)
{
    end_tx(c);
    c->user = 'd';
    c->db = 0;
    c->resp3 = c->off = c->skip = c->tracking = c->monitoring = c->named = c->loose = false;
    memset(c->subs, 0, sizeof(c->subs));
}

static void judge_connection(struct client *c, enum kind kind, struct slice reply)
{
    bool ok = equals(reply, "+OK\r\n");
    char wanted[60];
    switch (kind) {
    case SELECT_0:
    case SELECT_1:
        if (ok)
            c->db = kind == SELECT_1;
        break;
    case AUTH_A:
    case AUTH_B:
        if (ok)
            c->user = kind == AUTH_A ? 'a' : 'b';
        break;
    case HELLO_2:
    case HELLO_3:
    case HELLO_AUTH:
        snprintf(wanted, sizeof(wanted), "$2\r\nid\r\n:%llu\r\n",
                 (unsigned long long)SESSION_ID_BASE + c->number);
        ok = reply.data[0] == (kind == HELLO_2 ? '*' : '%');
        if (ok && !memmem(reply.data, reply.len, wanted, strlen(wanted)))
            WRONG(c, reply, "the session's own id");
        if (ok)
            c->resp3 = kind != HELLO_2;
        if (ok && kind == HELLO_AUTH)
            c->user = 'b';
        break;
    case SELECT_BAD:
        ok = equals(reply, "-ERR DB index is out of range\r\n");
        break;
    default:
        ok = false;
        break;
    }
    if (!ok)
        WRONG(c, reply, "an answer of it");
}

static bool is_nothing(struct slice reply)
{
    return equals(reply, "*-1\r\n") || equals(reply, "_\r\n");
}

static bool judge_session_s(struct client *c, enum kind kind, struct slice reply)
{
    char wanted[40];
    switch (kind) {
    case ID:
        snprintf(wanted, sizeof(wanted), ":%llu\r\n",
                 (unsigned long long)SESSION_ID_BASE + c->number);
        return equals(reply, wanted);
    case SETNAME:
        c->named = true;
        return equals(reply, "+OK\r\n");
    case GETNAME:
        return c->loose || equals(reply, c->named   ? "$3\r\njoe\r\n"
                                         : c->resp3 ? "_\r\n"
                                                    : "$-1\r\n");
    case RESET:
        reset_heard(c);
        return equals(reply, "+RESET\r\n");
    case REPLY_ON:
        c->off = c->skip = false;
        return equals(reply, "+OK\r\n");
    case QUIT:
        return equals(reply, "+OK\r\n");
    default:
        return false;
    }
}

static bool judge_plain(struct client *c, enum kind kind, struct slice reply)
{
    switch (kind) {
    case BLPOP:
    case BLPOP_SHORT:
    case XREAD_BLOCK:
        return (is_nothing(reply) && (kind != BLPOP || books.unblocked)) ||
               (starts(reply, "-UNBLOCKED ") && books.unblocked) || is_own(c, c->next, reply);
    case MULTI:
        c->watching = c->watched;
        c->tx = true;
        return equals(reply, "+OK\r\n");
    case DISCARD:
        if (reply.data[0] != '-')
            end_tx(c);
        return equals(reply, "+OK\r\n") || equals(reply, "-ERR DISCARD without MULTI\r\n");
    case WATCH:
        c->watched = true;
        return equals(reply, "+OK\r\n");
    case UNWATCH:
        c->watched = false;
        return equals(reply, "+OK\r\n");
    case UNKNOWN:
        return starts(reply, "-ERR unknown command");
    case BAD_ARITY:
        return starts(reply, "-ERR wrong number of arguments");
    case SYNC:
        return starts(reply, "-ERR redisproxy: 'sync' is not available");
    case WAIT:
        return equals(reply, ":1\r\n");
    case UNBLOCK:
        return equals(reply, ":0\r\n") || equals(reply, ":1\r\n");
    case TRACKING_ON:
    case TRACKING_OFF:
        if (reply.data[0] == '+')
            c->tracking = kind == TRACKING_ON;
        return equals(reply, "+OK\r\n") || (!c->resp3 && starts(reply, "-ERR Client tracking"));
    case NO_EVICT:
        return equals(reply, "+OK\r\n");
    case MONITOR:
        c->monitoring = true;
        return equals(reply, "+OK\r\n");
    case GARBAGE:
        return starts(reply, "-ERR Protocol error");
    default:
        return has_word(kind) && is_own(c, c->next, reply);
    }
}

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
        (void)judge_plain(c, kind, reply);
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
    } else if (kind >= SELECT_0 && kind <= HELLO_AUTH) {
        judge_connection(c, kind, reply);
    } else if (!judge_session_s(c, kind, reply) && !judge_plain(c, kind, reply)) {
        WRONG(c, reply, "an answer of it");
    }
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
        if (kind == REPLY_ON || kind == RESET || kind == GARBAGE || is_subscription(kind))
            return;
        if (kind == REPLY_OFF)
            c->off = true;
        else if (kind == REPLY_SKIP && !c->off)
            c->skip = true;
        else if (c->off || c->skip)
            c->skip = false;
        else
            return;
        if ((kind >= MULTI && kind <= UNWATCH) || changes_connection(kind))
            c->loose = true;
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
        /* Was it CLIENT REPLY itself that could not be held? */
        c->blind |= c->issued_reply && starts(reply, "-MASTERDOWN redisproxy:");
        if (!c->blind && !judge_unasked(c, reply)) {
            if (c->next > c->issued)
                WRONG(c, reply, "it was asked for");
            judge_reply(c, reply);
        }
        buf_consume(&c->heard, reply.len);
    }
}

void client_has_heard_all(struct client *c)
{
    skip_unheard(c);
    if (c->blind)
        return;
    CHECK(!c->ended || c->may_end || books.cut_short || books.strangers || c->next > c->issued,
          "t%u was cut off, and had not heard of %u (kind %d)", c->number, c->next,
          c->records[c->next].kind);
    CHECK(c->ended || c->next > c->issued, "t%u never heard of %u (kind %d)", c->number, c->next,
          c->records[c->next].kind);
    CHECK(c->ended || buf_len(&c->heard) == 0, "t%u heard half a reply", c->number);
}
