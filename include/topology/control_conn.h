/*
 * control_conn: one connection of the control plane to a Redis or a Sentinel.
 * It resolves, connects, authenticates, sends commands and matches replies
 * to them in order. hiredis formats and reads; net/stream moves the bytes.
 *
 *     idle --open(delay)--> waiting -> resolving -> connecting -> greeting -> up
 *      ^                       |           |            |            |        |
 *      +-------- on_down ------+-----------+------------+------------+--------+      (dropping, for a turn)
 *
 * From everywhere control_conn_close() leads to closing, and that to closed. control_conn_login() leads from up back to
 * greeting.
 *
 * Whether and when to try again is the owner's decision, in on_down. The
 * loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_CONTROL_CONN_H
#define REDISPROXY_TOPOLOGY_CONTROL_CONN_H

#include "base/buf.h"
#include "net/address.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "topology/credential.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct redisReply;
struct redisReader;

#define CONTROL_CONN_PENDING 64

struct control_conn_options {
    struct endpoint to;
    struct credential *credential; /* NULL: no AUTH; retained by control_conn_init() */
    bool anonymous;                /* the credential is not shown before control_conn_login() */
    int64_t connect_timeout_ms;
    struct tls_source *tls; /* NULL: plain */
    const char *
        tls_host; /* by which the peer's certificate knows it; NULL: `to` does. Copied by control_conn_init() */
    const struct address *
        beside; /* of a name's addresses this one is taken, if it is among them; NULL: any. The owner's */
};

/* Embedded in its owner, who zeroes it first; the fields below the callbacks are the connection's. */
struct control_conn {
    uv_loop_t *loop;
    struct control_conn_options options;
    /* Authenticated, or anonymous: control_conn_send() works. Once more after control_conn_login(). */
    void (*on_up)(struct control_conn *conn);
    /* `tag` is that of the oldest unanswered command; -1 when there is none (a push). */
    void (*on_reply)(struct control_conn *conn, int tag, const struct redisReply *reply);
    /* Whether it answers no command, and is to be dropped; NULL: none is. */
    bool (*is_unasked)(struct control_conn *conn, const struct redisReply *reply);
    /* It broke, or did not come about (`was_up` false); control_conn_open() tries again. */
    void (*on_down)(struct control_conn *conn, const char *why, bool was_up);
    /* After control_conn_close(): the memory belongs to the owner again. */
    void (*on_closed)(struct control_conn *conn);

    struct stream stream;
    uv_timer_t timer;
    struct resolve *resolving;
    struct redisReader *reader;
    size_t unfinished; /* bytes since the last whole reply */
    struct buf out;
    struct address address; /* the one it is, or was last, connected to */
    int64_t try_ms;         /* when this try to connect began; 0: none is going on */
    int64_t heard_ms;       /* when bytes last came */
    int64_t
        cert_ends_s; /* when the certificate ends that the peer showed last, since 1970; 0: none */
    char tls_host[ENDPOINT_HOST_MAX];
    char why[160];
    uint8_t state;  /* control_conn.c has the enum, the table of transitions and the setter */
    bool timed_out; /* the last try met silence, not a refusal */
    bool refused;   /* the last try: nobody listens there, says the peer's kernel */
    bool reached;   /* the last try: somebody accepted the connection */
    bool denied;    /* the last try: ... and refused the credential */
    bool tried;     /* a try has ended, or brought an answer */
    bool disagrees; /* the last try: TLS could not be agreed on; `why` says why */
    bool agreed;    /* TLS has been, once */
    bool answered;  /* the peer, on this connection */
    bool
        in_vain; /* the last try brought no answer: of a name's addresses it is another one's turn */
    bool was_up; /* what is being dropped was up */
    bool timer_closed, stream_used, corked;
    struct {
        int tag;
        int64_t sent_ms;
    } pending[CONTROL_CONN_PENDING];
    unsigned first, count;
};

/* The callbacks and `options` are set by the owner first. */
void control_conn_init(struct control_conn *conn, uv_loop_t *loop);
/* Connects after a delay; only when it is idle. */
void control_conn_open(struct control_conn *conn, int64_t delay_ms);
bool control_conn_is_up(const struct control_conn *conn);
/* Why TLS cannot be agreed on with the peer, until it answers; NULL: it can, as far as is known. */
const char *control_conn_disagreement(const struct control_conn *conn);
/* Whether it waits for control_conn_open()'s delay to pass. */
bool control_conn_is_waiting(const struct control_conn *conn);
/* From now on it authenticates so; and at once, to see whether that is right, if it is up and
 * `try_it`. */
void control_conn_set_credential(struct control_conn *conn, struct credential *credential,
                                 bool try_it);
/* Shows the credential to a peer that was talked to without it. What was asked before is not answered any
 * more; on_up follows, or on_down when the credential is refused. Nothing when there is none. */
void control_conn_login(struct control_conn *conn);
/* Sends a command; only when it is up. tag >= 0. */
void control_conn_send(struct control_conn *conn, int tag, int argc, const char *const *argv);
/* While corked, what is sent is only queued; then it goes out in one piece. */
void control_conn_cork(struct control_conn *conn, bool corked);
/* Authenticates again, as after RESET. */
void control_conn_authenticate(struct control_conn *conn);
/* Since when the peer owes an answer (to a command, or to connecting); 0: it owes none. */
int64_t control_conn_owed_since(const struct control_conn *conn);
/* The owner found it dead: on_down follows, on a later turn. */
void control_conn_fail(struct control_conn *conn, const char *why);
/* For good; on_closed follows, on a later turn, and no other callback. */
void control_conn_close(struct control_conn *conn);

#endif
