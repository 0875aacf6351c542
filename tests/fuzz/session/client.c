/*
 * client: what a client sends. Every command carries a word of its own where
 * Redis lets it ("GET t2.7"), so that its reply and its execution can be told
 * from all others'.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_VALUE 1500

static const char *const words[KINDS] = {
    [GET] = "GET @",
    [GET_BIG] = "GET @ big",
    [SET] = "SET @ v",
    [SET_BIG] = "SET @ #",
    [PING] = "PING @",
    [EVAL] = "EVAL @ 0",
    [MULTI] = "MULTI",
    [EXEC] = "EXEC",
    [DISCARD] = "DISCARD",
    [WATCH] = "WATCH key",
    [UNWATCH] = "UNWATCH",
    [SUBSCRIBE] = "SUBSCRIBE %",
    [PSUBSCRIBE] = "PSUBSCRIBE %",
    [SSUBSCRIBE] = "SSUBSCRIBE %",
    [UNSUBSCRIBE] = "UNSUBSCRIBE %",
    [UNSUBSCRIBE_ALL] = "UNSUBSCRIBE",
    [PUNSUBSCRIBE_ALL] = "PUNSUBSCRIBE",
    [SUNSUBSCRIBE_ALL] = "SUNSUBSCRIBE",
    [BLPOP] = "BLPOP @ 0",
    [BLPOP_SHORT] = "BLPOP @ 0.2",
    [XREAD_BLOCK] = "XREAD BLOCK 300 STREAMS @ $",
    [REPLY_ON] = "CLIENT REPLY ON",
    [REPLY_OFF] = "CLIENT REPLY OFF",
    [REPLY_SKIP] = "CLIENT REPLY SKIP",
    [SELECT_0] = "SELECT 0",
    [SELECT_1] = "SELECT 1",
    [SELECT_BAD] = "SELECT 99",
    [AUTH_A] = "AUTH a p",
    [AUTH_B] = "AUTH b p",
    [AUTH_BAD] = "AUTH a wrong",
    [HELLO_2] = "HELLO 2",
    [HELLO_3] = "HELLO 3",
    [HELLO_AUTH] = "HELLO 3 AUTH b p",
    [RESET] = "RESET",
    [QUIT] = "QUIT",
    [ID] = "CLIENT ID",
    [SETNAME] = "CLIENT SETNAME joe",
    [GETNAME] = "CLIENT GETNAME",
    [UNKNOWN] = "BOGUS @",
    [MODULE] = "MOD.W @",
    [WAIT] = "WAIT 0 0",
    [SCRIPT_LOAD] = "SCRIPT LOAD @",
    [TRACKING_ON] = "CLIENT TRACKING ON",
    [TRACKING_OFF] = "CLIENT TRACKING OFF",
    [NO_EVICT] = "CLIENT NO-EVICT ON",
    [MONITOR] = "MONITOR",
    [SYNC] = "SYNC",
    [BAD_ARITY] = "GET",
    [UNBLOCK] = "CLIENT UNBLOCK !",
};

/* ---- the books ---- */

struct books books;

struct record *record_of(struct slice tag, struct client **client, unsigned *number)
{
    char text[24];
    unsigned whose;
    if (tag.len < 4 || tag.len >= sizeof(text) || tag.data[0] != 't')
        return NULL;
    memcpy(text, tag.data, tag.len);
    text[tag.len] = '\0';
    if (sscanf(text, "t%u.%u", &whose, number) != 2 || whose < 1 || whose > books.client_count)
        return NULL;
    *client = books.clients[whose];
    return *number >= 1 && *number <= (*client)->issued ? &(*client)->records[*number] : NULL;
}

/* ---- the connection ---- */

static void heard(void *peer, const char *data, size_t len)
{
    struct client *c = peer;
    buf_append(&c->heard, data, len);
}

static void ended(void *peer)
{
    struct client *c = peer;
    c->ended = true;
    c->wire = NULL;
}

static const struct wire_peer client_peer = {heard, ended};

struct client *client_new(struct session_host *host, const struct traffic_listener_options *options)
{
    struct client *c = calloc(1, sizeof(*c));
    books.clients[++books.client_count] = c;
    c->number = books.client_count;
    c->route = options->route;
    c->next = 1;
    c->user = 'd';
    int fd = wire_dial(&client_peer, c, &c->wire);
    CHECK(session_open(host, options, fd, SESSION_ID_BASE + c->number) == 0,
          "a session was not opened");
    return c;
}

bool client_send(struct client *c, size_t most)
{
    size_t len = buf_len(&c->to_send) < most ? buf_len(&c->to_send) : most;
    if (!c->wire || c->wire->end || len == 0)
        return false;
    buf_append(&c->wire->in, buf_head(&c->to_send), len);
    buf_consume(&c->to_send, len);
    return true;
}

/* `half`: it has said all, and still listens. */
void client_leave(struct client *c, bool half)
{
    c->may_end = true;
    if (!c->wire || c->wire->end)
        return;
    c->wire->end = half ? UV_EOF : UV_ECONNRESET;
    if (half)
        return;
    buf_free(&c->wire->in);
    c->wire->peer = NULL;
    c->wire = NULL;
    c->ended = true;
}

void client_free(struct client *c)
{
    buf_free(&c->to_send);
    buf_free(&c->heard);
    free(c);
}

/* ---- commands ---- */

static bool writes(enum kind kind, enum route route)
{
    bool script = kind == EVAL && route != ROUTE_REPLICA;
    return kind == SET || kind == SET_BIG || kind == BLPOP || kind == BLPOP_SHORT ||
           kind == MODULE || script;
}

static struct slice fill(const struct client *c, struct slice word, unsigned detail, char *out,
                         size_t size)
{
    int len;
    if (*word.data == '@')
        len = snprintf(out, size, "t%u.%u", c->number, c->issued);
    else if (*word.data == '#')
        len = snprintf(out, size, "%0*u", LONG_VALUE, detail);
    else if (*word.data == '%')
        len = snprintf(out, size, "ch%u", detail % CHANNELS);
    else if (*word.data == '!')
        len = snprintf(out, size, "%llu", (unsigned long long)SESSION_ID_BASE + detail % 4 + 1);
    else
        return word;
    return (struct slice){out, (size_t)len};
}

static void append(struct client *c, enum kind kind, unsigned detail, bool as_line)
{
    static char filled[8][LONG_VALUE + 8];
    struct slice argv[8];
    int argc = 0;
    char text[80], *rest = text, *word;
    snprintf(text, sizeof(text), "%s", words[kind]);
    while ((word = strsep(&rest, " ")))
        argv[argc++] = (struct slice){word, strlen(word)};
    for (int i = 0; i < argc; i++)
        argv[i] = fill(c, argv[i], detail, filled[i], sizeof(filled[i]));
    if (argv[argc - 1].len == 3 && detail & 64 && kind >= SUBSCRIBE && kind <= SSUBSCRIBE)
        argv[argc++] = (struct slice){"ch0", 3};
    if (!as_line) {
        resp_append_command(&c->to_send, argc, argv);
        return;
    }
    for (int i = 0; i < argc; i++)
        buf_printf(&c->to_send, "%.*s%s", (int)argv[i].len, argv[i].data,
                   i + 1 < argc ? " " : "\r\n");
}

void client_issue(struct client *c, enum kind kind, unsigned detail, bool as_line)
{
    struct record *record;
    /* A transaction that turns its own answers off leaves Redis' clients without them, too; and a
     * subscriber may not, in RESP2. */
    if (c->issued == COMMANDS ||
        ((c->issued_tx || c->issued_subscribe) && kind >= REPLY_ON && kind <= REPLY_SKIP))
        return;
    /* What it is called inside a transaction only its upstream knows. */
    if (c->issued_tx && (kind == GETNAME || kind == ID))
        return;
    if (kind == MULTI)
        c->issued_tx = true;
    else if (kind >= SUBSCRIBE && kind <= SSUBSCRIBE)
        c->issued_subscribe = true;
    else if (kind == REPLY_OFF || kind == REPLY_SKIP)
        c->issued_reply = true;
    else if (kind == EXEC || kind == DISCARD || kind == RESET)
        c->issued_tx = false;
    if (kind == RESET)
        c->issued_subscribe = false;
    record = &c->records[++c->issued];
    *record =
        (struct record){.kind = (uint8_t)kind, .write = writes(kind, c->route), .ends = books.ends};
    TRACE("== t%u.%u issues %s", c->number, c->issued, kind == GARBAGE ? "garbage" : words[kind]);
    if (kind >= SUBSCRIBE && kind <= SSUBSCRIBE)
        record->parts = detail & 64 ? 2 : 1;
    if (kind == QUIT || kind == GARBAGE)
        c->may_end = true;
    if (kind == UNBLOCK)
        books.unblocked = true;
    if (kind == GARBAGE)
        buf_append(&c->to_send, "*1\r\n+x\r\n", 8);
    else
        append(c, kind, detail, as_line);
}
