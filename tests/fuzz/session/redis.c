/*
 * redis: as much of Redis as the data path can tell from the real one. A node
 * executes commands in order, and answers with what shows whose command it was
 * and on which connection: its word, the user, the database, the protocol, and
 * its client's last write.
 */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIG 3000

static const char *const kind_words[3] = {"subscribe", "psubscribe", "ssubscribe"};
static const char *const unkind_words[3] = {"unsubscribe", "punsubscribe", "sunsubscribe"};

bool users_gone;

bool parse(const struct buf *from, size_t at, struct command_line *line, size_t *len)
{
    struct resp_request request = {0};
    struct resp_args args;
    struct slice arg;
    enum resp_result result;
    if (at >= buf_len(from))
        return false;
    result = resp_request_parse(&request, buf_head(from) + at, buf_len(from) - at);
    CHECK(result != RESP_ERROR && !request.is_inline, "a node was sent something else: %.60s",
          buf_head(from) + at);
    if (result == RESP_MORE)
        return false;
    *len = request.pos;
    line->count = 0;
    args = resp_args(buf_head(from) + at, request.pos);
    while (resp_args_next(&args, &arg) && line->count < ARGS)
        line->arg[line->count++] = arg;
    return true;
}

bool is(const struct command_line *line, int number, const char *word)
{
    return number < line->count && slice_is(line->arg[number], word);
}

struct record *tag_in(const struct command_line *line, struct client **client, unsigned *number)
{
    struct record *record = NULL;
    for (int i = 1; i < line->count && !record; i++)
        record = record_of(line->arg[i], client, number);
    return record;
}

/* ---- executing ---- */

static void note_executed(struct conn *conn, struct record *record, struct client *client,
                          unsigned number)
{
    if (record->write) {
        CHECK(record->executed == 0, "t%u.%u was executed twice", client->number, number);
        CHECK(!conn->wire || number > client->last_write, "t%u.%u was executed behind %u",
              client->number, number, client->last_write);
        if (number > client->last_write)
            client->last_write = number;
    }
    record->executed++;
}

/* A bulk string that shows whose reply this is. */
static void say_whose(struct conn *conn, struct slice tag, bool big)
{
    struct client *client = NULL;
    unsigned number = 0;
    struct record *record = record_of(tag, &client, &number);
    char text[BIG + 100];
    int len;
    CHECK(record, "a node was asked for %.*s", (int)tag.len, tag.data);
    note_executed(conn, record, client, number);
    len = snprintf(text, sizeof(text), "%.*s %c %d %d %u ", (int)tag.len, tag.data, conn->user,
                   conn->db, (conn->tracking ? 10 : 0) + (conn->resp3 ? 3 : 2), client->last_write);
    if (big)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%0*d", BIG, 7);
    buf_printf(&conn->outbox, "$%d\r\n%s\r\n", len, text);
}

const char *null_array(const struct conn *conn)
{
    return conn->resp3 ? "_\r\n" : "*-1\r\n";
}

void say(struct conn *conn, const char *text)
{
    buf_append(&conn->outbox, text, strlen(text));
}

static bool is_writer(const struct command_line *line)
{
    return is(line, 0, "set") || is(line, 0, "blpop") || is(line, 0, "eval") ||
           is(line, 0, "mod.w");
}

/* Redis' own text when the node does not execute such a command now. */
static const char *refusal(struct fake_node *node, bool write, bool exempt)
{
    if (exempt)
        return NULL;
    if (node->trouble == LOADING)
        return "LOADING Redis is loading the dataset in memory";
    if (node->trouble == READONLY_ONCE && write) {
        node->trouble = WELL;
        return "READONLY You can't write against a read only replica.";
    }
    if (!node->master && write)
        return "READONLY You can't write against a read only replica.";
    if (node->trouble == NOREPLICAS && write)
        return "NOREPLICAS Not enough good replicas to write.";
    return NULL;
}

static void forget_state(struct conn *conn)
{
    conn->resp3 = conn->tx = conn->dirty = conn->monitor = conn->tracking = false;
    conn->user = 'd';
    conn->db = 0;
    buf_free(&conn->queue);
    memset(conn->subs, 0, sizeof(conn->subs));
}

static void do_auth(struct conn *conn, const struct command_line *line, int at)
{
    struct slice user = line->arg[at], password = line->arg[at + 1];
    if (!slice_is(password, "p") || (users_gone && !slice_is(user, "d"))) {
        say(conn, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        return;
    }
    conn->user = user.data[0];
    if (is(line, 0, "auth"))
        say(conn, "+OK\r\n");
}

static void do_hello(struct conn *conn, const struct command_line *line)
{
    size_t before = buf_len(&conn->outbox);
    if (is(line, 2, "auth"))
        do_auth(conn, line, 3);
    if (buf_len(&conn->outbox) > before)
        return;
    if (line->count > 1)
        conn->resp3 = is(line, 1, "3");
    buf_printf(&conn->outbox, "%s\r\n$5\r\nproto\r\n:%d\r\n$2\r\nid\r\n:%d\r\n",
               conn->resp3 ? "%2" : "*4", conn->resp3 ? 3 : 2, (int)conn->id);
}

static void do_select(struct conn *conn, const struct command_line *line)
{
    int db = atoi(line->arg[1].data);
    if (db > 15) {
        say(conn, "-ERR DB index is out of range\r\n");
        return;
    }
    conn->db = db;
    say(conn, "+OK\r\n");
}

static void confirm(struct conn *conn, const char *word, int kind, int channel)
{
    int count = kind == 2 ? __builtin_popcount(conn->subs[2])
                          : __builtin_popcount(conn->subs[0]) + __builtin_popcount(conn->subs[1]);
    buf_printf(&conn->outbox, "%c3\r\n$%zu\r\n%s\r\n", conn->resp3 ? '>' : '*', strlen(word), word);
    if (channel < 0)
        say(conn, conn->resp3 ? "_\r\n" : "$-1\r\n");
    else
        buf_printf(&conn->outbox, "$3\r\nch%d\r\n", channel);
    buf_printf(&conn->outbox, ":%d\r\n", count);
}

static bool do_subscribe(struct conn *conn, const struct command_line *line)
{
    for (int kind = 0; kind < 3; kind++) {
        bool off = is(line, 0, unkind_words[kind]);
        if (!off && !is(line, 0, kind_words[kind]))
            continue;
        for (int i = 1; i < line->count; i++) {
            int channel = line->arg[i].data[2] - '0';
            if (off)
                conn->subs[kind] &= (uint8_t) ~(1 << channel);
            else
                conn->subs[kind] |= (uint8_t)(1 << channel);
            confirm(conn, off ? unkind_words[kind] : kind_words[kind], kind, channel);
        }
        if (line->count == 1 && conn->subs[kind] == 0)
            confirm(conn, unkind_words[kind], kind, -1);
        for (int channel = 0; line->count == 1 && channel < CHANNELS; channel++) {
            if (!(conn->subs[kind] & 1 << channel))
                continue;
            conn->subs[kind] &= (uint8_t) ~(1 << channel);
            confirm(conn, unkind_words[kind], kind, channel);
        }
        return true;
    }
    return false;
}

static void block(struct conn *conn, const struct command_line *line, double seconds)
{
    if (conn->executing) {
        say(conn, null_array(conn));
        return;
    }
    CHECK(buf_len(&conn->blocked) == 0, "a second command blocks");
    if (!conn->wire)
        return; /* Redis hears of the end when it has read this far */
    resp_append_command(&conn->blocked, line->count, line->arg);
    conn->blocked_until = seconds > 0 ? wire_now + (uint64_t)(seconds * 1000) : 0;
}

static void do_unblock(struct conn *asker, const struct command_line *line)
{
    uint64_t id = strtoull(line->arg[2].data, NULL, 10);
    list_each (it, &asker->node->conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (conn->id != id || buf_len(&conn->blocked) == 0)
            continue;
        buf_free(&conn->blocked);
        say(conn, is(line, 3, "error") ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
                                       : null_array(conn));
        say(asker, ":1\r\n");
        return;
    }
    say(asker, ":0\r\n");
}

static void do_client(struct conn *conn, const struct command_line *line)
{
    bool asks = line->count > 2 &&
                slice_is(line->arg[2], " "); /* whether the user may: it changes nothing */
    CHECK(!is(line, 1, "reply") || asks || (conn->executing && is(line, 2, "on")),
          "a CLIENT REPLY that silences, or is in no transaction, was sent to a node");
    if (asks)
        say(conn, "-ERR syntax error\r\n");
    else if (is(line, 1, "id"))
        buf_printf(&conn->outbox, ":%d\r\n", (int)conn->id);
    else if (is(line, 1, "unblock"))
        do_unblock(conn, line);
    else if (is(line, 1, "getname"))
        say(conn, conn->resp3 ? "_\r\n" : "$-1\r\n");
    else if (is(line, 1, "tracking") && !conn->resp3)
        say(conn, "-ERR Client tracking can be enabled only in RESP3 mode or when a redirection "
                  "client is specified.\r\n");
    else
        say(conn, "+OK\r\n");
    if (is(line, 1, "tracking") && conn->resp3)
        conn->tracking = is(line, 2, "on");
}

static void do_info(struct conn *conn)
{
    char text[200];
    int len = snprintf(text, sizeof(text), "role:%s\r\nmaster_replid:%040d\r\n",
                       conn->node->master ? "master" : "slave", 1);
    buf_printf(&conn->outbox, "$%d\r\n%s\r\n", len, text);
}

/* What does not ask whether the node is well. */
static bool do_plain(struct conn *conn, const struct command_line *line)
{
    if (is(line, 0, "info")) {
        do_info(conn);
    } else if (is(line, 0, "client")) {
        do_client(conn, line);
    } else if (is(line, 0, "reset")) {
        forget_state(conn);
        say(conn, "+RESET\r\n");
    } else if (is(line, 0, "auth")) {
        do_auth(conn, line, 1);
    } else if (is(line, 0, "hello")) {
        do_hello(conn, line);
    } else if (is(line, 0, "select")) {
        do_select(conn, line);
    } else if (is(line, 0, "command")) {
        say(conn, slice_is(line->arg[2], "mod.w")
                      ? "*1\r\n*3\r\n$5\r\nmod.w\r\n:-2\r\n*1\r\n+write\r\n"
                      : "*1\r\n*-1\r\n");
    } else if (is(line, 0, "watch") || is(line, 0, "unwatch")) {
        say(conn, "+OK\r\n");
    } else if (is(line, 0, "monitor")) {
        conn->monitor = true;
        say(conn, "+OK\r\n");
    } else {
        return do_subscribe(conn, line);
    }
    return true;
}

static void do_work(struct conn *conn, const struct command_line *line)
{
    if (do_plain(conn, line))
        return;
    if (is(line, 0, "ping") && line->count == 1)
        say(conn, "+PONG\r\n");
    else if (is(line, 0, "wait"))
        say(conn, ":1\r\n");
    else if (is(line, 0, "blpop"))
        block(conn, line, strtod(line->arg[2].data, NULL));
    else if (is(line, 0, "xread"))
        block(conn, line, strtod(line->arg[2].data, NULL) / 1000);
    else if (is(line, 0, "script"))
        say_whose(conn, line->arg[2], false);
    else
        say_whose(conn, line->arg[1], is(line, 2, "big"));
}

static bool is_known(const struct command_line *line)
{
    static const char *const words[] = {
        "get",     "set",        "ping",        "wait",         "blpop",       "xread",
        "script",  "eval",       "eval_ro",     "info",         "client",      "reset",
        "auth",    "hello",      "select",      "command",      "watch",       "unwatch",
        "monitor", "subscribe",  "psubscribe",  "mod.w",        "multi",       "exec",
        "discard", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (is(line, 0, words[i]))
            return true;
    return false;
}

static void refuse(struct conn *conn, const struct command_line *line, const char *text)
{
    struct client *client;
    unsigned number;
    struct record *record = tag_in(line, &client, &number);
    conn->dirty |= conn->tx;
    books.refused = books.unserved = true;
    if (record)
        record->refused++;
    buf_printf(&conn->outbox, "-%s\r\n", text);
}

/* ---- transactions ---- */

static void refuse_queued(struct conn *conn)
{
    struct command_line line;
    size_t at = 0, len;
    for (; parse(&conn->queue, at, &line, &len); at += len) {
        struct client *client;
        unsigned number;
        struct record *record = tag_in(&line, &client, &number);
        if (record)
            record->refused++;
    }
}

static void do_exec(struct conn *conn)
{
    struct buf queue = conn->queue;
    struct command_line line;
    const char *text = refusal(conn->node, conn->queued_write, false);
    size_t at = 0, len;
    if (!conn->tx) {
        say(conn, "-ERR EXEC without MULTI\r\n");
        return;
    }
    conn->tx = false;
    if (text || conn->dirty) {
        refuse_queued(conn);
        buf_free(&conn->queue);
        if (text)
            books.refused = books.unserved = true;
        if (text)
            buf_printf(&conn->outbox, "-EXECABORT Transaction discarded because of: %s\r\n", text);
        else
            say(conn, "-EXECABORT Transaction discarded because of previous errors.\r\n");
        return;
    }
    conn->queue = (struct buf){0};
    conn->executing = true;
    buf_printf(&conn->outbox, "*%u\r\n", conn->queued);
    for (; parse(&queue, at, &line, &len); at += len)
        do_work(conn, &line);
    conn->executing = false;
    buf_free(&queue);
}

static void do_multi(struct conn *conn)
{
    if (conn->tx) {
        say(conn, "-ERR MULTI calls can not be nested\r\n");
        return;
    }
    conn->tx = true;
    conn->dirty = conn->queued_write = false;
    conn->queued = 0;
    say(conn, "+OK\r\n");
}

static void do_discard(struct conn *conn)
{
    say(conn, conn->tx ? "+OK\r\n" : "-ERR DISCARD without MULTI\r\n");
    conn->tx = false;
    buf_free(&conn->queue);
}

static void queue_command(struct conn *conn, const struct command_line *line)
{
    resp_append_command(&conn->queue, line->count, line->arg);
    conn->queued++;
    conn->queued_write |= is_writer(line);
    say(conn, "+QUEUED\r\n");
}

/* ---- one command ---- */

static bool is_restricted(const struct conn *conn, const struct command_line *line)
{
    if (conn->resp3 || !(conn->subs[0] | conn->subs[1] | conn->subs[2]))
        return false;
    for (int kind = 0; kind < 3; kind++)
        if (is(line, 0, kind_words[kind]) || is(line, 0, unkind_words[kind]))
            return false;
    return !is(line, 0, "ping") && !is(line, 0, "reset");
}

static void act(struct conn *conn, const struct command_line *line)
{
    bool exempt = is_setup(line) || is(line, 0, "client") || is(line, 0, "command") ||
                  is(line, 0, "multi") || is(line, 0, "exec") || is(line, 0, "discard") ||
                  is(line, 0, "watch") || is(line, 0, "unwatch") || is(line, 0, "subscribe") ||
                  is(line, 0, "psubscribe") || is(line, 0, "ssubscribe") ||
                  is(line, 0, "unsubscribe") || is(line, 0, "punsubscribe") ||
                  is(line, 0, "sunsubscribe") || is(line, 0, "monitor");
    const char *text;
    if (!is_known(line) || (is(line, 0, "get") && line->count == 1)) {
        conn->dirty |= conn->tx;
        buf_printf(&conn->outbox, "-ERR %s '%.*s'\r\n",
                   is_known(line) ? "wrong number of arguments for" : "unknown command",
                   (int)line->arg[0].len, line->arg[0].data);
        return;
    }
    if (is_restricted(conn, line)) {
        conn->dirty |= conn->tx;
        say(conn, "-ERR Can't execute that: only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                  "RESET are allowed in this context\r\n");
        return;
    }
    text = refusal(conn->node, is_writer(line), exempt);
    if (text)
        refuse(conn, line, text);
    else if (is(line, 0, "exec"))
        do_exec(conn);
    else if (is(line, 0, "multi"))
        do_multi(conn);
    else if (is(line, 0, "discard"))
        do_discard(conn);
    else if (conn->tx && is(line, 0, "watch"))
        say(conn, "-ERR WATCH inside MULTI is not allowed\r\n");
    else if (conn->tx && !is(line, 0, "reset"))
        queue_command(conn, line);
    else if (is(line, 0, "ping") && line->count > 1 && !conn->resp3 &&
             (conn->subs[0] | conn->subs[1] | conn->subs[2])) {
        say(conn, "*2\r\n$4\r\npong\r\n");
        say_whose(conn, line->arg[1], false);
    } else
        do_work(conn, line);
}

bool execute_one(struct conn *conn)
{
    struct command_line line;
    size_t len;
    if (buf_len(&conn->blocked) > 0 || !parse(&conn->inbox, 0, &line, &len))
        return false;
    if (conn->node->leaving && (is_writer(&line) || (is(&line, 0, "exec") && conn->queued_write)))
        return false; /* it lets no write through any more */
    TRACE("  node-%d #%d does %.*s %.*s", conn->node->number + 1, (int)conn->id,
          (int)line.arg[0].len, line.arg[0].data, line.count > 1 ? (int)line.arg[1].len : 0,
          line.arg[line.count > 1].data);
    act(conn, &line);
    conn->served |= !is_setup(&line);
    buf_consume(&conn->inbox, len);
    conn->looked_at -= len;
    return true;
}

/* ---- blocked commands ---- */

void unblock(struct conn *conn, const char *reply)
{
    struct command_line line;
    size_t len;
    if (!reply) {
        CHECK(parse(&conn->blocked, 0, &line, &len), "what blocks is no command");
        say(conn, "*1\r\n");
        say_whose(conn, is(&line, 0, "xread") ? line.arg[4] : line.arg[1], false);
    } else {
        say(conn, reply);
    }
    buf_free(&conn->blocked);
}
