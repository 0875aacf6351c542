/*
 * sentinel: one watched Sentinel's life, and the time: when it is polled, and when its silence is enough.
 *
 * Silence: the subscription is PINGed with every poll; each connection is given up when it has owed an answer for 3 s.
 *
 * group_sentinels.c makes one for each Sentinel that is configured or vouched for. It must not know who is believed.
 */
#include "topology/sentinel_state.h"

#include <stdlib.h>

#define POLL_MS 1000
#define POLL_URGENT_MS 100
#define SILENCE_MS 3000

/* ---- time ---- */

static void check_silence(struct sentinel *s)
{
    static const char silent[] = "no answer for 3 s";
    int64_t now = (int64_t)uv_now(s->timer.loop), owed = control_conn_owed_since(&s->commands.conn);
    if (control_conn_is_up(&s->commands.conn) && owed && now - owed >= SILENCE_MS)
        control_conn_fail(&s->commands.conn, silent);
    if (!control_conn_is_up(&s->events.conn))
        return;
    if (now - s->events.conn.heard_ms >= SILENCE_MS)
        control_conn_fail(&s->events.conn, silent);
}

static void on_timer(uv_timer_t *timer)
{
    struct sentinel *s = container_of(timer, struct sentinel, timer);
    check_silence(s);
    sentinel_events_ping(s);
    if (!poll_is_open(&s->poll))
        sentinel_poll(s);
}

/* While subscribed, AUTH is not allowed. */
void sentinel_set_credential(struct sentinel *s, struct credential *credential)
{
    control_conn_set_credential(&s->commands.conn, credential, true);
    control_conn_set_credential(&s->events.conn, credential, false);
    sentinel_channel_hurry(&s->commands);
    sentinel_channel_hurry(&s->events);
}

void sentinel_set_connect_timeout(struct sentinel *s, int64_t connect_timeout_ms)
{
    s->commands.conn.options.connect_timeout_ms = connect_timeout_ms;
    s->events.conn.options.connect_timeout_ms = connect_timeout_ms;
}

void sentinel_set_urgent(struct sentinel *s, bool urgent)
{
    if (s->urgent == urgent || s->closing)
        return;
    s->urgent = urgent;
    uint64_t period = urgent ? POLL_URGENT_MS : POLL_MS;
    uv_timer_start(&s->timer, on_timer, period, period);
    if (urgent) {
        sentinel_channel_hurry(&s->commands);
        sentinel_channel_hurry(&s->events);
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
    one_closed(channel_of(conn)->sentinel);
}

static void timer_closed(uv_handle_t *handle)
{
    one_closed(container_of(handle, struct sentinel, timer));
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
    sentinel_poll_start(s, conn_closed);
    sentinel_events_start(s, conn_closed);
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

int64_t sentinel_cert_ends(const struct sentinel *s)
{
    return s->commands.conn.cert_ends_s;
}

const char *sentinel_name(const struct sentinel *s)
{
    return s->name;
}

const char *sentinel_disagreement(const struct sentinel *s)
{
    return control_conn_disagreement(&s->commands.conn);
}

bool sentinel_has_tried(const struct sentinel *s)
{
    return s->commands.conn.tried;
}
