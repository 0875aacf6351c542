/*
 * probe: one node's connection, and when what is asked on it. What is asked, and what the answers say, is
 * probe_round.c's; the orders of the fence are probe_fence.c's.
 *
 * A connection that breaks is opened again at once, without any delay: Sentinel kills the promoted node's clients, so
 * the break itself may be the first sign of a promotion. Only what fails to connect waits, and during a switch not long;
 * and a node that answers and closes again and again.
 *
 * Silence is told from refusal: a question that nobody answers for 500 ms, over however many connections, makes the
 * node suspect; a refused connection is an answer. A silent connection is given up after 2 s, because the packets of
 * a host that comes back may be minutes away.
 *
 * group.c makes one for each node that the election knows. It must not know who is master, or why it is asked to hurry.
 */
#include "topology/probe_state.h"

#include "base/list.h"
#include "base/log.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUSPECT_MS 500
#define SILENCE_MS 2000
#define BEAT_MS 100
#define BEAT_CLOSE_MS 50 /* a shutdown waits for the replicas for 100 ms at least */
#define WATCH_MS 50      /* how often an open question is looked at */
#define RETRY_FIRST_MS 20
#define RETRY_MAX_MS 500
/* A connection that stood for so long was a good one; so many that did not are made again at once. */
#define STOOD_MS 1000
#define BREAKS_MAX 2

/* ---- when ---- */

static int64_t beat_period(const struct probe *p)
{
    return p->closely ? BEAT_CLOSE_MS : BEAT_MS;
}

static void on_timer(uv_timer_t *timer);

static void schedule(struct probe *p)
{
    int64_t round_ms = p->asked_ms + p->period_ms, beat_ms = p->beat_ms + beat_period(p);
    int64_t wait = (round_ms < beat_ms ? round_ms : beat_ms) - probe_clock(p);
    if (p->closing)
        return;
    if (poll_is_open(&p->round) || p->beating || !control_conn_is_up(&p->conn))
        wait = WATCH_MS;
    uv_timer_start(&p->timer, on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

/* ---- the connection ---- */

static bool is_unasked(struct control_conn *conn, const redisReply *reply)
{
    return probe_fence_overhears(container_of(conn, struct probe, conn), reply);
}

static void log_repointed(const struct probe *p, const redisReply *reply)
{
    char quoted[256];
    log_event(reply->type == REDIS_REPLY_ERROR ? LOG_WARN : LOG_INFO,
              "a replica answered REPLICAOF", "group=%s node=%s answer=%s", p->options.group,
              p->name, log_quote(quoted, sizeof(quoted), reply->str ? reply->str : "?"));
}

static void on_reply(struct control_conn *conn, int tag, const redisReply *reply)
{
    struct probe *p = container_of(conn, struct probe, conn);
    if (tag == TAG_REPLICAOF)
        log_repointed(p, reply);
    else if (tag >= TAG_EXEMPT)
        probe_fence_take(p, tag, reply);
    else if (probe_round_take(p, tag, reply))
        schedule(p);
}

static void on_up(struct control_conn *conn)
{
    struct probe *p = container_of(conn, struct probe, conn);
    p->up_ms = probe_clock(p);
    probe_fence_forget(p);
    probe_round_first(p);
    schedule(p);
}

static void log_down(struct probe *p, const char *why)
{
    char quoted[256];
    p->up_logged = false;
    if (strcmp(p->logged, why) == 0)
        return;
    snprintf(p->logged, sizeof(p->logged), "%s", why);
    log_event(LOG_WARN, "a node cannot be reached, trying again", "group=%s node=%s error=%s",
              p->options.group, p->name, log_quote(quoted, sizeof(quoted), why));
}

static int64_t retry_delay(const struct probe *p)
{
    int64_t delay = RETRY_FIRST_MS << (p->failures < 6 ? p->failures : 6);
    if (delay > p->period_ms)
        delay = p->period_ms;
    return delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS;
}

/* Whether another one is made at once: after one that answered, unless the last ones broke soon. */
static bool is_renewed(struct probe *p, bool was_up)
{
    bool silent = p->silent_since && probe_clock(p) - p->silent_since >= SUSPECT_MS;
    if (!was_up || !p->answered || silent)
        return false;
    if (probe_clock(p) - p->up_ms >= STOOD_MS)
        p->breaks = 0;
    return p->breaks++ < BREAKS_MAX;
}

/* What was owed stays owed, unless the peer's kernel said that nobody is there. A connection that
 * never answered counts as a failure to connect: a node with too many clients closes it at once. A
 * node that refuses our password is not down: nothing is known of it until the right one is read. */
static void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct probe *p = container_of(conn, struct probe, conn);
    bool healthy = is_renewed(p, was_up);
    probe_round_forget(p);
    probe_fence_forget(p);
    control_conn_open(conn, healthy ? 0 : retry_delay(p));
    p->failures = healthy ? 0 : p->failures + 1;
    if (!healthy)
        log_down(p, why);
    if (!was_up && !conn->timed_out)
        probe_set_suspect(p, false);
    if (was_up || conn->denied)
        p->options.callbacks->lost(p->options.owner, p);
    else
        p->options.callbacks->down(p->options.owner, p,
                                   conn->refused   ? NODE_REFUSES
                                   : conn->reached ? NODE_REJECTS
                                                   : NODE_SILENT);
}

static void on_timer(uv_timer_t *timer)
{
    struct probe *p = container_of(timer, struct probe, timer);
    int64_t owed = control_conn_owed_since(&p->conn), now = probe_clock(p);
    probe_fence_look(p);
    if (owed && owed < p->fence.until_ms) /* it keeps everybody waiting until then */
        owed = p->fence.until_ms < now ? p->fence.until_ms : 0;
    if (owed && (!p->silent_since || p->silent_since > owed))
        p->silent_since = owed;
    if (p->silent_since && now - p->silent_since >= SUSPECT_MS)
        probe_set_suspect(p, true);
    if (control_conn_is_up(&p->conn) && owed && now - owed >= SILENCE_MS)
        control_conn_fail(&p->conn, "no answer for 2 s");
    else if (!poll_is_open(&p->round) && now - p->asked_ms >= p->period_ms)
        (void)probe_round_ask(p);
    else if (control_conn_is_up(&p->conn) && !poll_is_open(&p->round) && !p->beating &&
             now - p->beat_ms >= beat_period(p))
        probe_beat(p);
    schedule(p);
}

/* ---- what the owner wants ---- */

void probe_set_period(struct probe *p, int64_t period_ms)
{
    if (p->period_ms == period_ms)
        return;
    bool sooner = period_ms < p->period_ms;
    p->period_ms = period_ms;
    if (sooner && control_conn_is_waiting(&p->conn) && !p->closing)
        control_conn_open(&p->conn, retry_delay(p));
    schedule(p);
}

void probe_set_trust(struct probe *p, bool asked, bool freely)
{
    p->asked_for = asked;
    p->freely = freely;
    if (!poll_is_open(&p->round))
        (void)probe_show_password(p);
}

void probe_set_close(struct probe *p, bool closely)
{
    p->closely = closely;
}

void probe_set_credential(struct probe *p, struct credential *credential)
{
    control_conn_set_credential(&p->conn, credential, p->password == PASSWORD_SHOWN);
    if (!poll_is_open(&p->round))
        (void)probe_show_password(p);
    if (control_conn_is_waiting(&p->conn))
        control_conn_open(&p->conn, 0);
}

void probe_set_connect_timeout(struct probe *p, int64_t connect_timeout_ms)
{
    p->conn.options.connect_timeout_ms = connect_timeout_ms;
}

void probe_now(struct probe *p)
{
    if (!control_conn_is_waiting(&p->conn)) {
        if (probe_round_ask(p))
            schedule(p);
    } else if (p->breaks <= BREAKS_MAX) {
        control_conn_open(&p->conn, 0);
    }
}

bool probe_replicaof(struct probe *p, const struct endpoint *master)
{
    char port[8];
    const char *argv[] = {"REPLICAOF", master->host, port};
    snprintf(port, sizeof(port), "%u", (unsigned)master->port);
    if (!control_conn_is_up(&p->conn))
        return false;
    control_conn_send(&p->conn, TAG_REPLICAOF, 3, argv);
    return true;
}

/* ---- life ---- */

static void one_closed(struct probe *p)
{
    if (--p->open_handles > 0)
        return;
    p->options.callbacks->closed(p->options.owner, p);
    free(p);
}

static void conn_closed(struct control_conn *conn)
{
    one_closed(container_of(conn, struct probe, conn));
}

static void timer_closed(uv_handle_t *handle)
{
    one_closed(container_of(handle, struct probe, timer));
}

static void set_endpoint(struct endpoint *out, const struct address *address)
{
    if (address->sa.any.sa_family == AF_INET) {
        uv_ip4_name(&address->sa.v4, out->host, sizeof(out->host));
        out->port = ntohs(address->sa.v4.sin_port);
    } else {
        uv_ip6_name(&address->sa.v6, out->host, sizeof(out->host));
        out->port = ntohs(address->sa.v6.sin6_port);
    }
}

struct probe *probe_new(uv_loop_t *loop, const struct probe_options *options)
{
    struct probe *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    p->options = *options;
    p->period_ms = 1000;
    p->open_handles = 2;
    address_format(p->name, sizeof(p->name), &options->address);
    p->conn.options = (struct control_conn_options){
        .credential = options->credential,
        .anonymous = true,
        .connect_timeout_ms = options->connect_timeout_ms,
        .tls = options->tls,
        .tls_host = options->names ? names_host(options->names, &options->address) : NULL,
    };
    set_endpoint(&p->conn.options.to, &options->address);
    p->conn.on_up = on_up;
    p->conn.on_reply = on_reply;
    p->conn.is_unasked = is_unasked;
    p->conn.on_down = on_down;
    p->conn.on_closed = conn_closed;
    uv_timer_init(loop, &p->timer);
    control_conn_init(&p->conn, loop);
    control_conn_open(&p->conn, 0);
    schedule(p);
    return p;
}

void probe_close(struct probe *p)
{
    if (p->closing)
        return;
    p->closing = true;
    control_conn_close(&p->conn);
    uv_close((uv_handle_t *)&p->timer, timer_closed);
}

const struct address *probe_address(const struct probe *p)
{
    return &p->options.address;
}

int64_t probe_cert_ends(const struct probe *p)
{
    return p->conn.cert_ends_s;
}

const char *probe_name(const struct probe *p)
{
    return p->name;
}

const char *probe_disagreement(const struct probe *p)
{
    return control_conn_disagreement(&p->conn);
}

bool probe_has_tried(const struct probe *p)
{
    return p->conn.tried;
}
