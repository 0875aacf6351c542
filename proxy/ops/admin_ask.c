/* admin_ask: see the header. */
#include "ops/admin_ask.h"

#include "base/secret.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 6

struct admin_ask {
    struct control_conn conn;
    int argc;
    char *argv[WORDS_MAX];
    admin_answer *answered; /* NULL: it was, or nobody wants to know */
    void *owner;
    bool closing;
};

static struct admin_ask *ask_of(struct control_conn *conn)
{
    return container_of(conn, struct admin_ask, conn);
}

static void close_it(struct admin_ask *ask)
{
    if (!ask->closing)
        control_conn_close(&ask->conn);
    ask->closing = true;
}

static void tell(struct admin_ask *ask, const redisReply *reply, const char *why)
{
    admin_answer *answered = ask->answered;
    ask->answered = NULL;
    close_it(ask);
    if (answered)
        answered(ask->owner, reply, why);
}

static void on_up(struct control_conn *conn)
{
    struct admin_ask *ask = ask_of(conn);
    control_conn_send(conn, 0, ask->argc, (const char *const *)ask->argv);
}

static void on_reply(struct control_conn *conn, int tag, const redisReply *reply)
{
    if (tag == 0)
        tell(ask_of(conn), reply, NULL);
}

static void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    (void)was_up;
    tell(ask_of(conn), NULL, why);
}

static void on_closed(struct control_conn *conn)
{
    struct admin_ask *ask = ask_of(conn);
    for (int i = 0; i < ask->argc; i++)
        free(ask->argv[i]);
    free(ask);
}

struct admin_ask *admin_ask(uv_loop_t *loop, const struct control_conn_options *options, int argc,
                            const char *const *argv, admin_answer *answered, void *owner)
{
    struct admin_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        abort();
    ask->argc = argc;
    for (int i = 0; i < argc; i++)
        ask->argv[i] = strdup(argv[i]);
    ask->answered = answered;
    ask->owner = owner;
    ask->conn.options = *options;
    ask->conn.on_up = on_up;
    ask->conn.on_reply = on_reply;
    ask->conn.on_down = on_down;
    ask->conn.on_closed = on_closed;
    control_conn_init(&ask->conn, loop);
    control_conn_open(&ask->conn, 0);
    return ask;
}

void admin_ask_cancel(struct admin_ask *ask)
{
    if (!ask)
        return;
    ask->answered = NULL;
    close_it(ask);
}

/* ---- whom ---- */

static void nobody(void *arg)
{
    (void)arg;
}

struct control_conn_options admin_node_options(const struct admin_core *core, size_t group,
                                               const struct endpoint *node, const char *tls_host)
{
    const struct topology_options *options = &core->sources.config->topology[group];
    struct topology *topology = board_acquire(core->sources.board);
    struct control_conn_options out = {
        .to = *node,
        .credential = topology ? credential_retain(topology->groups[group].own) : NULL,
        .connect_timeout_ms = options->connect_timeout_ms,
        .tls = options->tls,
        .tls_host = tls_host && *tls_host ? tls_host : NULL,
    };
    if (topology)
        topology_release(topology);
    return out;
}

struct control_conn_options admin_sentinel_options(const struct admin_core *core, size_t group,
                                                   size_t sentinel)
{
    static const struct credential_owner owner = {.group = "ctl", .wake = nobody};
    const struct topology_options *options = &core->sources.config->topology[group];
    struct control_conn_options out = {
        .to = options->sentinels[sentinel % options->sentinel_count], /* a reload may leave fewer */
        .connect_timeout_ms = options->connect_timeout_ms,
        .tls = options->sentinel_tls,
    };
    const char *password = options->sentinel_password;
    size_t len = password ? strlen(password) : 0;
    char why[160], *read = NULL;
    if (options->sentinel_password_file)
        read = secret_from_file(options->sentinel_password_file, &len, why, sizeof(why));
    if (options->sentinel_password_file && !read)
        len = password ? strlen(password) : 0;
    if (read || password)
        out.credential =
            credential_new(&owner, options->sentinel_username, read ? read : password, len);
    secret_free(read, len);
    return out;
}
