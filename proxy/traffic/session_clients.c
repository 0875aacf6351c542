/*
 * session_clients: CLIENT LIST, INFO and ID are about clients, and a node knows only the proxy's
 * connections. So the node is asked (session_ask.c), and what it answers is told in terms of sessions:
 * of LIST, its lines without those of the proxy's upstreams, and one for each session of the group. That
 * one is the line of the session's lease, if it has one there, or else of the connection that carried the
 * question, with what the session knows better filled in.
 *
 * With several workers each would add its own: only the marking of upstreams and add_sessions() look at
 * more than this session, and the node's lines, which they need, do not change meanwhile.
 */
#include "traffic/roll.h"
#include "traffic/session_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

/* What is filled into a line. */
struct sheet {
    struct roll_field fields[40]; /* no line has as many */
    size_t count;
    char numbers[16][24];
    size_t used;
    char addr[ENDPOINT_TEXT_MAX], laddr[ENDPOINT_TEXT_MAX];
};

static void put(struct sheet *sheet, const char *key, struct slice value)
{
    sheet->fields[sheet->count++] = (struct roll_field){key, value};
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

/* What is true of any session. `form` is the line that it goes into. */
static void put_session(struct sheet *sheet, const struct session *s, struct slice form)
{
    struct slice idle = roll_value(form, "idle");
    const char *name = s->last && s->last->name ? s->last->name : "NULL";
    int64_t seconds = session_seconds_since(s, s->read_ms), nodes;
    bool whole =
        roll_value(form, "resp").data; /* Redis 6.2 has no such field, and no subcommands */
    if (s->lease && resp_parse_integer(idle, &nodes) && nodes < seconds)
        seconds = nodes; /* it has been written to since */
    put_number(sheet, "id", (int64_t)s->id);
    put_text(sheet, "addr", session_address(sheet->addr, sizeof(sheet->addr), s, true));
    put_text(sheet, "laddr", session_address(sheet->laddr, sizeof(sheet->laddr), s, false));
    put_number(sheet, "fd", s->stream.fd);
    put_text(sheet, "name", s->name ? s->name : "");
    put_number(sheet, "age", session_seconds_since(s, s->opened_ms));
    put_number(sheet, "idle", seconds);
    put(sheet, "cmd", (struct slice){name, whole ? strlen(name) : strcspn(name, "|")});
    put(sheet, "user", session_user(s));
    if (session_redirects_to(s))
        put_number(sheet, "redir", (int64_t)session_redirects_to(s));
}

/* Of one that has no connection of its own: the form is somebody else's. */
static void put_shared(struct sheet *sheet, const struct session *s, bool asks)
{
    static const char *const zero[] = {"sub",        "psub",        "ssub",    "watch",
                                       "tot-net-in", "tot-net-out", "tot-cmds"};
    static const char *const memory[] = {"qbuf-free", "argv-mem", "multi-mem", "rbs",
                                         "rbp",       "obl",      "oll"};
    size_t out = buf_len(&s->out);
    put_text(sheet, "flags", "N");
    put_number(sheet, "db", s->identity->db);
    put_number(sheet, "resp", s->identity->resp3 ? 3 : 2);
    put_text(sheet, "multi", "-1");
    put_text(sheet, "redir", "-1");
    put_text(sheet, "events", "r");
    for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
        put_text(sheet, zero[i], "0");
    if (asks)
        return; /* the form's buffers are as good as its own: they hold this very question */
    put_text(sheet, "qbuf", "0");
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
        put_text(sheet, memory[i], "0");
    put_number(sheet, "omem", (int64_t)out);
    put_number(sheet, "tot-mem", (int64_t)(sizeof(*s) + out + s->waiting_bytes));
}

static void add_line(struct buf *out, const struct session *s, struct slice own, struct slice form,
                     bool asks)
{
    struct sheet sheet = {.count = 0};
    put_session(&sheet, s, own.data ? own : form);
    if (!own.data)
        put_shared(&sheet, s, asks);
    roll_write(out, own.data ? own : form, sheet.fields, sheet.count);
}

/* ---- LIST and INFO ---- */

struct slice session_text_of(struct slice reply)
{
    const char *end = reply.data + reply.len, *at = memchr(reply.data, '\n', reply.len);
    size_t skip = 1 + (reply.data[0] == '=' ? 4 : 0); /* "txt:" */
    if ((reply.data[0] != '$' && reply.data[0] != '=') || !at || end - at < (ptrdiff_t)skip + 2)
        return (struct slice){NULL, 0};
    return (struct slice){at + skip, (size_t)(end - at) - skip - 2};
}

void session_put_text(struct buf *out, char type, const struct buf *text)
{
    bool verbatim = type == '=';
    buf_printf(out, "%c%zu\r\n%s", type, buf_len(text) + (verbatim ? 4 : 0),
               verbatim ? "txt:" : "");
    if (buf_len(text) > 0)
        buf_append(out, buf_head(text), buf_len(text));
    buf_append(out, "\r\n", 2);
}

static void answer_text(struct session *s, struct request *r, char type, const struct buf *text)
{
    struct buf whole = {0};
    session_put_text(&whole, type, text);
    session_answer_bytes(s, r, buf_head(&whole), buf_len(&whole));
    buf_free(&whole);
}

static void mark(void *data, uint64_t id)
{
    struct roll_line *line = roll_find(data, id);
    if (line)
        line->ours = true;
}

static enum client_kind kind_of_line(struct slice line)
{
    struct slice flags = roll_value(line, "flags");
    if (!flags.data)
        return CLIENT_NORMAL;
    if (memchr(flags.data, 'M', flags.len))
        return CLIENT_MASTER;
    if (memchr(flags.data, 'S', flags.len))
        return CLIENT_REPLICA;
    return memchr(flags.data, 'P', flags.len) ? CLIENT_PUBSUB : CLIENT_NORMAL;
}

static void add_others(struct buf *out, const struct roll *roll, const struct client_choice *choice)
{
    for (size_t i = 0; i < roll->count; i++) {
        const struct roll_line *line = &roll->lines[i];
        if (line->ours || !client_choice_has_id(choice, line->id) ||
            (choice->kind && choice->kind != kind_of_line(line->text)))
            continue;
        roll_write(out, line->text, NULL, 0);
    }
}

/* `from` carried the question: its line is the form for those who have no connection there. */
static void add_sessions(struct buf *out, const struct session *me, const struct upstream *from,
                         const struct roll *roll, const struct client_choice *choice)
{
    const struct roll_line *carrier = roll_find(roll, router_client_id(from));
    for (struct list *it = me->host->sessions.next; it != &me->host->sessions; it = it->next) {
        const struct session *s = container_of(it, struct session, in_host);
        const struct roll_line *own = NULL;
        if (!session_is_chosen(choice, s, me))
            continue;
        if (s->lease && router_same_node(s->lease, from))
            own = roll_find(roll, router_client_id(s->lease));
        if (own || carrier)
            add_line(out, s, own ? own->text : (struct slice){NULL, 0},
                     carrier ? carrier->text : own->text, s == me);
    }
}

static void list_told(struct session *s, struct request *r, const struct upstream *from,
                      struct slice reply)
{
    struct slice text = session_text_of(reply);
    struct client_choice choice;
    struct roll roll;
    struct buf out = {0};
    if (client_choice_of_list(r, &choice) && text.data) {
        roll_read(&roll, text);
        router_each_client_id(s->host->router, from, mark, &roll);
        add_others(&out, &roll, &choice);
        add_sessions(&out, s, from, &roll, &choice);
        answer_text(s, r, reply.data[0], &out);
        roll_free(&roll);
    } else {
        session_answer_bytes(s, r, reply.data, reply.len);
    }
    buf_free(&out);
    free(choice.ids);
}

static enum step client_list(struct session *s, struct request *r)
{
    static const char all[] = "*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n";
    struct slice question = {r->data, r->len};
    struct client_choice choice;
    if (client_choice_of_list(r, &choice))
        question = (struct slice){all, sizeof(all) - 1};
    free(choice.ids);
    return session_ask(s, r, false, question, list_told);
}

static void info_told(struct session *s, struct request *r, const struct upstream *from,
                      struct slice reply)
{
    struct slice text = session_text_of(reply);
    struct buf out = {0};
    (void)from;
    if (!text.data || text.len == 0) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    text.len--; /* the line end */
    add_line(&out, s, s->lease ? text : (struct slice){NULL, 0}, text, true);
    answer_text(s, r, reply.data[0], &out);
    buf_free(&out);
}

/* ---- ID ---- */

static void answer_id(struct session *s, struct request *r)
{
    session_answerf(s, r, ":%" PRIu64 "\r\n", s->id);
}

static void id_told(struct session *s, struct request *r, const struct upstream *from,
                    struct slice reply)
{
    (void)from;
    if (reply.data[0] == ':')
        answer_id(s, r);
    else
        session_answer_bytes(s, r, reply.data, reply.len);
}

/* Nobody waits for a master for that: clients ask when they connect. */
static enum step client_id(struct session *s, struct request *r)
{
    enum step step = session_ask(s, r, false, (struct slice){r->data, r->len}, id_told);
    if (step != STEP_HOLD || (!s->identity->authenticated && !s->let_in))
        return step;
    answer_id(s, r);
    return STEP_ON;
}

enum step session_perform_clients(struct session *s, struct request *r)
{
    switch (r->command->verb) {
    case VERB_CLIENT_LIST:
        return client_list(s, r);
    case VERB_CLIENT_INFO:
        return session_ask(s, r, false, (struct slice){r->data, r->len}, info_told);
    case VERB_CLIENT_KILL:
        return session_client_kill(s, r);
    default:
        return client_id(s, r);
    }
}
