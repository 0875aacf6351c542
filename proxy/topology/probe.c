/*
 * probe: a round is PING, ROLE and INFO replication in one pipeline; the first
 * round of a connection also asks for min-replicas-to-write, and for the
 * process' run id (a replica that was restarted as a master was not promoted).
 *
 * The proxy's password is a secret, and an address is only what a Sentinel says: so a connection asks
 * without the password first. A node that answers shows whose data it has, and is shown the password when it is
 * the group's; one that asks for it gets it when a majority of the Sentinels names its address.
 *
 * A connection that breaks is opened again at once, without any delay: Sentinel kills
 * the promoted node's clients, so the break itself may be the first sign of
 * a promotion. Only what fails to connect waits, and during a switch not long.
 *
 * Between two rounds a beat goes out every 100 ms: a ROLE, which is cheap, shows
 * silence early, and calls for a round at once when the role is another.
 *
 * Silence is told from refusal: a question that nobody answers for 500 ms, over
 * however many connections, makes the node suspect; a refused connection is
 * an answer. A silent connection is given up after 2 s, because the packets of
 * a host that comes back may be minutes away.
 *
 * The fence (election_fence.c) goes the same way. When all is paused the connection monitors: such a one
 * is exempt, and can take the pause back. What it hears of others is dropped, and it is renewed
 * when that time is over.
 */
#include "topology/probe.h"

#include "base/list.h"
#include "base/log.h"
#include "topology/control_conn.h"
#include "topology/node_parse.h"

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
#define FENCE_ANSWER_MS 250 /* no answer: somebody else has paused it, and the order is withdrawn */

enum tag {
    TAG_NEEDED,
    TAG_SERVER,
    TAG_PING,
    TAG_ROLE,
    TAG_INFO,
    TAG_BEAT,
    TAG_LEAVING,
    TAG_REPLICAOF,
    TAG_EXEMPT,
    TAG_RESET,
    TAG_FENCE,
    TAG_AGAIN,
    TAG_DEMOTE
};

struct probe {
    struct probe_options options;
    struct control_conn conn;
    uv_timer_t timer; /* the next round, or a look at the open one */
    char name[ENDPOINT_TEXT_MAX];
    char told[160];
    int64_t period_ms, asked_ms, beat_ms;
    int64_t silent_since; /* 0: nothing is owed */
    unsigned failures;
    bool asking, again, beating, closely, leaving, suspect, closing, up_told, refusal_told;
    bool answered;          /* on this connection */
    bool asked_for, freely; /* where the password is shown, says the owner */
    bool logged_in;         /* this connection has shown it */
    bool refused;           /* this connection was refused an answer without it */
    struct {
        struct fence_order cut;    /* the next one, when the last one is lifted */
        int64_t sent_ms, until_ms; /* 0: nothing is owed, nothing is paused */
        bool exempt;               /* this connection */
        bool refused;
    } fence;
    int open_handles;
    int needed; /* min-replicas-to-write; -1: it does not tell */
    char runid[RUNID_SIZE];
    bool role_known;
    struct node_answer answer;
    /* ROLE's answer in the last round; a beat that differs from it calls for another round. */
    struct {
        enum node_role role;
        bool link;
        struct endpoint master;
    } last;
};

static int64_t now_of(const struct probe *p)
{
    return (int64_t)uv_now(p->timer.loop);
}

static int64_t beat_period(const struct probe *p)
{
    return p->closely ? BEAT_CLOSE_MS : BEAT_MS;
}

static void on_timer(uv_timer_t *timer);

static void schedule(struct probe *p)
{
    int64_t round_ms = p->asked_ms + p->period_ms, beat_ms = p->beat_ms + beat_period(p);
    int64_t wait = (round_ms < beat_ms ? round_ms : beat_ms) - now_of(p);
    if (p->closing)
        return;
    if (p->asking || p->beating || !control_conn_is_up(&p->conn))
        wait = WATCH_MS;
    uv_timer_start(&p->timer, on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void set_suspect(struct probe *p, bool suspect)
{
    if (!suspect)
        p->silent_since = 0;
    if (p->suspect == suspect)
        return;
    p->suspect = suspect;
    p->options.callbacks->suspect(p->options.owner, p, suspect);
}

/* ---- a round ---- */

static void ask(struct probe *p)
{
    static const char *const ping[] = {"Ping"}, *const role[] = {"Role"};
    static const char *const info[] = {"Info", "replication"};
    if (!control_conn_is_up(&p->conn))
        return;
    if (p->asking) {
        p->again = true;
        return;
    }
    p->asking = true;
    p->again = false;
    p->asked_ms = p->beat_ms = now_of(p);
    p->role_known = false;
    p->answer = (struct node_answer){.role = ROLE_UNKNOWN};
    control_conn_send(&p->conn, TAG_PING, 1, ping);
    control_conn_send(&p->conn, TAG_ROLE, 1, role);
    control_conn_send(&p->conn, TAG_INFO, 2, info);
    schedule(p);
}

static void beat(struct probe *p)
{
    static const char *const role[] = {"Role"}, *const server[] = {"Info", "server"};
    p->beating = true;
    p->beat_ms = now_of(p);
    if (p->closely)
        control_conn_send(&p->conn, TAG_LEAVING, 2, server);
    control_conn_send(&p->conn, TAG_BEAT, 1, role);
}

static void take_leaving(struct probe *p, const redisReply *reply)
{
    char in_ms[32];
    bool leaving = reply->type == REDIS_REPLY_STRING &&
                   node_parse_info(in_ms, sizeof(in_ms), reply->str, "shutdown_in_milliseconds");
    if (p->leaving == leaving)
        return;
    p->leaving = leaving;
    p->options.callbacks->leaving(p->options.owner, p, leaving);
}

static void take_beat(struct probe *p, const redisReply *reply)
{
    struct node_answer answer = {.role = ROLE_UNKNOWN};
    struct endpoint master = {.port = 0};
    bool known = node_parse_role(&answer, &master, reply);
    p->beating = false;
    set_suspect(p, false);
    if (known &&
        (answer.role != p->last.role || answer.link_connected != p->last.link ||
         master.port != p->last.master.port || strcmp(master.host, p->last.master.host) != 0))
        ask(p);
    schedule(p);
}

/* Says once, until an answer comes, that the node refuses to say what it is. */
static void tell_refusal(struct probe *p, const redisReply *reply)
{
    char quoted[256];
    if (p->refusal_told || reply->type != REDIS_REPLY_ERROR)
        return;
    p->refusal_told = true;
    log_event(LOG_WARN,
              p->asked_for || !p->conn.options.credential
                  ? "a node does not answer ROLE and INFO"
                  : "a node that too few Sentinels name asks for the password, and is not told it",
              "group=%s node=%s error=%s", p->options.group, p->name,
              log_quote(quoted, sizeof(quoted), reply->str));
}

/* Shows the password, if it is time to. Returns whether it did: on_up() will be called again. */
static bool log_in(struct probe *p)
{
    if (p->logged_in || !p->conn.options.credential || !control_conn_is_up(&p->conn))
        return false;
    if (!(p->refused && p->asked_for) && !(p->answered && p->freely))
        return false;
    p->logged_in = true;
    control_conn_login(&p->conn);
    return true;
}

static void tell_up(struct probe *p)
{
    if (!p->up_told)
        log_event(LOG_INFO, "connected to a node", "group=%s node=%s", p->options.group, p->name);
    p->up_told = true;
    p->told[0] = '\0';
}

static void round_done(struct probe *p, const redisReply *reply)
{
    bool good = reply->type == REDIS_REPLY_STRING && p->role_known;
    p->asking = false;
    p->refused = !good;
    set_suspect(p, false);
    if (!good && log_in(p))
        return;
    p->answered = true;
    tell_up(p);
    if (good) {
        p->refusal_told = false;
        node_parse_replication(&p->answer, reply->str, p->needed);
        memcpy(p->answer.runid, p->runid, sizeof(p->runid));
        p->options.callbacks->answer(p->options.owner, p, &p->answer, p->asked_ms);
    } else {
        tell_refusal(p, reply);
    }
    if (log_in(p))
        return;
    if (p->again)
        ask(p);
    else
        schedule(p);
}

static void take_needed(struct probe *p, const redisReply *reply)
{
    p->needed = -1;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->str)
        p->needed = atoi(reply->element[1]->str);
}

static void take_server(struct probe *p, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING)
        (void)node_parse_info(p->runid, sizeof(p->runid), reply->str, "run_id");
    take_leaving(p, reply);
}

static void take_role(struct probe *p, const redisReply *reply)
{
    struct endpoint master = {.port = 0};
    p->role_known = node_parse_role(&p->answer, &master, reply);
    p->last.role = p->answer.role;
    p->last.link = p->answer.link_connected;
    p->last.master = master;
    if (!p->role_known && (p->logged_in || !p->conn.options.credential))
        tell_refusal(p, reply);
    else if (p->answer.role == ROLE_REPLICA)
        (void)names_lookup(p->options.names, &master, &p->answer.master);
}

/* ---- the fence ---- */

static void fence_answered(struct probe *p, const redisReply *reply)
{
    p->fence.sent_ms = 0;
    if (reply->type == REDIS_REPLY_ERROR && !p->fence.refused) {
        p->fence.refused = true;
        p->fence.until_ms = 0;
        p->options.callbacks->unfenced(p->options.owner, p, reply->str);
    }
}

static void demote_answered(struct probe *p, const redisReply *reply)
{
    char quoted[256];
    p->fence.sent_ms = 0;
    if (reply->type == REDIS_REPLY_ERROR)
        log_event(LOG_WARN, "the old master did not carry out all of its demotion",
                  "group=%s node=%s error=%s", p->options.group, p->name,
                  log_quote(quoted, sizeof(quoted), reply->str));
}

static void send_order(struct probe *p, int tag, const struct fence_order *order)
{
    p->fence.sent_ms = now_of(p);
    p->fence.refused = false;
    if (order->act == FENCE_CUT)
        p->fence.until_ms = now_of(p) + order->ms;
    fence_send(&p->conn, tag, order);
}

/* The node's other connections have had their turn. */
static void cut_again(struct probe *p)
{
    send_order(p, TAG_FENCE, &p->fence.cut);
}

/* What a monitor hears of others; Redis' own words of state begin with a letter. */
static bool is_unasked(struct control_conn *conn, const redisReply *reply)
{
    const struct probe *p = container_of(conn, struct probe, conn);
    return p->fence.exempt && reply->type == REDIS_REPLY_STATUS && reply->str[0] >= '0' &&
           reply->str[0] <= '9';
}

bool probe_fence(struct probe *p, const struct fence_order *order)
{
    static const struct fence_order lift = {.act = FENCE_LIFT};
    if (!control_conn_is_up(&p->conn))
        return false;
    p->fence.cut = *order;
    if (order->act == FENCE_CUT && p->fence.exempt && !order->extend) {
        send_order(p, TAG_AGAIN, &lift);
        return true;
    }
    control_conn_cork(&p->conn, true);
    if (order->act == FENCE_CUT && !p->fence.exempt)
        fence_exempt(&p->conn, TAG_EXEMPT);
    if (order->act == FENCE_DEMOTE && p->fence.exempt)
        fence_end_exemption(&p->conn, TAG_RESET);
    send_order(p, order->act == FENCE_DEMOTE ? TAG_DEMOTE : TAG_FENCE, order);
    if (order->act != FENCE_CUT)
        p->fence.until_ms = p->fence.exempt ? now_of(p) : 0;
    control_conn_cork(&p->conn, false);
    return true;
}

/* It is over, or the order stands behind somebody else's pause. */
static void look_at_fence(struct probe *p)
{
    int64_t now = now_of(p);
    bool owed = p->fence.sent_ms && now - p->fence.sent_ms >= FENCE_ANSWER_MS;
    bool over = p->fence.exempt && !p->fence.sent_ms && now >= p->fence.until_ms;
    if (control_conn_is_up(&p->conn) && (owed || over))
        control_conn_fail(&p->conn,
                          owed ? "it does not answer an order of the fence" : "the fence is over");
}

static void on_reply(struct control_conn *conn, int tag, const redisReply *reply)
{
    struct probe *p = container_of(conn, struct probe, conn);
    char quoted[256];
    if (tag == TAG_EXEMPT)
        p->fence.exempt = reply->type != REDIS_REPLY_ERROR;
    else if (tag == TAG_RESET)
        p->fence.exempt = p->fence.exempt && strcmp(reply->str ? reply->str : "", "RESET") != 0;
    else if (tag == TAG_FENCE)
        fence_answered(p, reply);
    else if (tag == TAG_DEMOTE)
        demote_answered(p, reply);
    else if (tag == TAG_AGAIN)
        cut_again(p);
    else if (tag == TAG_NEEDED)
        take_needed(p, reply);
    else if (tag == TAG_LEAVING)
        take_leaving(p, reply);
    else if (tag == TAG_SERVER)
        take_server(p, reply);
    else if (tag == TAG_PING)
        p->answer.unready = node_parse_unready(reply);
    else if (tag == TAG_ROLE)
        take_role(p, reply);
    else if (tag == TAG_INFO)
        round_done(p, reply);
    else if (tag == TAG_BEAT)
        take_beat(p, reply);
    else if (tag == TAG_REPLICAOF)
        log_event(reply->type == REDIS_REPLY_ERROR ? LOG_WARN : LOG_INFO,
                  "a replica answered REPLICAOF", "group=%s node=%s answer=%s", p->options.group,
                  p->name, log_quote(quoted, sizeof(quoted), reply->str ? reply->str : "?"));
}

/* ---- the connection ---- */

static void on_up(struct control_conn *conn)
{
    static const char *const needed[] = {"Config", "GET", "min-replicas-to-write"};
    static const char *const server[] = {"Info", "server"};
    struct probe *p = container_of(conn, struct probe, conn);
    p->needed = -1;
    p->runid[0] = '\0';
    p->asking = p->beating = false;
    p->fence.sent_ms = 0;
    p->fence.exempt = false;
    control_conn_send(conn, TAG_NEEDED, 3, needed);
    control_conn_send(conn, TAG_SERVER, 2, server);
    ask(p);
}

static void tell_down(struct probe *p, const char *why)
{
    char quoted[256];
    p->up_told = false;
    if (strcmp(p->told, why) == 0)
        return;
    snprintf(p->told, sizeof(p->told), "%s", why);
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

/* What was owed stays owed, unless the peer's kernel said that nobody is there. A connection that
 * never answered counts as a failure to connect: a node with too many clients closes it at once. A
 * node that refuses our password is not down: nothing is known of it until the right one is read. */
static void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct probe *p = container_of(conn, struct probe, conn);
    bool silent = p->silent_since && now_of(p) - p->silent_since >= SUSPECT_MS;
    bool healthy = was_up && p->answered && !silent;
    p->asking = p->beating = p->answered = p->logged_in = p->refused = p->fence.exempt = false;
    p->fence.sent_ms = 0;
    control_conn_open(conn, healthy ? 0 : retry_delay(p));
    p->failures = healthy ? 0 : p->failures + 1;
    if (!healthy)
        tell_down(p, why);
    if (!was_up && !conn->timed_out)
        set_suspect(p, false);
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
    int64_t owed = control_conn_owed_since(&p->conn), now = now_of(p);
    look_at_fence(p);
    if (owed && owed < p->fence.until_ms) /* it keeps everybody waiting until then */
        owed = p->fence.until_ms < now ? p->fence.until_ms : 0;
    if (owed && (!p->silent_since || p->silent_since > owed))
        p->silent_since = owed;
    if (p->silent_since && now - p->silent_since >= SUSPECT_MS)
        set_suspect(p, true);
    if (control_conn_is_up(&p->conn) && owed && now - owed >= SILENCE_MS)
        control_conn_fail(&p->conn, "no answer for 2 s");
    else if (!p->asking && now - p->asked_ms >= p->period_ms)
        ask(p);
    else if (control_conn_is_up(&p->conn) && !p->asking && !p->beating &&
             now - p->beat_ms >= beat_period(p))
        beat(p);
    schedule(p);
}

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
    if (!p->asking)
        (void)log_in(p);
}

void probe_set_close(struct probe *p, bool closely)
{
    p->closely = closely;
}

void probe_set_credential(struct probe *p, struct credential *credential)
{
    control_conn_set_credential(&p->conn, credential, p->logged_in);
    if (!p->asking)
        (void)log_in(p);
    if (control_conn_is_waiting(&p->conn))
        control_conn_open(&p->conn, 0);
}

void probe_now(struct probe *p)
{
    if (control_conn_is_waiting(&p->conn))
        control_conn_open(&p->conn, 0);
    else
        ask(p);
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

const char *probe_name(const struct probe *p)
{
    return p->name;
}
