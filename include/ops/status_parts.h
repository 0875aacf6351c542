/* status_parts: the parts of /status by what they tell of; status.c puts them together. Each returns an object of its own. */
#ifndef REDISPROXY_OPS_STATUS_PARTS_H
#define REDISPROXY_OPS_STATUS_PARTS_H

#include "ops/status.h"

/* ---- status_nodes.c ---- */
cJSON *status_groups(const struct http_look *look);
cJSON *status_nodes(const struct http_look *look);
cJSON *status_sentinels(const struct http_look *look);

/* ---- status_rows.c: what comes one after the other ---- */
cJSON *status_samples(const struct samples *samples, uint64_t from, uint64_t to);
cJSON *status_switchovers(struct history *history, uint64_t from, uint64_t to);
cJSON *status_log(uint64_t from, uint64_t to);

#endif
