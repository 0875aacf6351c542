/*
 * raw: a socket and bytes, for what no client library would send, and for answers that must be
 * Redis' own to the byte.
 */
#ifndef TESTS_SYSTEM_RAW_H
#define TESTS_SYSTEM_RAW_H

#include <stdbool.h>
#include <stddef.h>

/* Connects. Returns the socket, or -1. */
int raw_open(const char *host, int port);
/* The same, never with TLS. */
int raw_open_plain(const char *host, int port);

/* Sends all of it. Returns false when the peer has gone. */
bool raw_send(int fd, const void *bytes, size_t len);
bool raw_send_text(int fd, const char *text);

/* Reads until `wanted` bytes are there, the peer ends or `ms` pass. Returns their number; ends them
 * with a NUL (`into` has room for wanted + 1). */
size_t raw_read(int fd, char *into, size_t wanted, int ms);

/* Whether exactly these bytes come next, within 5 s; says on stderr what came instead. */
bool raw_expect(int fd, const char *text);

/* Whether the peer closes within `ms`, sending nothing more. */
bool raw_closed(int fd, int ms);

/* Whether the peer closes within `ms`, whatever it sends until then. */
bool raw_ended(int fd, int ms);

/* Whether the peer sends nothing and stays, for `ms`. */
bool raw_silent(int fd, int ms);

/* Everything that the peer answers to `len` bytes, from a connection of its own: up to the answer
 * to a PING that is sent behind them, or to the end of the connection ("<closed>" is appended
 * then). With `closes` no PING is sent: bytes that nobody reads would turn the peer's close into a
 * reset, which may overtake its last answer. `step` bytes are sent at a time, 0: all at once. The
 * caller frees it; NULL: no end within 10 s. */
char *raw_transcript(const char *host, int port, const char *bytes, size_t len, size_t step,
                     bool closes);

/* Writes `bytes` with quotes and escapes, for messages. Valid until the next call but three. */
const char *raw_show(const char *bytes, size_t len);

/* GET over HTTP/1.0. Returns the status, 0 when there was no answer; the body goes into `body`. */
/* The same with further header lines (each ended by a line end); all of the answer, its head too, to be freed. NULL: there
 * is none. */
char *http_get_whole(const char *host, int port, const char *path, const char *headers);
int http_get(const char *host, int port, const char *path, char *body, size_t size);

#endif
