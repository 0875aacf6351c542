/*
 * sentinel_parse: Sentinel's words to plain values: its events' payloads, and
 * the replies to SENTINEL MASTER, REPLICAS, SENTINELS. Pure.
 */
#ifndef REDISPROXY_TOPOLOGY_SENTINEL_PARSE_H
#define REDISPROXY_TOPOLOGY_SENTINEL_PARSE_H

#include "net/address.h"
#include "topology/election.h"
#include "topology/votes.h"

#include <stdbool.h>
#include <stddef.h>

struct redisReply;

/* One published event. An endpoint that the event does not have has port 0. */
struct sentinel_event {
    char name[128]; /* the Sentinel master name; "": the event concerns the whole Sentinel */
    struct endpoint master;  /* as this Sentinel writes it; of +switch-master the old one */
    struct endpoint subject; /* the replica or Sentinel; of +switch-master the new master */
};

/* Reads a payload. Returns false when it has none of the known forms. */
bool sentinel_parse_event(struct sentinel_event *out, const char *channel, const char *payload);

/* What an event means to the election; false: nothing. */
bool sentinel_event_kind(const char *channel, enum election_event *out);

/* Whether the line is worth an operator's eye: the election tells of the others itself. */
bool sentinel_event_notable(const char *channel);

/* The value of a field in a flat list of names and values, or NULL. */
const char *sentinel_field(const struct redisReply *reply, const char *name);

enum failover_step sentinel_parse_step(const char *text);

/* Reads an array of host and port, as GET-MASTER-ADDR-BY-NAME gives it; false: null, or an error.
 */
bool sentinel_parse_address(struct endpoint *out, const struct redisReply *reply);

/* Reads the fields "ip" and "port" of an instance. */
bool sentinel_parse_instance(struct endpoint *out, const struct redisReply *reply);

#endif
