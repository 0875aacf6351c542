/*
 * replication: SYNC and PSYNC, with which a replica asks for the replication stream. Tools that read this stream use
 * them as well, and may do so through the proxy, on a listener with allow_replication = yes. From then on the session
 * is a tunnel on its lease: what the node sends is not RESP any more (a payload without a known end, then commands
 * that nobody answers), and is passed on as bytes.
 *
 * The node still executes commands that come on such a connection. So what the client sends is read as requests as
 * before, and only what a replica says passes: the reports of REPLCONF, PING, and the empty lines with which a
 * replica shows that it is alive while it loads. Anything else ends the session.
 *
 * A tunnel ends with its lease: a replica then connects again, and asks for the rest with PSYNC. Neither side
 * is read while the other one does not take what has come (tests/unit/commands/test_session_replication.c).
 */
#include "commands/replication.h"

#include "base/log.h"
#include "commands/client_filter.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/leasing.h"
#include "session/life.h"
#include "session/output.h"
#include "session/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void on_bytes(void *data, const char *bytes, size_t len)
{
    struct session *s = data;
    session_pass_on(s, bytes, len);
}

/* The bytes do not wait any longer, whatever became of them. */
static void finish_bytes(struct session *s, struct request *bytes)
{
    queue_discharge(&s->queue, request_cost(session_request_of(bytes)));
    request_free(session_pool(s), bytes);
    if (!life_closing(&s->life))
        session_mark_dirty(s); /* perhaps the session may be read again */
}

static void on_written(struct request *bytes, const char *data, size_t len, bool first, bool last)
{
    (void)data;
    (void)len;
    (void)first;
    (void)last;
    finish_bytes(bytes->owner_data, bytes);
}

static void on_not_written(struct request *bytes, enum request_failure why, const char *text)
{
    struct session *s = bytes->owner_data;
    (void)why;
    (void)text;
    finish_bytes(s, bytes);
    session_close(s, CLOSED_NODE, "the node that it replicates from is not to be written to");
}

static const struct request_owner bytes_owner = {on_written, on_not_written, NULL};

/* Sends bytes that nobody will answer. Until they are written they count as waiting, so that a session is not read
 * on for ever while its node takes nothing. */
static void send_bytes(struct session *s, const char *data, size_t len)
{
    struct request *bytes;
    if (!s->lease.upstream)
        return;
    bytes = request_own(session_pool(s), (struct slice){data, len}, &bytes_owner, s);
    queue_charge(&s->queue, request_cost(session_request_of(bytes)));
    upstream_submit(s->lease.upstream, bytes);
}

static void send_request(struct session *s, struct session_request *r)
{
    send_bytes(s, r->data, r->len);
    r->classified = r->silent = true;
    session_answer(s, r, "");
}

static void tunnel_alive(struct session *s)
{
    send_bytes(s, "\n", 1);
}

/* Whether it is a word with which a replica reports something in REPLCONF. (GETACK is a master's word.) */
static bool is_report(struct slice what)
{
    static const char *const reports[] = {
        "ack",       "fack", "capa", "listening-port", "version", "rdb-only", "rdb-filter-only",
        "ip-address"};
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (slice_is(what, reports[i]))
            return true;
    return false;
}

/* REPLCONF's arguments come in pairs. */
static bool is_what_a_replica_says(const struct session_request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct slice arg;
    (void)resp_args_next(&args, &arg);
    if (slice_is(arg, "ping"))
        return true;
    if (!slice_is(arg, "replconf"))
        return false;
    while (resp_args_next(&args, &arg))
        if (!is_report(arg) || !resp_args_next(&args, &arg))
            return false;
    return true;
}

static void cut_off(struct session *s, const struct session_request *r)
{
    char name[32], quoted[96], address[ENDPOINT_TEXT_MAX];
    struct slice said = session_arg(r, 0);
    snprintf(name, sizeof(name), "%.*s", (int)(said.len < 31 ? said.len : 31), said.data);
    log_event(LOG_WARN, "a client that replicates was cut off",
              "session=%" PRIu64 " client=%s command=%s reason=\"no replica says this\"", s->id,
              client_address(address, sizeof(address), s, true),
              log_quote(quoted, sizeof(quoted), name));
    session_close(s, CLOSED_PROTOCOL, "it replicates, and sent what no replica says");
}

static enum step tunnel_request(struct session *s, struct session_request *r)
{
    if (is_what_a_replica_says(r))
        send_request(s, r);
    else
        cut_off(s, r);
    return STEP_ON;
}

static const struct session_tunnel tunnel = {tunnel_request, tunnel_alive};

/* PSYNC replid offset FAILOVER makes the node that gets it a master (FAILOVER command): that is not for clients. */
static bool promotes(const struct session_request *r)
{
    return r->command->verb == VERB_SYNC && r->argc > 3;
}

enum step replication_route(struct session *s, struct session_request *r)
{
    if (promotes(r)) {
        s->tx.refused |= s->tx.state == TX_OPEN;
        session_answer(
            s, r, "-ERR redisproxy: PSYNC with FAILOVER is not available through the proxy\r\n");
        return STEP_ON;
    }
    if (s->tx.state == TX_OPEN) {
        s->tx.refused = true;
        session_answer(s, r, "-ERR Command not allowed inside a transaction\r\n");
        return STEP_ON;
    }
    lease_keep(&s->lease,
               LEASE_CHANGED); /* REPLCONF tells the node something about this connection */
    if (r->command->verb == VERB_REPLCONF)
        return session_send_on_lease(s, r);
    if (s->queue.inflight > 0)
        return STEP_WAIT;
    if (s->lease.upstream ? !router_may_write(s->host->router, s->lease.upstream)
                          : !session_take_lease(s))
        return STEP_HOLD;
    s->special.tunnel = &tunnel;
    s->lease.dirty = true;
    upstream_set_tunnel(s->lease.upstream, on_bytes);
    send_request(s, r);
    return STEP_ON;
}
