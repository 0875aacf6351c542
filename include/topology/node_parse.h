/*
 * node_parse: what a node says of itself, to plain values. Pure.
 */
#ifndef REDISPROXY_TOPOLOGY_NODE_PARSE_H
#define REDISPROXY_TOPOLOGY_NODE_PARSE_H

#include "net/address.h"
#include "topology/election.h"

#include <stdbool.h>
#include <stddef.h>

struct redisReply;

/* PING's answer: whether the node can serve. */
bool node_parse_unready(const struct redisReply *reply);

/* ROLE: the role; a replica's master and link. Returns false when it is not ROLE's answer. */
bool node_parse_role(struct node_answer *out, struct endpoint *master,
                     const struct redisReply *reply);

/* Copies the value of "name:value" out of INFO's text. Returns false when it is not there. */
bool node_parse_info(char *out, size_t size, const char *info, const char *name);

/* INFO replication: replication ids, the link, and the good replicas, of which `needed` must be
 * there (-1: not known, then one where the node counts them at all). */
void node_parse_replication(struct node_answer *out, const char *info, int needed);

#endif
