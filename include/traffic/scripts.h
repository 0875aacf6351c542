/*
 * scripts: the texts of Lua scripts that went by (EVAL, SCRIPT LOAD), so that an EVALSHA finds its
 * script on a node that never saw it: the promoted one, or one that was restarted. Redis keeps scripts
 * in memory only, and does not replicate them.
 *
 * Bounded: the oldest go first. One worker's thread only.
 */
#ifndef REDISPROXY_TRAFFIC_SCRIPTS_H
#define REDISPROXY_TRAFFIC_SCRIPTS_H

#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scripts;

/* Keeps at most `max_bytes` of text. */
struct scripts *scripts_new(size_t max_bytes);
void scripts_free(struct scripts *scripts);

/* A text went by, to the node with this id (0: it is not known where to). Returns whether it is new. */
bool scripts_saw(struct scripts *scripts, struct slice text, uint64_t node);

/* The text with this SHA1 (40 hexadecimal digits, in any case); {NULL, 0}: it was never seen, or is
 * forgotten. Good until the next call. */
struct slice scripts_text(struct scripts *scripts, struct slice sha);

/* Whether the node has had the text with this SHA1; from now on it counts as having it. True for a
 * text that is not known: there is nothing to be done about it. */
bool scripts_went_to(struct scripts *scripts, struct slice sha, uint64_t node);

/* Nodes may have been restarted: none counts as having a script any more. */
void scripts_forget_nodes(struct scripts *scripts);

/* SCRIPT FLUSH: they are meant to be gone. */
void scripts_clear(struct scripts *scripts);

#endif
