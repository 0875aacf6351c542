/*
 * sentinel_poll: the command connection: what a Sentinel is asked, and what its answers say.
 *
 * A poll is one pipeline: MASTER before GET-MASTER-ADDR-BY-NAME, so that if the leader's promotion falls between the
 * two the new address comes with the old epoch (a vote for nothing), never the old address with the new epoch. What
 * the answers bring is collected in one report, which goes to the owner with the last of them.
 *
 * sentinel.c says when to poll, and so does sentinel_events.c. What a report means is the election's business.
 */
#include "topology/sentinel_state.h"

#include "base/log.h"
#include "topology/number.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* A Sentinel that names a longer time is taken as one that names none. */
#define TIME_MAX_MS ((int64_t)365 * 24 * 3600 * 1000)

/* ---- asking ---- */

static void ask(struct sentinel *s, int tag, const char *word)
{
    const char *argv[] = {"SENTINEL", word, s->options.group};
    control_conn_send(&s->commands.conn, tag, tag == TAG_MYID ? 2 : 3, argv);
}

void sentinel_poll(struct sentinel *s)
{
    if (!control_conn_is_up(&s->commands.conn) || !poll_begin(&s->poll))
        return;
    s->report.asked_ms = (int64_t)uv_now(s->timer.loop);
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

/* ---- what it answers ---- */

static void log_failover(struct sentinel *s, const redisReply *reply)
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
    report->failover_timeout_ms = number_of(timeout, TIME_MAX_MS);
    report->down_after_ms = number_of(down_after, TIME_MAX_MS);
    report->known = epoch != NULL;
    report->epoch = (uint64_t)number_of(epoch, NUMBER_MAX);
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

static void poll_done(struct sentinel *s)
{
    bool again = poll_end(&s->poll);
    sentinel_channel_up(&s->commands);
    s->options.callbacks->report(s->options.owner, s, &s->report);
    if (again && !poll_is_open(&s->poll) && !s->closing)
        sentinel_poll(s);
}

static void on_reply(struct control_conn *conn, int tag, const redisReply *reply)
{
    struct sentinel *s = channel_of(conn)->sentinel;
    struct sentinel_report *report = &s->report;
    if (tag == TAG_MYID)
        sentinel_take_identity(s, report->runid, reply);
    else if (tag == TAG_MASTER)
        take_master(report, reply);
    else if (tag == TAG_ADDRESS && !sentinel_parse_address(&report->named, reply))
        report->known = false;
    else if (tag == TAG_REPLICAS)
        take_replicas(report, reply);
    else if (tag == TAG_FAILOVER)
        log_failover(s, reply);
    else if (tag == TAG_QUORUM)
        s->options.callbacks->quorum(s->options.owner, s, reply->type != REDIS_REPLY_ERROR);
    if (tag == TAG_PEERS) {
        take_peers(report, reply);
        poll_done(s);
    }
}

/* ---- the connection ---- */

static void on_up(struct control_conn *conn)
{
    struct sentinel *s = channel_of(conn)->sentinel;
    sentinel_channel_hurry(&s->events);
    poll_forget(&s->poll);
    sentinel_poll(s);
}

static void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct channel *channel = channel_of(conn);
    struct sentinel *s = channel->sentinel;
    poll_forget(&s->poll);
    s->report.runid[0] = '\0'; /* another one may answer there next time */
    sentinel_channel_down(channel, why);
    if (was_up)
        s->options.callbacks->lost(s->options.owner, s);
    else if (conn->refused)
        s->options.callbacks->refused(s->options.owner, s);
    else
        s->options.callbacks->failed(s->options.owner, s);
}

void sentinel_poll_start(struct sentinel *s, void (*closed)(struct control_conn *conn))
{
    s->commands.conn.on_up = on_up;
    s->commands.conn.on_down = on_down;
    s->commands.conn.on_reply = on_reply;
    sentinel_channel_start(s, &s->commands, "commands", closed);
}
