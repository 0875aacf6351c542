/*
 * node: the nodes' life: connections, what the proxy may write to them, when
 * replies arrive, and what happens to a node. What it does with a command is in
 * redis.c.
 *
 * Both nodes share one data set: replication is perfect. What a node was sent and
 * has not read when the proxy closes the connection it may still execute, as
 * a real one does.
 */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_node nodes[NODES];
static uint64_t last_id;
static unsigned last_message;

static const char *const message_words[3] = {"message", "pmessage", "smessage"};

/* ---- what the proxy may write ---- */

bool is_setup(const struct command_line *line)
{
    return is(line, 0, "info") || (is(line, 0, "client") && is(line, 1, "id")) ||
           is(line, 0, "reset") || is(line, 0, "auth") || is(line, 0, "hello") ||
           is(line, 0, "select") ||
           (is(line, 0, "ping") && line->count == 1); /* a client's has a tag */
}

static void check_written(const struct conn *conn, const struct command_line *line, bool right,
                          bool to_master)
{
    struct client *client;
    unsigned number;
    struct record *record = tag_in(line, &client, &number);
    bool own = is(line, 0, "command") || (is(line, 0, "client") && is(line, 1, "unblock"));
    if (is_setup(line))
        return;
    CHECK(conn->clients || own, "the proxy's own connection carries %.*s", (int)line->arg[0].len,
          line->arg[0].data);
    if (!conn->clients)
        return;
    CHECK(right, "%.*s was written to a node that the snapshot does not name",
          (int)line->arg[0].len, line->arg[0].data);
    CHECK(!record || !record->write || to_master,
          "a write was written to a node that is no master");
}

static void may_write_now(const struct fake_node *node, bool *right, bool *to_master)
{
    const struct topology_group *group = &books.shown->groups[0];
    *to_master = group->master == node->number && group->writable;
    *right = *to_master || group->nodes[node->number].readable;
}

static void heard(void *peer, const char *data, size_t len)
{
    struct conn *conn = peer;
    size_t before = buf_len(&conn->inbox), whole;
    struct command_line line;
    bool right, to_master;
    may_write_now(conn->node, &right, &to_master);
    if (conn->looked_at == before) { /* a command begins with these bytes */
        conn->began_right = right;
        conn->to_master = to_master;
    }
    buf_append(&conn->inbox, data, len);
    while (parse(&conn->inbox, conn->looked_at, &line, &whole)) {
        check_written(conn, &line, conn->began_right, conn->to_master);
        if (is(&line, 0, "reset"))
            conn->clients = true;
        conn->looked_at += whole;
        conn->began_right = right;
        conn->to_master = to_master;
    }
}

/* It ends: in the middle of a reply? Of what the proxy has not read yet the beginning may be the end of one. */
static void note_cut(const struct conn *conn)
{
    if (conn->delivered.total > 0 || (conn->wire && buf_len(&conn->wire->in) > 0))
        books.cut_short = true;
}

static void ended(void *peer)
{
    struct conn *conn = peer;
    note_cut(conn);
    if (!conn->served && wire_now - conn->since >= CONNECT_TIMEOUT_MS)
        books.unserved = true; /* connecting took too long */
    conn->wire = NULL;
    buf_free(&conn->blocked);
}

static const struct wire_peer node_peer = {heard, ended};

int node_connected(const struct address *to, struct wire *wire);
int node_connected(const struct address *to, struct wire *wire)
{
    struct fake_node *node = &nodes[ntohs(to->sa.v4.sin_port) - 1];
    struct conn *conn;
    if (node->down) {
        books.unserved = true;
        return UV_ECONNREFUSED;
    }
    conn = calloc(1, sizeof(*conn));
    conn->wire = wire;
    conn->node = node;
    conn->id = ++last_id;
    conn->since = wire_now;
    conn->user = 'd';
    list_append(&node->conns, &conn->in_node);
    wire->peer = &node_peer;
    wire->owner = conn;
    return 0;
}

static void free_conn(struct conn *conn)
{
    list_remove(&conn->in_node);
    buf_free(&conn->inbox);
    buf_free(&conn->outbox);
    buf_free(&conn->queue);
    buf_free(&conn->blocked);
    free(conn);
}

/* The connection ends here; the proxy hears of it. */
static void cut(struct conn *conn, int how)
{
    books.lost = books.unserved = true;
    books.ends++;
    note_cut(conn);
    if (conn->wire) {
        conn->wire->end = how;
        conn->wire->peer = NULL;
    }
    if (how == UV_EOF)
        free_conn(conn);
    else
        conn->wire = NULL; /* what it was sent it may still execute */
}

/* ---- its replies ---- */

bool node_execute(int number, unsigned most)
{
    bool did = false;
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        for (unsigned i = 0; i < most && execute_one(conn); i++)
            did = true;
        if (!conn->wire && buf_len(&conn->blocked) == 0) {
            struct command_line line;
            size_t len;
            if (!parse(&conn->inbox, 0, &line, &len) || conn->node->leaving)
                free_conn(conn);
        }
    }
    return did;
}

static void deliver(struct conn *conn, size_t len)
{
    size_t at = 0, used;
    while (at < len) {
        enum resp_result result =
            resp_reply_parse(&conn->delivered, buf_head(&conn->outbox) + at, len - at, &used);
        CHECK(result != RESP_ERROR, "the fake node speaks no RESP");
        if (result == RESP_DONE)
            memset(&conn->delivered, 0, sizeof(conn->delivered));
        at += used;
    }
    buf_append(&conn->wire->in, buf_head(&conn->outbox), len);
    buf_consume(&conn->outbox, len);
}

bool node_deliver(int number, size_t most)
{
    bool did = false;
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        size_t len = buf_len(&conn->outbox) < most ? buf_len(&conn->outbox) : most;
        if (!conn->wire || len == 0)
            continue;
        deliver(conn, len);
        did = true;
    }
    return did;
}

bool nodes_act(void)
{
    bool did = false;
    for (int i = 0; i < NODES; i++) {
        if (nodes[i].slow)
            continue;
        did |= node_execute(i, COMMANDS);
        did |= node_deliver(i, ROOM_ENOUGH);
    }
    return did;
}

/* ---- blocked commands ---- */

bool node_wake_blocked(int number)
{
    bool did = false;
    if (nodes[number].leaving)
        return false;
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (buf_len(&conn->blocked) > 0) {
            unblock(conn, NULL);
            did = true;
        }
    }
    return did;
}

void node_expire_blocked(int number)
{
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (buf_len(&conn->blocked) > 0 && conn->blocked_until && conn->blocked_until <= wire_now)
            unblock(conn, null_array(conn));
    }
}

/* ---- what happens to nodes ---- */

void nodes_begin(void)
{
    memset(nodes, 0, sizeof(nodes));
    last_id = last_message = 0;
    users_gone = false;
    for (int i = 0; i < NODES; i++) {
        struct fake_node *node = &nodes[i];
        node->number = i;
        node->master = i == 0;
        list_init(&node->conns);
        node->view.id = (uint64_t)i + 1;
        node->view.address.sa.v4 =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(i + 1))};
        node->view.address.len = sizeof(struct sockaddr_in);
        snprintf(node->view.name, sizeof(node->view.name), "node-%d", i + 1);
    }
}

void nodes_end(void)
{
    for (int i = 0; i < NODES; i++)
        list_each (it, &nodes[i].conns)
            free_conn(container_of(it, struct conn, in_node));
}

const struct topology_node *node_view(int number)
{
    return &nodes[number].view;
}

bool node_is_master(int number)
{
    return nodes[number].master;
}

void node_become(int number, bool master)
{
    if (nodes[number].master == master)
        return;
    nodes[number].master = master;
    books.unserved = true;
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (buf_len(&conn->blocked) > 0)
            unblock(conn, "-UNBLOCKED force unblock from blocking operation, instance state "
                          "changed (master -> replica?)\r\n");
    }
}

void node_trouble(int number, enum trouble trouble)
{
    nodes[number].trouble = trouble;
}

void node_slow(int number, bool slow)
{
    nodes[number].slow = slow;
}

void node_down(int number, bool down)
{
    nodes[number].down = down;
}

bool node_is_leaving(int number)
{
    return nodes[number].leaving;
}

void node_leave(int number)
{
    nodes[number].leaving = true;
    books.unserved = true;
}

/* In good order it answers what it executed; otherwise what is on its way is lost. */
void node_crash(int number, bool clean)
{
    nodes[number].leaving = false;
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (clean && conn->wire && buf_len(&conn->outbox) > 0)
            deliver(conn, buf_len(&conn->outbox));
        cut(conn, clean ? UV_EOF : UV_ECONNRESET);
    }
}

void node_forget_users(void)
{
    users_gone = books.strangers = true;
}

void node_squeeze(int number, size_t room)
{
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (conn->wire)
            conn->wire->room = room;
    }
}

void node_cut(int number, unsigned which, int how)
{
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        if (!conn->wire || which-- > 0)
            continue;
        cut(conn, how);
        return;
    }
}

void node_publish(int number, unsigned channel)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "m%u", ++last_message);
    list_each (it, &nodes[number].conns) {
        struct conn *conn = container_of(it, struct conn, in_node);
        for (int kind = 0; kind < 3; kind++) {
            const char *word = message_words[kind];
            if (!(conn->subs[kind] & 1 << channel))
                continue;
            buf_printf(&conn->outbox, "%c%d\r\n$%zu\r\n%s\r\n$3\r\nch%u\r\n",
                       conn->resp3 ? '>' : '*', kind == 1 ? 4 : 3, strlen(word), word, channel);
            if (kind == 1)
                buf_printf(&conn->outbox, "$3\r\nch%u\r\n", channel);
            buf_printf(&conn->outbox, "$%d\r\n%s\r\n", len, text);
        }
        if (conn->monitor)
            say(conn, "+1700000000.1 [0 somebody] \"GET\" \"x\"\r\n");
    }
}
