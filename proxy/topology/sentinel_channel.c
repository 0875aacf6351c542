/*
 * sentinel_channel: what both connections to a Sentinel need: when one that broke is tried again, what is logged of it,
 * and that both lead to the same Sentinel. It knows nothing of what is asked on them.
 */
#include "topology/sentinel_state.h"

#include "base/log.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 2000
#define BACKOFF_REFUSED_MS 100 /* a refusal costs next to nothing */
#define BACKOFF_URGENT_MS 200
#define STOOD_MS 1000     /* what stood for so long was a good one */
#define HURRY_MS 1000     /* one that is hurried again and again is hurried so often */
#define BACKOFF_NOW_MS 20 /* the first try during a switch: did it die? */

/* ---- it stands ---- */

void sentinel_channel_start(struct sentinel *s, struct channel *channel, const char *what,
                            void (*closed)(struct control_conn *conn))
{
    channel->sentinel = s;
    channel->what = what;
    channel->conn.options = (struct control_conn_options){
        .to = s->options.endpoint,
        .credential = s->options.credential,
        .connect_timeout_ms = s->options.connect_timeout_ms,
        .tls = s->options.tls,
        .tls_host = s->options.tls_host,
        .beside = channel == &s->events ? &s->commands.conn.address : NULL,
    };
    channel->conn.on_closed = closed;
    control_conn_init(&channel->conn, s->timer.loop);
    control_conn_open(&channel->conn, 0);
    s->open_handles++;
}

void sentinel_channel_up(struct channel *channel)
{
    if (!channel->up_ms)
        channel->up_ms = (int64_t)uv_now(channel->conn.loop);
    channel->logged[0] = '\0';
    if (!channel->up_logged)
        log_event(LOG_INFO, "connected to a Sentinel", "group=%s sentinel=%s connection=%s",
                  channel->sentinel->options.group, channel->sentinel->name, channel->what);
    channel->up_logged = true;
}

/* Both connections must be to one Sentinel: behind a name or a service with several, another one may
 * answer on each. The events would be taken for the other's. */
void sentinel_take_identity(struct sentinel *s, char runid[RUNID_SIZE],
                            const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING)
        snprintf(runid, RUNID_SIZE, "%s", reply->str);
    if (s->heard_runid[0] && s->report.runid[0] && strcmp(s->heard_runid, s->report.runid) != 0) {
        s->options.callbacks->other(s->options.owner, s, s->heard_runid);
        control_conn_fail(&s->events.conn, "another Sentinel answers there");
    }
}

/* ---- it does not ---- */

static void log_down(struct channel *channel, const char *why)
{
    char quoted[256];
    channel->up_logged = false;
    if (strcmp(channel->logged, why) == 0)
        return;
    snprintf(channel->logged, sizeof(channel->logged), "%s", why);
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

void sentinel_channel_down(struct channel *channel, const char *why)
{
    int64_t now = (int64_t)uv_now(channel->conn.loop);
    if (channel->up_ms && now - channel->up_ms >= STOOD_MS)
        channel->failures = 0;
    channel->up_ms = 0;
    log_down(channel, why);
    control_conn_open(&channel->conn, backoff(channel));
}

/* Somebody answers there again: a Sentinel that comes back may lead a failover at once, and must be
 * heard. One that takes connections and breaks both would have the one hurry the other for ever. */
void sentinel_channel_hurry(struct channel *channel)
{
    int64_t now = (int64_t)uv_now(channel->conn.loop);
    if (channel->hurried_ms && now - channel->hurried_ms < HURRY_MS)
        return;
    channel->hurried_ms = now;
    channel->failures = 0;
    if (control_conn_is_waiting(&channel->conn))
        control_conn_open(&channel->conn, 0);
}
