/*
 * session_replication: SYNC and PSYNC, on listeners with allow_replication = yes, for tools that read
 * the replication stream. From then on the session is a tunnel: what the node sends is not RESP
 * (a payload without an end, then commands that nobody answers), so both sides are passed on as bytes.
 *
 * A tunnel ends with its lease: a replica connects again and asks for the rest with PSYNC. Neither side
 * is read while the other one does not take what is there (tests/unit/test_session_replication.c).
 */
#include "traffic/session_state.h"

#include <string.h>

bool session_is_replication(const struct request *r)
{
    const char *name = r->command->name;
    return r->command->way == WAY_REFUSE &&
           (strcmp(name, "sync") == 0 || strcmp(name, "psync") == 0 ||
            strcmp(name, "replconf") == 0);
}

bool session_replicates(const struct session *s, const struct request *r)
{
    return s->listener->allow_replication && session_is_replication(r);
}

static void on_bytes(void *data, const char *bytes, size_t len)
{
    struct session *s = data;
    session_pass_on(s, bytes, len);
}

/* They are no longer waiting, whatever became of them. */
static void let_go(struct session *s, struct request *bytes)
{
    s->waiting_bytes -= bytes->len;
    request_free(&s->host->turn->requests, bytes);
    if (!s->closing)
        session_mark_dirty(s); /* it may be read again */
}

static void on_written(struct request *bytes, const char *data, size_t len, bool first, bool last)
{
    (void)data;
    (void)len;
    (void)first;
    (void)last;
    let_go(bytes->owner_data, bytes);
}

static void on_not_written(struct request *bytes, enum request_failure why, const char *text)
{
    struct session *s = bytes->owner_data;
    (void)why;
    (void)text;
    let_go(s, bytes);
    session_close(s, "the node that it replicates from is not to be written to");
}

static const struct request_owner bytes_owner = {on_written, on_not_written};

/* Nobody answers these. Until they are written they count as waiting: the session is not read for ever. */
void session_tunnel_feed(struct session *s, const char *data, size_t len)
{
    struct request *bytes;
    if (!s->lease)
        return;
    bytes = request_new(&s->host->turn->requests, len);
    bytes->owner = &bytes_owner;
    bytes->owner_data = s;
    request_set_bytes(bytes, data, len);
    s->waiting_bytes += len;
    router_send(s->lease, bytes);
}

enum step session_tunnel_rest(struct session *s, struct request *r)
{
    session_tunnel_feed(s, r->data, r->len);
    r->placed = r->silent = true;
    session_answer(s, r, "");
    return STEP_ON;
}

enum step session_replicate(struct session *s, struct request *r)
{
    if (s->tx == TX_OPEN) {
        s->tx_refused = true;
        session_answer(s, r, "-ERR Command not allowed inside a transaction\r\n");
        return STEP_ON;
    }
    s->sticky = true; /* REPLCONF tells the node about this connection */
    if (strcmp(r->command->name, "replconf") == 0)
        return session_send_on_lease(s, r);
    if (s->inflight > 0)
        return STEP_WAIT;
    if (s->lease ? !router_may_write(s->host->router, s->lease) : !session_take_lease(s))
        return STEP_HOLD;
    s->tunnel = true;
    s->lease_dirty = true;
    router_tunnel(s->lease, on_bytes);
    return session_tunnel_rest(s, r);
}
