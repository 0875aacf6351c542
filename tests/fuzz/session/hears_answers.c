/*
 * hears_answers: what a command that was executed may be answered, and what the client knows of its
 * connection from then on.
 */
#include "hears.h"

#include <stdio.h>
#include <string.h>

/* ---- replies that show whose they are ---- */

/* "t2.7 d 0 2 5": the word, the user, the database, the protocol, the client's last write. */
void judge_own(struct client *c, unsigned number, struct slice text, bool in_tx)
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
    /* In RESP2 tracking does nothing, and is not told to another node. */
    if (!c->loose && (user != c->user || db != c->db ||
                      (c->resp3 ? proto != (c->tracking ? 13 : 3) : proto % 10 != 2)))
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

/* ---- what the session does itself ---- */

void reset_heard(struct client *c)
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

void judge_answer(struct client *c, enum kind kind, struct slice reply)
{
    if (kind >= SELECT_0 && kind <= HELLO_AUTH)
        judge_connection(c, kind, reply);
    else if (!judge_session_s(c, kind, reply) && !judge_plain(c, kind, reply))
        WRONG(c, reply, "an answer of it");
}
