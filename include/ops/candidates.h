/*
 * candidates: which replica would Sentinel promote, and are they in step? From its own list (SENTINEL REPLICAS), by its
 * own rule: the lowest replica-priority first (0: never), then who has most, then the run id. Plain values.
 */
#ifndef REDISPROXY_OPS_CANDIDATES_H
#define REDISPROXY_OPS_CANDIDATES_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANDIDATES_MAX 32

struct redisReply;

struct candidate {
    struct endpoint endpoint;
    char name[ENDPOINT_TEXT_MAX];
    long priority;
    int64_t offset; /* as it said itself last; -1: it has not */
};

/* Those of the lowest priority: one of them is promoted. */
struct candidates {
    struct candidate each[CANDIDATES_MAX];
    size_t count;
    size_t replicas; /* all that Sentinel lists, good or not */
};

/* Reads SENTINEL REPLICAS. Returns 0, or -1 when it is no such list. */
int candidates_read(struct candidates *out, const struct redisReply *reply)
    __attribute__((warn_unused_result));

/* Whether Sentinel would certainly promote this one ("host:port", or a host): it alone has the lowest priority. Otherwise
 * `why` tells what to do. */
bool candidates_only(const struct candidates *candidates, const char *to, char *why, size_t size);

/* How many bytes the one that has least is behind `master`, the master's offset; -1: one has not said. */
int64_t candidates_behind(const struct candidates *candidates, int64_t master);

/* The number behind "name:" in INFO's text, or -1. */
int64_t info_number(const char *info, const char *name);

#endif
