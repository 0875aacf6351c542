/*
 * sentinel_events: the second connection, which is subscribed to what a Sentinel tells of failovers. Each message goes
 * to the owner as it came. Events are lost while the connection is not there: what happened before the subscription
 * stood is asked for, with a poll.
 */
#include "topology/sentinel_state.h"

#include <hiredis/hiredis.h>
#include <string.h>

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

static void on_up(struct control_conn *conn)
{
    static const char *const myid[] = {"SENTINEL", "MYID"};
    const char *argv[1 + CHANNEL_COUNT] = {"SUBSCRIBE"};
    memcpy(&argv[1], channels, sizeof(channels));
    sentinel_channel_hurry(&channel_of(conn)->sentinel->commands);
    control_conn_send(conn, TAG_MYID, 2, myid);
    control_conn_send(conn, TAG_LISTEN, 1 + CHANNEL_COUNT, argv);
}

static void on_down(struct control_conn *conn, const char *why, bool was_up)
{
    struct channel *channel = channel_of(conn);
    struct sentinel *s = channel->sentinel;
    s->heard_runid[0] = '\0';
    sentinel_channel_down(channel, why);
    if (was_up)
        s->options.callbacks->deaf(s->options.owner, s);
}

/* What happened before the subscription stood is asked for. */
static void subscribed(struct channel *channel, const redisReply *reply)
{
    if (reply->elements < 3 || reply->element[2]->integer != CHANNEL_COUNT)
        return;
    sentinel_channel_up(channel);
    sentinel_poll(channel->sentinel);
}

/* Messages come unasked, so tags say nothing here, but of what was asked before subscribing. */
static void on_reply(struct control_conn *conn, int tag, const redisReply *reply)
{
    struct channel *channel = channel_of(conn);
    struct sentinel *s = channel->sentinel;
    if (tag == TAG_MYID) {
        sentinel_take_identity(s, s->heard_runid, reply);
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

void sentinel_events_ping(struct sentinel *s)
{
    static const char *const ping[] = {"PING"};
    control_conn_send(&s->events.conn, TAG_PING, 1, ping);
}

void sentinel_events_start(struct sentinel *s, void (*closed)(struct control_conn *conn))
{
    s->events.conn.on_up = on_up;
    s->events.conn.on_down = on_down;
    s->events.conn.on_reply = on_reply;
    sentinel_channel_start(s, &s->events, "events", closed);
}
