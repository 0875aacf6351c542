/*
 * session_clients: CLIENT LIST, INFO and ID are about clients, and a node knows only the proxy's
 * connections. So the node is asked (session_ask.c), and what it answers is told in terms of sessions:
 * of LIST, its lines without those of the proxy's upstreams, and one for each session of the group
 * (session_line.c).
 *
 * Each worker knows its own upstreams and sessions: the node's lines go relay, every worker marks those
 * of its upstreams and adds those of its sessions, and at home all are put together, by their ids, as
 * Redis has them.
 */
#include "traffic/roll.h"
#include "traffic/session_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

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

/* ---- LIST ---- */

/* A session's line in `lines`. */
struct entry {
    uint64_t id;
    size_t at, len;
};

struct list_inquiry {
    struct inquiry inquiry;
    struct client_choice choice;
    struct asker asker;
    uint64_t node, carrier; /* who was asked, and over which connection */
    char type;              /* of its answer, and that without its frame */
    struct buf text;
    struct roll roll;
    struct entry *entries;
    size_t count;
    struct buf lines;
};

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

static void add_others(struct buf *out, const struct list_inquiry *q)
{
    for (size_t i = 0; i < q->roll.count; i++) {
        const struct roll_line *line = &q->roll.lines[i];
        if (line->ours || !client_choice_has_id(&q->choice, line->id) ||
            (q->choice.kind && q->choice.kind != kind_of_line(line->text)))
            continue;
        roll_write(out, line->text, NULL, 0);
    }
}

static void mark(void *data, uint64_t id)
{
    struct roll_line *line = roll_find(data, id);
    if (line)
        line->ours = true;
}

static void add_entry(struct list_inquiry *q, const struct session *s)
{
    const struct roll_line *carrier = roll_find(&q->roll, q->carrier), *own = NULL;
    struct entry *entry;
    size_t at = buf_len(&q->lines);
    if (s->lease && upstream_node(s->lease) == q->node)
        own = roll_find(&q->roll, upstream_client_id(s->lease));
    if (!own && !carrier)
        return;
    session_add_line(&q->lines, s, own ? own->text : (struct slice){NULL, 0},
                     carrier ? carrier->text : own->text, s->id == q->asker.id);
    q->entries = realloc(q->entries, (q->count + 1) * sizeof(*q->entries));
    if (!q->entries)
        abort();
    entry = &q->entries[q->count++];
    *entry = (struct entry){s->id, at, buf_len(&q->lines) - at};
}

/* What this worker knows. */
static void fill_in(struct list_inquiry *q, const struct session_host *host)
{
    router_each_client_id(host->router, q->asker.group, q->node, mark, &q->roll);
    for (struct list *it = host->sessions.next; it != &host->sessions; it = it->next) {
        const struct session *s = container_of(it, struct session, in_host);
        if (session_is_chosen(&q->choice, s, &q->asker))
            add_entry(q, s);
    }
}

static bool list_visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    fill_in(container_of(relay, struct list_inquiry, inquiry.relay), there);
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static void list_home(struct session *s, struct request *r, struct inquiry *inquiry)
{
    struct list_inquiry *q = container_of(inquiry, struct list_inquiry, inquiry);
    struct buf out = {0};
    add_others(&out, q);
    if (q->count > 0)
        qsort(q->entries, q->count, sizeof(*q->entries), by_id);
    for (size_t i = 0; i < q->count; i++)
        buf_append(&out, buf_head(&q->lines) + q->entries[i].at, q->entries[i].len);
    answer_text(s, r, q->type, &out);
    buf_free(&out);
}

static void list_free(struct inquiry *inquiry)
{
    struct list_inquiry *q = container_of(inquiry, struct list_inquiry, inquiry);
    roll_free(&q->roll);
    buf_free(&q->text);
    buf_free(&q->lines);
    free(q->entries);
    free(q->choice.ids);
    free(q);
}

static struct list_inquiry *list_new(struct session *s, const struct request *r,
                                     const struct upstream *from, char type, struct slice text)
{
    struct list_inquiry *q = calloc(1, sizeof(*q));
    if (!q)
        abort();
    session_inquire(s, &q->inquiry, r);
    q->inquiry.told = list_home;
    q->inquiry.free = list_free;
    (void)client_choice_of_list(q->inquiry.asking, &q->choice);
    q->asker = (struct asker){s->place.group, s->id};
    q->node = upstream_node(from);
    q->carrier = upstream_client_id(from);
    q->type = type;
    buf_append(&q->text, text.data, text.len);
    roll_read(&q->roll, (struct slice){buf_head(&q->text), text.len});
    return q;
}

static void list_told(struct session *s, struct request *r, const struct upstream *from,
                      struct slice reply)
{
    struct slice text = session_text_of(reply);
    struct client_choice choice;
    bool known = client_choice_of_list(r, &choice);
    free(choice.ids);
    if (!known || !text.data) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    struct list_inquiry *q = list_new(s, r, from, reply.data[0], text);
    fill_in(q, s->host);
    session_ask_workers(&q->inquiry, list_visit);
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

/* ---- INFO ---- */

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
    session_add_line(&out, s, s->lease ? text : (struct slice){NULL, 0}, text, true);
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
    if (step != STEP_HOLD || (!s->identity->authenticated && !s->auth_not_needed))
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
