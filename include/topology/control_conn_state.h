/*
 * control_conn_state: the inside of a control connection, in the order in which its files call each other:
 *
 *     control_conn.c         its owner's side, and how a try goes
 *     control_conn_talk.c    commands out, replies in, AUTH among them
 *     control_conn_state.c   its states, and the end of a try
 *
 * Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_CONTROL_CONN_STATE_H
#define REDISPROXY_TOPOLOGY_CONTROL_CONN_STATE_H

#include "topology/control_conn.h"

/* IDLE is 0: what an owner zeroed has not been opened yet. */
enum control_conn_state {
    IDLE,
    WAITING,
    RESOLVING,
    CONNECTING,
    GREETING,
    UP,
    DROPPING,
    CLOSING,
    CLOSED
};

static inline int64_t control_conn_now(const struct control_conn *conn)
{
    return (int64_t)uv_now(conn->loop);
}

/* For good: the owner will hear of nothing but its end. */
static inline bool control_conn_is_closing(const struct control_conn *conn)
{
    return conn->state == CLOSING || conn->state == CLOSED;
}

/* The peer has accepted the connection, and may say something. */
static inline bool control_conn_is_connected(const struct control_conn *conn)
{
    return conn->state == GREETING || conn->state == UP;
}

/* ---- control_conn_state.c ---- */

/* The only place where the state changes, and what follows from that: since when a try goes on, and whether what ends
 * was up. */
void control_conn_enter(struct control_conn *conn, enum control_conn_state state);
/* Ends the try; on_down comes on a turn of its own. */
void control_conn_drop(struct control_conn *conn, const char *why);
/* Lets go of what belongs to the try. */
void control_conn_clear_try(struct control_conn *conn);
/* Callbacks: the stream's, the timer's. */
void control_conn_stream_closed(struct stream *stream);
void control_conn_timer_closed(uv_handle_t *handle);

/* ---- control_conn_talk.c ---- */

void control_conn_queue(struct control_conn *conn, int tag, int argc, const char *const *argv);
void control_conn_flush(struct control_conn *conn);
/* Sends AUTH with the credential that it has. */
void control_conn_send_auth(struct control_conn *conn);
/* It is UP, and the owner hears so. */
void control_conn_greeted(struct control_conn *conn);
/* Bytes have come. */
void control_conn_receive(struct control_conn *conn);

#endif
