/*
 * status: what /status answers, and what the page shows: one JSON object (docs/status.md tells its fields).
 *
 *     a look (http_look.h), the samples, the history, the log's last lines --> status_document() --> GET /status
 *                                                                                  |         \-> the page, its rows (page_fill.h)
 *                                                                                  +--> events of a stream (page_streams.h)
 *
 * What comes one after the other (samples, switchovers, lines of the log) is numbered, and a document has those behind a mark
 * up to another: so a stream's next event goes on where the last one ended. No field ever holds a password: nothing here
 * reads the configuration's secrets, and no line of the log has one.
 *
 * Pure functions of what is handed in, but for the log's lines and the process's own numbers.
 */
#ifndef REDISPROXY_OPS_STATUS_H
#define REDISPROXY_OPS_STATUS_H

#include "ops/http_look.h"
#include "ops/samples.h"
#include "topology/history.h"

#include <cjson/cJSON.h>

/* It changes when a field goes or means something else; a new field does not change it. */
#define STATUS_VERSION 1

struct status_sources {
    const struct http_look *look;
    const struct samples *samples;
    struct history *history;
};

/* How far the three rows have come. All zero: they have not begun. */
struct status_mark {
    uint64_t sample, switchover, line;
};
struct status_mark status_mark_now(const struct status_sources *sources);

/* The object, to be deleted; with what comes behind `from`, `to` included. */
cJSON *status_document(const struct status_sources *sources, const struct status_mark *from,
                       const struct status_mark *to);

#endif
