/*
 * sentinel: polls, listens, and notices silence.
 *
 * A poll is one pipeline: MASTER before GET-MASTER-ADDR-BY-NAME, so that if the
 * leader's promotion falls between the two the new address comes with the old
 * epoch (a vote for nothing), never the old address with the new epoch.
 * Silence: the subscription is PINGed every second; each connection is given
 * up when it has owed an answer for 3 s.
 */
#include "topology/sentinel.h"

#include "base/list.h"
#include "base/log.h"
#include "topology/control_conn.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 1000
#define POLL_URGENT_MS 100
#define SILENCE_MS 3000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 2000
#define BACKOFF_REFUSED_MS 100 /* a refusal costs next to nothing */
#define BACKOFF_URGENT_MS 200
#define BACKOFF_NOW_MS 20 /* the first try during a switch: did it die? */

enum tag {
    TAG_MYID,
    TAG_MASTER,
    TAG_ADDRESS,
    TAG_REPLICAS,
    TAG_PEERS,
    TAG_LISTEN,
    TAG_PING,
    TAG_QUORUM,
    TAG_FAILOVER
};

/* One of the two connections. */
struct channel {
    struct control_conn conn;
    struct sentinel *sentinel;
    const char *what; /* for logs */
    unsigned failures;
    char told[160]; /* the last trouble that was logged; "": none */
    bool up_told;
};

struct sentinel {
    struct sentinel_options options;
    char name[ENDPOINT_TEXT_MAX];
    uv_timer_t timer;
    struct channel commands, events;
    bool urgent, closing;
    bool polling, again;
    int open_handles;
    uint64_t seed;
    char heard_runid[RUNID_SIZE]; /* of the one that answers on `events`; "": it does not tell */
    struct sentinel_report report;
};

static const char *const channels[] = {
    "+switch-master",
    "+try-failover",
    "+elected-leader",
    "+failover-state-select-slave",
    "+selected-slave",
    "+failover-state-send-slaveof-noone",
    "+failover-state-wait-promotion",
    "+promoted-slave",
    "+failover-state-reconf-slaves",
    "+slave-reconf-sent",
    "+slave-reconf-done",
    "+failover-end",
    "+failover-end-for-timeout",
    "-failover-abort-not-elected",
    "-failover-abort-no-good-slave",
    "-failover-abort-slave-timeout",
    "+config-update-from",
    "+role-change",
    "-role-change",
    "+convert-to-slave",
    "+sdown",
    "-sdown",
    "+odown",
    "-odown",
    "+slave",
    "+sentinel",
    "+reset-master",
    "+monitor",
    "-monitor",
    "+reboot",
    "+sentinel-address-switch",
    "+sentinel-address-update",
    "+tilt",
    "-tilt",
};
#define CHANNEL_COUNT ((int)(sizeof(channels) / sizeof(channels[0])))

static int64_t now_of(const struct sentinel *s)
{
    return (int64_t)uv_now(s->timer.loop);
}

/* ---- polling ---- */

static void ask(struct sentinel *s, int tag, const char *word)
{
    const char *argv[] = {"SENTINEL", word, s->options.group};
    control_conn_send(&s->commands.conn, tag, tag == TAG_MYID ? 2 : 3, argv);
}

void sentinel_poll(struct sentinel *s)
{
    if (!control_conn_is_up(&s->commands.conn))
        return;
    if (s->polling) {
        s->again = true;
        return;
    }
    s->polling = true;
    s->again = false;
    s->report.asked_ms = now_of(s);
    s->report.known = false;
    s->report.named.port = 0;
    s->report.replica_count = s->report.peer_count = 0;
    ask(s, TAG_MYID, "MYID");
    ask(s, TAG_MASTER, "MASTER");
    ask(s, TAG_ADDRESS, "GET-MASTER-ADDR-BY-NAME");
    ask(s, TAG_REPLICAS, "REPLICAS");
    ask(s, TAG_PEERS, "SENTINELS");
}

void sentinel_ask_quorum(struct sentinel *s)
{
    ask(s, TAG_QUORUM, "CKQUORUM");
}

void sentinel_ask_failover(struct sentinel *s)
{
    ask(s, TAG_FAILOVER, "FAILOVER");
}

static void tell_failover(struct sentinel *s, const redisReply *reply)
{
    char quoted[256];
    log_event(reply->type == REDIS_REPLY_ERROR ? LOG_WARN : LOG_INFO,
              "a Sentinel answered the request for a failover", "group=%s sentinel=%s answer=%s",
              s->options.group, s->name,
              log_quote(quoted, sizeof(quoted), reply->str ? reply->str : "?"));
}

static void take_master(struct sentinel_report *report, const redisReply *reply)
{
    const char *epoch = sentinel_field(reply, "config-epoch");
    const char *timeout = sentinel_field(reply, "failover-timeout");
    const char *down_after = sentinel_field(reply, "down-after-milliseconds");
    report->failover_timeout_ms = timeout ? strtoll(timeout, NULL, 10) : 0;
    report->down_after_ms = down_after ? strtoll(down_after, NULL, 10) : 0;
    report->known = epoch != NULL;
    report->epoch = epoch ? strtoull(epoch, NULL, 10) : 0;
    report->step = sentinel_parse_step(sentinel_field(reply, "failover-state"));
}

static void take_replicas(struct sentinel_report *report, const redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (report->replica_count < SENTINEL_LIST_MAX &&
            sentinel_parse_instance(&report->replicas[report->replica_count], reply->element[i]))
            report->replica_count++;
    }
}

static void take_peers(struct sentinel_report *report, const redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const char *runid = sentinel_field(reply->element[i], "runid");
        struct sentinel_peer *peer = &report->peers[report->peer_count];
        if (report->peer_count == SENTINEL_LIST_MAX || !runid || !runid[0] ||
            !sentinel_parse_instance(&peer->endpoint, reply->element[i]))
            continue;
        snprintf(peer->runid, sizeof(peer->runid), "%s", runid);
        report->peer_count++;
    }
}

static void tell_up(struct channel *channel)
{
    channel->failures = 0;
    channel->told[0] = '\0';
    if (!channel->up_told)
        log_event(LOG_INFO, "connected to a Sentinel", "group=%s sentinel=%s connection=%s",
                  channel->sentinel->options.group, channel->sentinel->name, channel->what);
    channel->up_told = true;
}

static void poll_done(struct sentinel *s)
{
    s->polling = false;
    tell_up(&s->commands);
    s->options.callbacks->report(s->options.owner, s, &s->report);
    if (s->again && !s->closing)
        sentinel_poll(s);
}

/* Both connections must be to one Sentinel: behind a name or a service with several, another one may
 * answer on each. The events would be taken for the other's. */
static void take_identity(struct sentinel *s, char runid[RUNID_SIZE], const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING)
        snprintf(runid, RUNID_SIZE, "%s", reply->str);
    if (s->heard_runid[0] && s->report.runid[0] && strcmp(s->heard_runid, s->report.runid) != 0)
        control_conn_fail(&s->events.conn, "another Sentinel answers there");
}

static void command_answered(struct control_conn *conn, int tag, const redisReply *reply)
{
    struct sentinel *s = container_of(conn, struct channel, conn)->sentinel;
    struct sentinel_report *report = &s->report;
    if (tag == TAG_MYID)
        take_identity(s, report->runid, reply);
    else if (tag == TAG_MASTER)
        take_master(report, reply);
    else if (tag == TAG_ADDRESS && !sentinel_parse_address(&report->named, reply))
        report->known = false;
    else if (tag == TAG_REPLICAS)
        take_replicas(report, reply);
    else if (tag == TAG_FAILOVER)
        tell_failover(s, reply);
    else if (tag == TAG_QUORUM)
        s->options.callbacks->quorum(s->options.owner, s, reply->type != REDIS_REPLY_ERROR);
    if (tag == TAG_PEERS) {
        take_peers(report, reply);
        poll_done(s);
    }
}

/* ---- connections ---- */

static void tell_down(struct channel *channel, const char *why)
{
    char quoted[256];
    channel->up_told = false;
    if (strcmp(channel->told, why) == 0)
        return;
    snprintf(channel->told, sizeof(channel->told), "%s", why);
    log_event(LOG_WARN, "a Sentinel cannot be reached, trying again",
              "group=%s sentinel=%s connection=%s error=%s", channel->sentinel->options.group,
              channel->sentinel->name, channel->what, log_quote(quoted, sizeof(quoted), why));
}

/* Half of the delay is random: proxies that lost the same Sentinel must not come back together. */
static int64_t backoff(struct channel *channel)
{
    struct sentinel *s = channel->sentinel;
    int64_t limit = s->urgent ? BACKOFF_URGENT_MS : BACKOFF_MAX_MS;
    int64_t delay = BACKOFF_FIRST_MS << (channel->failures < 5 ? channel->failures : 5);
    if (channel->conn.refused)
        limit = BACKOFF_REFUSED_MS;
    if (s->urgent && channel->failures == 0)
        limit = BACKOFF_NOW_MS;
    if (delay > limit)
        delay = limit;
    channel->failures++;
    s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return delay / 2 + (int64_t)((s->seed >> 33) % (uint64_t)(delay / 2 + 1));
}

/* Somebody answers there again: a Sentinel that comes back may lead a failover at once, and must be
 * heard. */
static void hurry(struct channel *channel)
{
    channel->failures = 0;
    if (control_conn_is_waiting(&channel->conn))
        control_conn_open(&channel->conn, 0);
}

static void commands_up(struct control_conn *conn)
{
    struct sentinel *s = container_of(conn, struct channel, conn)->sentinel;
    hurry(&s->events);
    s->polling = false;
    sentinel_poll(s);
}

static void commands_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct channel *channel = container_of(conn, struct channel, conn);
    struct sentinel *s = channel->sentinel;
    tell_down(channel, why);
    s->polling = false;
    s->report.runid[0] = '\0'; /* another one may answer there next time */
    control_conn_open(conn, backoff(channel));
    if (was_up)
        s->options.callbacks->lost(s->options.owner, s);
    else if (conn->refused)
        s->options.callbacks->refused(s->options.owner, s);
}

static void events_up(struct control_conn *conn)
{
    static const char *const myid[] = {"SENTINEL", "MYID"};
    const char *argv[1 + CHANNEL_COUNT] = {"SUBSCRIBE"};
    memcpy(&argv[1], channels, sizeof(channels));
    hurry(&container_of(conn, struct channel, conn)->sentinel->commands);
    control_conn_send(conn, TAG_MYID, 2, myid);
    control_conn_send(conn, TAG_LISTEN, 1 + CHANNEL_COUNT, argv);
}

static void events_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct channel *channel = container_of(conn, struct channel, conn);
    struct sentinel *s = channel->sentinel;
    tell_down(channel, why);
    s->heard_runid[0] = '\0';
    control_conn_open(conn, backoff(channel));
    if (was_up)
        s->options.callbacks->deaf(s->options.owner, s);
}

/* What happened before the subscription stood is asked for. */
static void subscribed(struct channel *channel, const redisReply *reply)
{
    if (reply->elements < 3 || reply->element[2]->integer != CHANNEL_COUNT)
        return;
    tell_up(channel);
    sentinel_poll(channel->sentinel);
}

/* Messages come unasked, so tags say nothing here, but of what was asked before subscribing. */
static void events_answered(struct control_conn *conn, int tag, const redisReply *reply)
{
    struct channel *channel = container_of(conn, struct channel, conn);
    struct sentinel *s = channel->sentinel;
    if (tag == TAG_MYID) {
        take_identity(s, s->heard_runid, reply);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        control_conn_fail(conn, reply->str);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 || !reply->element[0]->str)
        return;
    if (strcmp(reply->element[0]->str, "subscribe") == 0)
        subscribed(channel, reply);
    else if (strcmp(reply->element[0]->str, "message") == 0 && reply->elements == 3 &&
             reply->element[1]->str && reply->element[2]->str)
        s->options.callbacks->event(s->options.owner, s, reply->element[1]->str,
                                    reply->element[2]->str);
}

/* ---- time ---- */

static void check_silence(struct sentinel *s)
{
    static const char silent[] = "no answer for 3 s";
    int64_t now = now_of(s), owed = control_conn_owed_since(&s->commands.conn);
    if (control_conn_is_up(&s->commands.conn) && owed && now - owed >= SILENCE_MS)
        control_conn_fail(&s->commands.conn, silent);
    if (!control_conn_is_up(&s->events.conn))
        return;
    if (now - s->events.conn.heard_ms >= SILENCE_MS)
        control_conn_fail(&s->events.conn, silent);
}

static void on_timer(uv_timer_t *timer)
{
    static const char *const ping[] = {"PING"};
    struct sentinel *s = container_of(timer, struct sentinel, timer);
    check_silence(s);
    control_conn_send(&s->events.conn, TAG_PING, 1, ping);
    if (!s->polling)
        sentinel_poll(s);
}

/* While subscribed, AUTH is not allowed. */
void sentinel_set_credential(struct sentinel *s, struct credential *credential)
{
    control_conn_set_credential(&s->commands.conn, credential, true);
    control_conn_set_credential(&s->events.conn, credential, false);
    hurry(&s->commands);
    hurry(&s->events);
}

void sentinel_set_urgent(struct sentinel *s, bool urgent)
{
    if (s->urgent == urgent || s->closing)
        return;
    s->urgent = urgent;
    uint64_t period = urgent ? POLL_URGENT_MS : POLL_MS;
    uv_timer_start(&s->timer, on_timer, period, period);
    if (urgent) {
        hurry(&s->commands);
        hurry(&s->events);
    }
}

/* ---- life ---- */

static void one_closed(struct sentinel *s)
{
    if (--s->open_handles > 0)
        return;
    s->options.callbacks->closed(s->options.owner, s);
    free(s);
}

static void conn_closed(struct control_conn *conn)
{
    one_closed(container_of(conn, struct channel, conn)->sentinel);
}

static void timer_closed(uv_handle_t *handle)
{
    one_closed(container_of(handle, struct sentinel, timer));
}

static void channel_start(struct sentinel *s, struct channel *channel, const char *what)
{
    channel->sentinel = s;
    channel->what = what;
    channel->conn.options = (struct control_conn_options){
        .to = s->options.endpoint,
        .credential = s->options.credential,
        .connect_timeout_ms = s->options.connect_timeout_ms,
    };
    channel->conn.on_closed = conn_closed;
    control_conn_init(&channel->conn, s->timer.loop);
    control_conn_open(&channel->conn, 0);
    s->open_handles++;
}

struct sentinel *sentinel_new(uv_loop_t *loop, const struct sentinel_options *options)
{
    struct sentinel *s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->options = *options;
    endpoint_format(s->name, sizeof(s->name), &options->endpoint);
    s->seed = uv_hrtime();
    uv_timer_init(loop, &s->timer);
    uv_timer_start(&s->timer, on_timer, POLL_MS, POLL_MS);
    s->open_handles = 1;
    s->commands.conn.on_up = commands_up;
    s->commands.conn.on_down = commands_down;
    s->commands.conn.on_reply = command_answered;
    s->events.conn.on_up = events_up;
    s->events.conn.on_down = events_down;
    s->events.conn.on_reply = events_answered;
    channel_start(s, &s->commands, "commands");
    channel_start(s, &s->events, "events");
    return s;
}

void sentinel_close(struct sentinel *s)
{
    if (s->closing)
        return;
    s->closing = true;
    control_conn_close(&s->commands.conn);
    control_conn_close(&s->events.conn);
    uv_close((uv_handle_t *)&s->timer, timer_closed);
}

const struct address *sentinel_address(const struct sentinel *s)
{
    return &s->commands.conn.address;
}

const char *sentinel_name(const struct sentinel *s)
{
    return s->name;
}
