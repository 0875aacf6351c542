/*
 * scripts: the texts of Lua scripts that went by (EVAL, SCRIPT LOAD), so that an EVALSHA finds its
 * script on a node that never saw it: the promoted one, or one that was restarted. Redis keeps scripts
 * in memory only, and does not replicate them.
 *
 * Bounded: those that were not used for the longest time go first. One worker's thread only.
 */
#ifndef REDISPROXY_NODES_SCRIPTS_H
#define REDISPROXY_NODES_SCRIPTS_H

#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scripts;

/* Takes at most `max_bytes` of memory, with all that keeping a text costs (some hundred bytes). */
struct scripts *scripts_new(size_t max_bytes);
void scripts_free(struct scripts *scripts);
/* What it takes now. */
size_t scripts_bytes(const struct scripts *scripts);

/* A text went by. Returns whether it is new. */
bool scripts_saw(struct scripts *scripts, struct slice text);

/* The text with this SHA1 (40 hexadecimal digits, in any case); {NULL, 0}: it was never seen, or is
 * forgotten. Good until the next call. */
struct slice scripts_text(struct scripts *scripts, struct slice sha);

/* Whether a node has a script, as far as was heard from it. */
enum script_state {
    SCRIPT_UNSEEN,  /* its text is not known: there is nothing to be done about it */
    SCRIPT_MISSING, /* for all that is known */
    SCRIPT_LOADING, /* SCRIPT LOAD is on its way */
    SCRIPT_THERE,   /* it was answered */
    SCRIPT_REFUSED, /* not for this user */
};

/* Of the script with this SHA1 at this node, for this user (of either only the pointer matters). It counts
 * as used. `on` is what it is LOADING on. */
enum script_state scripts_at(struct scripts *scripts, struct slice sha, uint64_t node,
                             const void *user, const void **on);

/* SCRIPT LOAD goes to the node, on a connection `on`; and what came of that. If the node was forgotten
 * meanwhile, or the script, nothing. */
void scripts_load(struct scripts *scripts, struct slice sha, uint64_t node, const void *on);
void scripts_loaded(struct scripts *scripts, struct slice sha, uint64_t node, const void *on,
                    enum script_state now, const void *user);

/* Whether the node is the one that was told the recent scripts last; from now on it is. */
bool scripts_told(struct scripts *scripts, uint64_t node);
/* Of the scripts that were asked for by SHA1, those that were used last, the last one first, and not more
 * than `max_bytes` of text: tells those that are MISSING at the node, for this user. */
void scripts_each_recent(struct scripts *scripts, uint64_t node, const void *user, size_t max_bytes,
                         void (*each)(void *data, struct slice sha), void *data);

/* The node may have been restarted (all may): it does not count as having a script any more. */
void scripts_forget_node(struct scripts *scripts, uint64_t node);
void scripts_forget_nodes(struct scripts *scripts);

/* SCRIPT FLUSH: they are meant to be gone. */
void scripts_clear(struct scripts *scripts);

#endif
