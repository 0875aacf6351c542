/*
 * http: the web server for /healthz, /readyz, /metrics and the page, on a thread of its own.
 */
#ifndef REDISPROXY_OPS_HTTP_H
#define REDISPROXY_OPS_HTTP_H

#include "nodes/options.h"
#include "ops/config.h"
#include "topology/control.h"
#include "topology/topology.h"
#include "worker/workers.h"

/* What the answers are made of. All of it outlives the server, or its next http_reload(). */
struct http_sources {
    struct board *board;
    const struct control *control;
    const struct workers *workers;
    const struct traffic_options *options;
    const struct config_tls *tls;
};

struct http;

/* Starts serving on a bound, listening descriptor, which the server owns from now on (also when it
 * fails). Returns NULL after logging why. */
struct http *http_start(int fd, const struct http_sources *sources)
    __attribute__((warn_unused_result));

/* From now on /readyz says that the proxy is going. Any thread. */
void http_draining(struct http *http);

/* Other options, which are answered from when this returns; it speaks TLS as it did. Any thread. */
void http_reload(struct http *http, const struct traffic_options *options,
                 const struct config_tls *tls);

/* As http_stop(), but the listening descriptor stays open and is the caller's. */
int http_hand_back(struct http *http);

/* Closes every connection, joins the thread, frees everything. NULL is allowed. */
void http_stop(struct http *http);

#endif
