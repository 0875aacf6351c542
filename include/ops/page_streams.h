/*
 * page_streams: whoever watches the page: answers that do not end, to which events are added (text/event-stream).
 *
 *     page_streams_open() --no event yet--> suspended <--the last event is acknowledged-- sending
 *                                               |                                            ^
 *                                               +--page_streams_send(): one more event ------+
 *
 * An event's text is made once for all. A stream gets the next one when the other side's kernel has acknowledged the last one,
 * so none ever has more than one of them waiting in this process; one that has missed some gets everything anew. That an event
 * was acknowledged is what http_connections calls an answer: whose does not come for HTTP_REQUEST_MS is cut. No stream has a
 * thread, and none is waited for: libmicrohttpd has the connection suspended while there is nothing to send.
 *
 * The web server's thread only.
 */
#ifndef REDISPROXY_OPS_PAGE_STREAMS_H
#define REDISPROXY_OPS_PAGE_STREAMS_H

#include "base/list.h"
#include "ops/http_connections.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_streams {
    struct list all;
    size_t count;
    struct http_connections *connections;
};

void page_streams_init(struct page_streams *streams, struct http_connections *connections);

/* Answers with a stream, which is fresh at first. Returns what on_request of libmicrohttpd is to return. */
enum MHD_Result page_streams_open(struct page_streams *streams, struct MHD_Connection *connection);

/* Whether one that is fresh takes an event now. */
bool page_streams_want_whole(const struct page_streams *streams);

/* Whoever takes an event now gets one: who is fresh `whole`, the others `update`. NULL: there is none for these. */
void page_streams_send(struct page_streams *streams, const char *whole, const char *update,
                       int64_t now_ms);

/* Looks who has gone, and who was cut; ends these. To be called now and then. */
void page_streams_look(struct page_streams *streams);

/* Nobody is suspended any more, and no stream goes on: libmicrohttpd may be stopped. */
void page_streams_end(struct page_streams *streams);

#endif
