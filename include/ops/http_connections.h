/*
 * http_connections: how many connections the web server has, and for how long: so that slow ones, however many and
 * on whatever purpose, do not keep a probe from being answered.
 *
 *     oldest                                                   newest
 *     [ since ] -> [ since ] -> ...    (max, at most)      -> [ since ]
 *      is cut when one more comes,                       a new one, or one that
 *      or HTTP_REQUEST_MS after `since`                  was answered just now
 *
 * A connection has one deadline for its next answer, from the first byte that it does not send to the last one that it
 * does not read: nothing that it does on the way puts that off. The oldest goes first, whether it has sent a whole
 * request or not: who sends one and does not read the answer would otherwise keep its place.
 *
 * Cutting is shutdown(2): the web server notices, and closes. One thread.
 */
#ifndef REDISPROXY_OPS_HTTP_CONNECTIONS_H
#define REDISPROXY_OPS_HTTP_CONNECTIONS_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_MS 10000

struct http_connection {
    struct list entry; /* in no list once it is cut */
    int fd;
    int64_t since; /* it came, or was answered last, milliseconds of clock_ms() */
};

struct http_connections {
    struct list all; /* that are not cut, the oldest first */
    size_t count, max;
};

void http_connections_init(struct http_connections *connections, size_t max);

/* A connection has come; the oldest is cut if it is one too many. The descriptor stays the web server's. */
struct http_connection *http_connection_open(struct http_connections *connections, int fd,
                                             int64_t now) __attribute__((warn_unused_result));

/* It got a whole answer: it is as if it were new. */
void http_connection_answered(struct http_connections *connections,
                              struct http_connection *connection, int64_t now);

/* The web server is about to close it: frees it. */
void http_connection_close(struct http_connections *connections,
                           struct http_connection *connection);

/* Cuts those whose time is over. Returns in how many milliseconds that is to be done again, -1: not before one comes. */
int http_connections_expire(struct http_connections *connections, int64_t now);

#endif
