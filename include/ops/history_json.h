/*
 * history_json: a switchover as a JSON object, and back. Pure functions. Any thread.
 *
 *     {"ts":"2026-11-28T16:52:01.123Z","group":"mymaster","result":"new","from":"127.0.0.1:6379","to":"127.0.0.2:6379",
 *      "reason":"a failover has begun","epoch":7,"provisional":false,"held_ms":1104,
 *      "phases_ms":{"candidate":12,"promotion":980,"majority":100,"release":12},
 *      "requests":{"held":120,"retried":3,"unknown":0,"refused":0}}
 */
#ifndef REDISPROXY_OPS_HISTORY_JSON_H
#define REDISPROXY_OPS_HISTORY_JSON_H

#include "topology/history.h"

#include <cjson/cJSON.h>

/* To be deleted by the caller. */
cJSON *history_to_json(const struct switchover *s);

/* The same as text on one line, without a line end; to be freed with free(). */
char *history_to_text(const struct switchover *s);

/* Reads a line of history_to_text(), of whoever. Returns false where it is none. Texts that are too long are cut. */
bool history_from_text(const char *text, size_t len, struct switchover *out);

#endif
