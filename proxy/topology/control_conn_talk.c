/* control_conn_talk: what is said over a control connection: commands go out, replies come in, and AUTH comes first. */
#include "topology/control_conn_state.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_AUTH (-2)
#define OUT_MAX (256 * 1024) /* a peer that reads nothing: more than this is never waiting */

/* A Sentinel's list of 64 of its kind is some 100 KB. */
#define REPLY_MAX ((size_t)4 * 1024 * 1024)
/* After so many reads it is the others' turn, however much a peer tells. */
#define READS_PER_EVENT 4

void control_conn_flush(struct control_conn *conn)
{
    while (buf_len(&conn->out) > 0) {
        struct iovec part = {.iov_base = buf_head(&conn->out), .iov_len = buf_len(&conn->out)};
        ssize_t n = stream_write(&conn->stream, &part, 1);
        if (n < 0) {
            control_conn_drop(conn, stream_strerror(&conn->stream, (int)n));
            return;
        }
        if (n == 0)
            break;
        if ((size_t)n == buf_len(&conn->out))
            buf_wipe(&conn->out);
        else
            buf_consume(&conn->out, (size_t)n);
    }
    stream_want(&conn->stream, STREAM_READABLE | (buf_len(&conn->out) ? STREAM_WRITABLE : 0));
}

void control_conn_queue(struct control_conn *conn, int tag, int argc, const char *const *argv)
{
    char *text = NULL;
    if (conn->count == CONTROL_CONN_PENDING || buf_len(&conn->out) > OUT_MAX) {
        control_conn_drop(conn, "it does not answer");
        return;
    }
    long long len = redisFormatCommandArgv(&text, argc, (const char **)argv, NULL);
    if (len < 0)
        abort();
    buf_append(&conn->out, text, (size_t)len);
    explicit_bzero(text, (size_t)len);
    redisFreeCommand(text);
    unsigned at = (conn->first + conn->count++) % CONTROL_CONN_PENDING;
    conn->pending[at].tag = tag;
    conn->pending[at].sent_ms = control_conn_now(conn);
    if (!conn->corked)
        control_conn_flush(conn);
}

void control_conn_greeted(struct control_conn *conn)
{
    uv_timer_stop(&conn->timer);
    control_conn_enter(conn, UP);
    conn->on_up(conn);
}

void control_conn_send_auth(struct control_conn *conn)
{
    const struct credential *credential = conn->options.credential;
    const char *user[] = {"Auth", credential->username, credential->password};
    const char *plain[] = {"Auth", credential->password};
    if (credential->username)
        control_conn_queue(conn, TAG_AUTH, 3, user);
    else
        control_conn_queue(conn, TAG_AUTH, 2, plain);
}

static void refused(struct control_conn *conn, const char *error)
{
    char server[ENDPOINT_TEXT_MAX];
    conn->denied = credential_is_refusal(error);
    if (conn->denied)
        credential_refuse(conn->options.credential,
                          endpoint_format(server, sizeof(server), &conn->options.to), error);
}

/* A server without a password refuses AUTH, and needs none. One that is up stays so, whatever it
 * thinks of a new credential. */
static void auth_answered(struct control_conn *conn, const redisReply *reply)
{
    char why[128];
    if (reply->type != REDIS_REPLY_ERROR)
        credential_accept(conn->options.credential);
    else if (!credential_is_needless(reply->str))
        refused(conn, reply->str);
    if (conn->state != GREETING)
        return;
    if (reply->type != REDIS_REPLY_ERROR || credential_is_needless(reply->str)) {
        control_conn_greeted(conn);
        return;
    }
    snprintf(why, sizeof(why), "AUTH was refused: %s", reply->str);
    control_conn_drop(conn, why);
}

static void take_reply(struct control_conn *conn, const redisReply *reply)
{
    int tag = -1;
    conn->answered = conn->tried = true;
    conn->disagrees = false;
    if (conn->is_unasked && conn->is_unasked(conn, reply))
        return;
    if (conn->count > 0) {
        tag = conn->pending[conn->first].tag;
        conn->first = (conn->first + 1) % CONTROL_CONN_PENDING;
        conn->count--;
    }
    if (tag == TAG_AUTH)
        auth_answered(conn, reply);
    else if (conn->state == UP)
        conn->on_reply(conn, tag, reply);
}

static void take_replies(struct control_conn *conn)
{
    while (conn->reader) {
        void *reply = NULL;
        if (redisReaderGetReply(conn->reader, &reply) != REDIS_OK) {
            control_conn_drop(conn, "it does not speak Redis' protocol");
            return;
        }
        if (!reply)
            return;
        conn->unfinished = 0;
        take_reply(conn, reply);
        freeReplyObject(reply);
    }
}

void control_conn_receive(struct control_conn *conn)
{
    char bytes[16384];
    for (int i = 0; i < READS_PER_EVENT && control_conn_is_connected(conn); i++) {
        ssize_t n = stream_read(&conn->stream, bytes, sizeof(bytes));
        if (n == 0)
            return;
        if (n < 0) {
            control_conn_drop(conn, n == UV_EOF ? "the peer closed the connection"
                                                : stream_strerror(&conn->stream, (int)n));
            return;
        }
        conn->heard_ms = control_conn_now(conn);
        conn->unfinished += (size_t)n;
        if (redisReaderFeed(conn->reader, bytes, (size_t)n) != REDIS_OK) {
            control_conn_drop(conn, "no memory for its answer");
            return;
        }
        take_replies(conn);
        if (conn->unfinished > REPLY_MAX)
            control_conn_drop(conn, "an answer that does not end");
    }
}
