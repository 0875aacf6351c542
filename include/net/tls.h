/*
 * tls: the TLS side of one connection, for net/stream, which alone calls it. It reads and writes a socket that is not
 * its own; when to do that is the stream's business.
 *
 *     stream_read() -> tls_read() -> recv() -> OpenSSL -> the owner's memory
 *     stream_write() -> tls_write() -> OpenSSL -> records of one turn -> send(), once
 *
 * OpenSSL is never told that a write has to wait: what the kernel does not take of the records is kept here
 * (tls_unsent()), so what tls_write() says it has taken is on its way for certain, and will not be asked for again.
 *
 * One thread at a time.
 */
#ifndef REDISPROXY_NET_TLS_H
#define REDISPROXY_NET_TLS_H

#include "net/tls_context.h"
#include "net/tls_error.h"

#include <sys/types.h>
#include <sys/uio.h>

struct tls;

/* `name`: who is connected to, for a client: a host's name or a numeric address; borrowed for this call. */
struct tls *tls_new(struct tls_context *context, int fd, const char *name);
void tls_free(struct tls *tls);

/* Goes on with the handshake. Returns 1: it is done; 0: the socket must be readable first (or writable, where something
 * is unsent); a negative libuv code: it has failed, tls_why() says why. */
int tls_shake(struct tls *tls);

/* Whether the handshake went on with the session of an earlier one: no certificates were shown. How many have done
 * so, ever, and how many were full ones; any thread. */
bool tls_resumed(const struct tls *tls);
unsigned long long tls_handshakes(enum tls_side side, bool resumed);

/* As stream_read() and stream_write(). */
ssize_t tls_read(struct tls *tls, void *into, size_t len);
ssize_t tls_write(struct tls *tls, const struct iovec *parts, int count);

/* Whether tls_read() may bring something though the socket is not readable. */
bool tls_has_input(const struct tls *tls);

/* Whether a part of a record has come, and not been read: an end behind it is no end in good order. */
bool tls_has_part(const struct tls *tls);

/* Bytes that the kernel has not taken yet, and the try to send them: 0, or a negative libuv code. */
size_t tls_unsent(const struct tls *tls);
int tls_flush(struct tls *tls);

/* Tells the peer that nothing follows, if the socket takes that at once. */
void tls_say_goodbye(struct tls *tls);

/* What has failed: a line for people, and the reason for a counter. The peer that closed before it said anything is
 * `silent`: a probe. */
const char *tls_why(const struct tls *tls);
enum tls_failure tls_failure(const struct tls *tls);
bool tls_was_silent(const struct tls *tls);
void tls_timed_out(struct tls *tls);

/* Whether it has failed over what both sides are: a certificate, a version, one that is plain. Another connection will do
 * no better until somebody changes something. NULL: no. */
static inline bool tls_disagrees(const struct tls *tls)
{
    return tls && *tls_why(tls) && tls_failure(tls) != TLS_FAIL_CLOSED &&
           tls_failure(tls) != TLS_FAIL_TIMEOUT;
}

/* What a peer's certificate says of who it is: its CN, or its first URI. Returns out; "" where there is none, or none
 * that fits, or one with a NUL in it. */
const char *tls_peer_cn(const struct tls *tls, char *out, size_t size);
const char *tls_peer_uri(const struct tls *tls, char *out, size_t size);

/* The peer's certificate, or NULL; to be freed with X509_free(). */
X509 *tls_peer_certificate(const struct tls *tls);

#endif
