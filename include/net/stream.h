/*
 * stream: one connection's bytes, plain or in TLS: whoever reads and writes cannot tell. Everything that talks to a peer
 * stands on it: sessions,
 * upstreams, Sentinel connections, probes.
 *
 * It is a pull interface over uv_poll: the owner is told that the peer may be
 * read or written, and reads into memory of its own choice and writes from it.
 * So an idle stream holds no buffer, a large payload lands where it will
 * stay, and the owner knows to the byte what has reached the kernel (decision
 * 3: a request none of whose bytes did may be sent to another node).
 *
 *                 stream_connect / stream_accept      (and stream_secure)
 *                             |
 *    on_event(STREAM_OPEN) ---+--- on_event(STREAM_READABLE | STREAM_WRITABLE)
 *                             |
 *                        stream_close  (the socket is gone when it returns)
 *                             |
 *                        on_closed     (the memory may go)
 *
 * All functions: on the loop's thread only.
 */
#ifndef REDISPROXY_NET_STREAM_H
#define REDISPROXY_NET_STREAM_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <uv.h>

struct stream;
struct secure;
struct tls;
struct tls_context;

enum stream_event {
    STREAM_OPEN =
        1, /* the connection stands, and TLS has shaken hands; not said of an accepted plain one */
    STREAM_READABLE = 2, /* stream_read() may bring something, an end or an error included */
    STREAM_WRITABLE = 4, /* stream_write() may take something */
    STREAM_GONE = 8,     /* the peer ended its side; said once, with reading off too */
};

/* `events` is a set of stream_event; `error` is 0, or the negative libuv code for which connecting, or the TLS
 * handshake, failed (then the owner closes the stream). The owner may close the stream in here. */
typedef void stream_on_event(struct stream *stream, unsigned events, int error);

/* The last call about a stream: its memory belongs to the owner again. */
typedef void stream_on_closed(struct stream *stream);

/* Embedded in its owner (container_of leads back), who zeroes it before its first use; from then on the fields are
 * the stream's. It may be opened again after on_closed. */
struct stream {
    uv_poll_t poll;
    struct secure *secure; /* TLS, and what the stream needs for it; NULL: plain */
    stream_on_event *on_event;
    stream_on_closed *on_closed;
    int fd;
    unsigned char want;    /* what the owner wants of STREAM_READABLE | STREAM_WRITABLE */
    unsigned char polling; /* what epoll was told */
    bool gone;             /* the peer ended its side, and the owner was told */
    unsigned char state;   /* stream.c has the enum, the table of transitions and the setter */
};

/* Starts connecting; on_event brings STREAM_OPEN or an error later, never before this returns.
 * Returns 0, or a negative libuv code (then the stream was not opened, and on_closed is not
 * called). */
int stream_connect(struct stream *stream, uv_loop_t *loop, const struct address *to,
                   stream_on_event *on_event, stream_on_closed *on_closed)
    __attribute__((warn_unused_result));

/* Takes over a connected socket. Returns as stream_connect; on an error the socket is closed. */
int stream_accept(struct stream *stream, uv_loop_t *loop, int fd, stream_on_event *on_event,
                  stream_on_closed *on_closed) __attribute__((warn_unused_result));

/* Speaks TLS on it, right after stream_connect() or stream_accept() has returned 0. on_event brings STREAM_OPEN when the
 * handshake is done, or UV_ETIMEDOUT after `timeout_ms` (0: the owner looks after that), or another error. Until then
 * the stream is not open. `name`: for a client, to whom it connects: a host's name or a numeric address. */
void stream_secure(struct stream *stream, struct tls_context *context, const char *name,
                   int64_t timeout_ms);

/* What TLS knows of it (net/tls.h); NULL: it is plain. */
const struct tls *stream_tls(const struct stream *stream);

/* The words for an error of this stream: TLS' own where there are some. Good until the stream is closed. */
const char *stream_strerror(const struct stream *stream, int error);

/* How it is noticed that the peer's host is gone, which sends no end. Keep-alive asks the peer of an idle
 * connection, after `keepalive_ms` and then each third of it, and ends the connection when three questions
 * are unanswered; 0: never. `user_timeout_ms`: also when what was sent is not taken for so long, which a
 * peer that only pauses (its window is closed) does not survive either; 0: as long as the kernel tries.
 * Without this call: after STREAM_KEEPALIVE_MS, and STREAM_USER_TIMEOUT_MS, for the proxy's own connections. */
#define STREAM_KEEPALIVE_MS 15000
#define STREAM_USER_TIMEOUT_MS 10000
void stream_watch_peer(struct stream *stream, int64_t keepalive_ms, int64_t user_timeout_ms);

/* Reads at most `len` bytes. Returns their number; 0: nothing there now; a negative libuv code: the
 * connection is over (UV_EOF: the peer ended its side). */
ssize_t stream_read(struct stream *stream, void *into, size_t len)
    __attribute__((warn_unused_result));

/* Writes what the kernel takes of `parts`. Returns the number of bytes taken, 0 when it takes none
 * now (ask for STREAM_WRITABLE), or a negative libuv code: the connection is over. */
ssize_t stream_write(struct stream *stream, const struct iovec *parts, int count)
    __attribute__((warn_unused_result));

/* Whether there are bytes that stream_write() has taken and the kernel has not: records of TLS. The stream sends them by
 * itself as soon as it can; closing it loses them. */
bool stream_has_unsent(const struct stream *stream); /* of one with TLS */
static inline bool stream_is_behind(const struct stream *stream)
{
    return stream->secure && stream_has_unsent(stream);
}

/* Says which of STREAM_READABLE | STREAM_WRITABLE the owner wants to hear of from now on. */
void stream_want(struct stream *stream, unsigned events);

/* The peer's address, for people. Returns out. */
const char *stream_peer(const struct stream *stream, char *out, size_t size);

/* Ends the connection at once, unsent bytes with it; a second call does nothing. No on_event comes
 * any more; on_closed comes on a later loop turn. */
void stream_close(struct stream *stream);

bool stream_is_open(const struct stream *stream);

/* Whether the peer has taken the connection, and TLS has yet to shake hands. */
bool stream_is_shaking(const struct stream *stream);

/* After UV_EOF: whether the peer has ended it in the middle of something (of a record of TLS). */
bool stream_ended_short(const struct stream *stream);

/* Whether there is something to read, without reading. */
bool stream_has_input(const struct stream *stream);

#endif
