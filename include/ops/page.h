/*
 * page: what the web server has besides health and metrics: / (a page for people), /status (the same as JSON), /events (a
 * stream of it). A part of the web server, which has it turn; nothing here waits.
 *
 *     page_turn()  every second: a sample of the traffic; and whatever has changed, to those who watch
 *                  every tenth of a second while somebody watches: has the topology changed, has a switchover ended?
 *
 * The web server's thread only.
 */
#ifndef REDISPROXY_OPS_PAGE_H
#define REDISPROXY_OPS_PAGE_H

#include "ops/http.h"
#include "ops/http_connections.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct page;

struct page *page_new(struct http_connections *connections);
/* Ends the streams; before libmicrohttpd is stopped. */
void page_end(struct page *page);
/* After that. */
void page_free(struct page *page);

/* Whether it is for this path. */
bool page_has(const char *path);

/* Answers a GET, or a HEAD. Returns what on_request of libmicrohttpd is to return. */
enum MHD_Result page_answer(struct page *page, struct MHD_Connection *connection, const char *path,
                            bool head, const struct http_sources *sources, bool draining);

/* Returns in how many milliseconds it is to be called again, at the latest. */
int page_turn(struct page *page, const struct http_sources *sources, bool draining);

#endif
