/*
 * client_line: a session's line in CLIENT LIST and CLIENT INFO. The node's lines are about the proxy's connections.
 * A session with a lease at that node gets the line of its lease; any other one the line of the connection on
 * which the node was asked, as a form. Into both is filled what the proxy knows better: id, address, name, user, age
 * and so on. A session without a lease has no transaction, no subscription and no buffers at the node.
 */
#include "commands/client_line.h"

#include "commands/client_filter.h"
#include "commands/client_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The fields that are filled into a line, and the memory of their values. */
struct sheet {
    struct client_text_field fields[40]; /* no line has as many */
    size_t count;
    char numbers[16][24];
    size_t used;
    char addr[ENDPOINT_TEXT_MAX], laddr[ENDPOINT_TEXT_MAX];
};

static void put(struct sheet *sheet, const char *key, struct slice value)
{
    sheet->fields[sheet->count++] = (struct client_text_field){key, value};
}

static void put_text(struct sheet *sheet, const char *key, const char *text)
{
    put(sheet, key, (struct slice){text, strlen(text)});
}

static void put_number(struct sheet *sheet, const char *key, int64_t number)
{
    char *text = sheet->numbers[sheet->used++];
    snprintf(text, sizeof(sheet->numbers[0]), "%" PRId64, number);
    put_text(sheet, key, text);
}

/* The fields of every session. `form` is the line into which they go. */
static void put_session(struct sheet *sheet, const struct session *s, struct slice form)
{
    struct slice idle = client_text_value(form, "idle");
    const char *name = s->client.last && s->client.last->name ? s->client.last->name : "NULL";
    int64_t seconds = client_seconds_since(s, s->client.read_ms), nodes;
    bool whole = client_text_value(form, "resp")
                     .data; /* Redis 6.2 has no such field, and shows no subcommands */
    if (s->lease.upstream && resp_parse_integer(idle, &nodes) && nodes < seconds)
        seconds = nodes; /* its node has written to it since then: a message, for example */
    put_number(sheet, "id", (int64_t)s->id);
    put_text(sheet, "addr", client_address(sheet->addr, sizeof(sheet->addr), s, true));
    put_text(sheet, "laddr", client_address(sheet->laddr, sizeof(sheet->laddr), s, false));
    put_number(sheet, "fd", s->client.stream.fd);
    put_text(sheet, "name", s->client.name ? s->client.name : "");
    put_number(sheet, "age", client_seconds_since(s, s->client.opened_ms));
    put_number(sheet, "idle", seconds);
    put(sheet, "cmd", (struct slice){name, whole ? strlen(name) : strcspn(name, "|")});
    put(sheet, "user", client_user(s));
    if (s->special.redirects_to)
        put_number(sheet, "redir", (int64_t)s->special.redirects_to);
}

/* The fields of a session that has no lease: the form is the line of another connection. */
static void put_shared(struct sheet *sheet, const struct session *s, bool asks)
{
    static const char *const zero[] = {"sub",        "psub",        "ssub",    "watch",
                                       "tot-net-in", "tot-net-out", "tot-cmds"};
    static const char *const memory[] = {"qbuf-free", "argv-mem", "multi-mem", "rbs",
                                         "rbp",       "obl",      "oll"};
    size_t out = buf_len(&s->client.out);
    put_text(sheet, "flags", "N");
    put_number(sheet, "db", s->identity->db);
    put_number(sheet, "resp", s->identity->resp3 ? 3 : 2);
    put_text(sheet, "multi", "-1");
    put_text(sheet, "redir", "-1");
    put_text(sheet, "events", "r");
    for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
        put_text(sheet, zero[i], "0");
    if (asks)
        return; /* the form is the connection that carries its command: those buffers are as good as its own */
    put_text(sheet, "qbuf", "0");
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
        put_text(sheet, memory[i], "0");
    put_number(sheet, "omem", (int64_t)out);
    put_number(sheet, "tot-mem", (int64_t)(sizeof(*s) + out + s->queue.bytes));
}

void client_line_append(struct buf *out, const struct session *s, struct slice own,
                        struct slice form, bool asks)
{
    struct sheet sheet = {.count = 0};
    put_session(&sheet, s, own.data ? own : form);
    if (!own.data)
        put_shared(&sheet, s, asks);
    client_text_write(out, own.data ? own : form, sheet.fields, sheet.count);
}
