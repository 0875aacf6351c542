/*
 * control_conn_state: the states of a control connection, and the end of a try.
 *
 * Everything that ends a try passes through control_conn_drop(): it clears what belongs to the try, and the owner hears
 * on_down from one place, on_dropped(), on a turn of its own: no callback runs inside a function that the owner called.
 */
#include "topology/control_conn_state.h"

#include "base/list.h"
#include "base/state.h"
#include "net/tls.h"
#include "net/tls_source.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#define ENDS (STATE_BIT(DROPPING) | STATE_BIT(CLOSING))

static const struct state_row rows[] = {
    [IDLE] = {"idle", STATE_BIT(WAITING) | STATE_BIT(CLOSING)},
    [WAITING] = {"waiting", STATE_BIT(WAITING) | STATE_BIT(RESOLVING) | ENDS}, /* another delay */
    [RESOLVING] = {"resolving", STATE_BIT(CONNECTING) | ENDS},
    [CONNECTING] = {"connecting", STATE_BIT(GREETING) | ENDS},
    [GREETING] = {"greeting", STATE_BIT(UP) | ENDS},
    [UP] = {"up", STATE_BIT(GREETING) | ENDS}, /* control_conn_login() */
    [DROPPING] = {"dropping", STATE_BIT(IDLE) | STATE_BIT(CLOSING)},
    [CLOSING] = {"closing", STATE_BIT(CLOSED)},
    [CLOSED] = {"closed", 0},
};
static const struct state_table table = STATE_TABLE("control connection", rows);

void control_conn_enter(struct control_conn *conn, enum control_conn_state state)
{
    state_check(&table, conn->state, state);
    if (state == DROPPING)
        conn->was_up = conn->state == UP;
    if (state == RESOLVING)
        conn->try_ms = control_conn_now(conn);
    else if (state != CONNECTING && state != GREETING)
        conn->try_ms = 0;
    conn->state = (uint8_t)state;
}

/* ---- the end of a try ---- */

static void finish_close(struct control_conn *conn)
{
    if (!conn->timer_closed || conn->stream_used)
        return;
    control_conn_enter(conn, CLOSED);
    credential_release(conn->options.credential);
    conn->options.credential = NULL;
    tls_source_release(conn->options.tls);
    conn->options.tls = NULL;
    conn->on_closed(conn);
}

void control_conn_timer_closed(uv_handle_t *handle)
{
    struct control_conn *conn = container_of(handle, struct control_conn, timer);
    conn->timer_closed = true;
    finish_close(conn);
}

void control_conn_stream_closed(struct stream *stream)
{
    struct control_conn *conn = container_of(stream, struct control_conn, stream);
    conn->stream_used = false;
    if (control_conn_is_closing(conn))
        finish_close(conn);
}

void control_conn_clear_try(struct control_conn *conn)
{
    if (conn->resolving)
        resolve_cancel(conn->resolving);
    conn->resolving = NULL;
    if (conn->reader)
        redisReaderFree(conn->reader);
    conn->reader = NULL;
    buf_wipe(&conn->out);
    conn->count = 0;
    if (conn->stream_used)
        stream_close(&conn->stream);
}

/* One that takes connections and lets the handshake be may hang, or may not speak TLS: what was agreed once is not
 * doubted for that. */
static bool is_disagreement(const struct control_conn *conn)
{
    if (!conn->stream_used || conn->answered)
        return false;
    return tls_disagrees(stream_tls(&conn->stream)) ||
           (conn->timed_out && !conn->agreed && stream_is_shaking(&conn->stream));
}

/* With TLS 1.3 a peer refuses our certificate after the handshake, and what it says may be lost when it closes: then what
 * it said the last time still holds. */
static void note_end(struct control_conn *conn, const char *why)
{
    bool disagrees = is_disagreement(conn),
         lost = control_conn_is_connected(conn) && !conn->answered;
    conn->tried = true;
    conn->in_vain = !conn->answered;
    if (conn->disagrees && !disagrees && lost)
        return;
    conn->disagrees = disagrees;
    snprintf(conn->why, sizeof(conn->why), "%s", why);
}

static void on_dropped(uv_timer_t *timer)
{
    struct control_conn *conn = container_of(timer, struct control_conn, timer);
    if (conn->stream_used) {
        uv_timer_start(&conn->timer, on_dropped, 1, 0);
        return;
    }
    control_conn_enter(conn, IDLE);
    conn->on_down(conn, conn->why, conn->was_up);
}

/* The timer fires on the next turn, after the stream's last call. */
void control_conn_drop(struct control_conn *conn, const char *why)
{
    if (control_conn_is_closing(conn) || conn->state == DROPPING || conn->state == IDLE)
        return;
    note_end(conn, why);
    control_conn_enter(conn, DROPPING);
    control_conn_clear_try(conn);
    uv_timer_start(&conn->timer, on_dropped, 0, 0);
}
