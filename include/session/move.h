/*
 * move: a session goes to another process of the proxy, with its client's socket and all that the client may rely on: who
 * it is, its database and protocol, its name, its subscriptions, what it told its node. It is packed as a list of RESP
 * commands, in words of our own, and no secret of it is logged.
 *
 *     SESSION 1099511627777 127.0.0.1:6379 5000 120        id, listener, age, since when it has been silent (ms)
 *     AUTH app secret     HELLO 3     SELECT 2     NAME worker-7     SUBSCRIBE news     CLIENT TRACKING ON     ...
 *     LEASE 10.0.0.7:6379 master 51 123                     the second socket is its lease
 *     BYTES *3\r\n$3\r\nSE                                  read, and no whole request yet
 *
 * It may go when nothing is unfinished but the beginning of a request. The worker's thread.
 */
#ifndef REDISPROXY_SESSION_MOVE_H
#define REDISPROXY_SESSION_MOVE_H

#include "nodes/moved.h"
#include "session/session.h"

/* The longest packed session; a longer one cannot be moved. */
#define SESSION_PACKED_MAX ((size_t)96 * 1024)

/* More of a request than this is not handed over: it has to come wholly first. */
#define SESSION_MOVED_BYTES_MAX ((size_t)16 * 1024)

/* Whether it can be handed over at all, if not now: its client speaks plainly, and there is nothing about it that no other
 * process could know. */
bool session_is_movable(const struct session *s);
/* Whether it would be soon if its client were not read: it is not inside MULTI, does not watch, is not blocked nor held. */
bool session_nears_move(const struct session *s);
/* Whether it may be handed over now. */
bool session_may_move(const struct session *s);

/* Appends it to `out`, which is wiped by the caller. Returns false when it may not be moved, for it is too long. The sockets
 * go along: the client's and, if *lease_fd is not -1 then, its lease's. */
bool session_pack(const struct session *s, struct buf *out, int *client_fd, int *lease_fd);

/* What is to be known of a packed session before it is unpacked. */
struct session_head {
    uint64_t id;
    struct address listener;
};
/* Any thread. Returns false when it is none. */
bool session_read_head(struct slice packed, struct session_head *out);

/* Makes it a session again. Both sockets are the session's from now on (lease_fd -1: there is none), or closed. `packed` is
 * wiped as far as it holds secrets. Returns 0, or -1: it cannot be had here, and *why says what is wrong. */
int session_unpack(struct session_host *host, const struct traffic_listener_options *listener,
                   int client_fd, int lease_fd, char *packed, size_t len, const char **why)
    __attribute__((warn_unused_result));

#endif
