/*
 * client_list: CLIENT LIST, CLIENT INFO and CLIENT ID tell about a node's clients. A node behind the proxy knows only
 * the proxy's connections. So the node is asked (session/question.c), because it decides whether this user may
 * know, and its version decides which fields a line has. Then its answer is translated:
 *
 *   ID     becomes the session's id
 *   INFO   is the line of the connection that was asked: it becomes the session's (client_line.c)
 *   LIST   loses the lines of the proxy's own connections, and gets one line for each session of the group
 *
 * Each worker knows only its own connections and sessions. So the text of LIST visits every worker, which marks
 * the lines of its connections and adds those of its sessions, in slices (session/walk.h): others do not wait for that. When it has come home, the lines are put together in
 * the order of their ids, as Redis does it.
 */
#include "commands/client_list.h"

#include "commands/client_filter.h"
#include "commands/client_line.h"
#include "commands/client_text.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/question.h"
#include "session/requests.h"
#include "session/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer_text(struct session *s, struct session_request *r, char type,
                        const struct buf *text)
{
    struct buf whole = {0};
    resp_append_text(&whole, type, text);
    session_answer_bytes(s, r, buf_head(&whole), buf_len(&whole));
    buf_free(&whole);
}

/* ---- LIST ---- */

/* Where a session's line stands in list_inquiry.lines. */
struct entry {
    uint64_t id;
    size_t at, len;
};

/* The node's answer, on its way from worker to worker. */
struct list_inquiry {
    struct inquiry inquiry;
    struct client_filter filter;
    struct asker asker;
    uint64_t node, carrier; /* the node that was asked, and its id of the connection that asked */
    char type; /* the first byte of the node's answer; `text` is that without its frame */
    struct buf text;
    struct client_text list;
    struct session_walk walk;
    bool marked; /* the lines of the visited worker's connections */
    struct entry *entries;
    size_t count, room;
    struct buf lines;
};

static enum client_kind kind_of_line(struct slice line)
{
    struct slice flags = client_text_value(line, "flags");
    if (!flags.data)
        return CLIENT_NORMAL;
    if (memchr(flags.data, 'M', flags.len))
        return CLIENT_MASTER;
    if (memchr(flags.data, 'S', flags.len))
        return CLIENT_REPLICA;
    return memchr(flags.data, 'P', flags.len) ? CLIENT_PUBSUB : CLIENT_NORMAL;
}

static void add_not_ours(struct buf *out, const struct list_inquiry *q)
{
    for (size_t i = 0; i < q->list.count; i++) {
        const struct client_text_line *line = &q->list.lines[i];
        if (line->ours || !client_filter_has_id(&q->filter, line->id) ||
            (q->filter.kind && q->filter.kind != kind_of_line(line->text)))
            continue;
        client_text_write(out, line->text, NULL, 0);
    }
}

static void mark_ours(void *data, uint64_t id)
{
    struct client_text_line *line = client_text_find(data, id);
    if (line)
        line->ours = true;
}

static struct entry *new_entry(struct list_inquiry *q)
{
    if (q->count == q->room) {
        q->room = q->room ? 2 * q->room : 16;
        q->entries = realloc(q->entries, q->room * sizeof(*q->entries));
        if (!q->entries)
            abort();
    }
    return &q->entries[q->count++];
}

static void add_entry(struct list_inquiry *q, const struct session *s)
{
    const struct client_text_line *carrier = client_text_find(&q->list, q->carrier), *own = NULL;
    size_t at = buf_len(&q->lines);
    if (s->lease.upstream && upstream_node(s->lease.upstream) == q->node)
        own = client_text_find(&q->list, upstream_client_id(s->lease.upstream));
    if (!own && !carrier)
        return;
    client_line_append(&q->lines, s, own ? own->text : (struct slice){NULL, 0},
                       carrier ? carrier->text : own->text, s->id == q->asker.id);
    *new_entry(q) = (struct entry){s->id, at, buf_len(&q->lines) - at};
}

static bool add_if_wanted(void *data, struct session *s)
{
    struct list_inquiry *q = data;
    if (client_filter_passes(&q->filter, s, &q->asker))
        add_entry(q, s);
    return true;
}

/* Marks and adds what this worker knows, in slices. */
static bool list_visit(struct relay *relay, struct relay_stop *stop)
{
    struct list_inquiry *q = container_of(relay, struct list_inquiry, inquiry.relay);
    struct session_host *there = session_host_at(stop);
    if (!q->marked)
        router_each_client_id(there->router, q->asker.group, q->node, mark_ours, &q->list);
    q->marked = !session_walk(&q->walk, there, add_if_wanted, q); /* for the next one */
    return !q->marked;
}

static int by_id(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static void list_home(struct session *s, struct session_request *r, struct inquiry *inquiry)
{
    struct list_inquiry *q = container_of(inquiry, struct list_inquiry, inquiry);
    struct buf out = {0};
    add_not_ours(&out, q);
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
    session_walk_end(&q->walk);
    client_text_free(&q->list);
    buf_free(&q->text);
    buf_free(&q->lines);
    free(q->entries);
    free(q->filter.ids);
    free(q);
}

static struct list_inquiry *list_new(struct session *s, const struct session_request *r,
                                     const struct upstream *from, char type, struct slice text)
{
    struct list_inquiry *q = calloc(1, sizeof(*q));
    if (!q)
        abort();
    session_inquire(s, &q->inquiry, r);
    session_walk_init(&q->walk);
    q->inquiry.told = list_home;
    q->inquiry.free = list_free;
    (void)client_filter_of_list(q->inquiry.asking, &q->filter);
    q->asker = (struct asker){s->place.group, s->id};
    q->node = upstream_node(from);
    q->carrier = upstream_client_id(from);
    q->type = type;
    buf_append(&q->text, text.data, text.len);
    client_text_read(&q->list, (struct slice){buf_head(&q->text), text.len});
    return q;
}

static void list_node_answered(struct session *s, struct session_request *r,
                               const struct upstream *from, struct slice reply)
{
    struct slice text = resp_text_of(reply);
    struct client_filter filter;
    bool known = client_filter_of_list(r, &filter);
    free(filter.ids);
    if (!known || !text.data) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    struct list_inquiry *q = list_new(s, r, from, reply.data[0], text);
    session_ask_workers(&q->inquiry, list_visit);
}

enum step client_list_perform(struct session *s, struct session_request *r)
{
    static const char all[] = "*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n";
    struct slice question = {r->data, r->len};
    struct client_filter filter;
    if (client_filter_of_list(r, &filter))
        question = (struct slice){all, sizeof(all) - 1};
    free(filter.ids);
    return session_ask(s, r, false, question, list_node_answered);
}

/* ---- INFO ---- */

static void info_node_answered(struct session *s, struct session_request *r,
                               const struct upstream *from, struct slice reply)
{
    struct slice text = resp_text_of(reply);
    struct buf out = {0};
    (void)from;
    if (!text.data || text.len == 0) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    text.len--; /* without the line end */
    client_line_append(&out, s, s->lease.upstream ? text : (struct slice){NULL, 0}, text, true);
    answer_text(s, r, reply.data[0], &out);
    buf_free(&out);
}

enum step client_info_perform(struct session *s, struct session_request *r)
{
    return session_ask(s, r, false, (struct slice){r->data, r->len}, info_node_answered);
}

/* ---- ID ---- */

static void answer_id(struct session *s, struct session_request *r)
{
    session_answerf(s, r, ":%" PRIu64 "\r\n", s->id);
}

static void id_node_answered(struct session *s, struct session_request *r,
                             const struct upstream *from, struct slice reply)
{
    (void)from;
    if (reply.data[0] == ':')
        answer_id(s, r);
    else
        session_answer_bytes(s, r, reply.data, reply.len);
}

/* Many client libraries ask for the id when they connect: who is let in for certain gets it at once, also while there
 * is no node to ask. */
enum step client_id_perform(struct session *s, struct session_request *r)
{
    enum step step = session_ask(s, r, false, (struct slice){r->data, r->len}, id_node_answered);
    if (step != STEP_HOLD || (!s->identity->authenticated && !s->auth_not_needed))
        return step;
    answer_id(s, r);
    return STEP_ON;
}
