/*
 * summaries: each switchover ends with one line of the log, and an entry of the history: how long its phases took, and
 * what became of clients' requests meanwhile.
 *
 *     election --the switch has ended--> its snapshot is published --all workers have carried it out--> line, history
 *
 * The requests are counted by the workers, on and on (topology/switch_counts.h). What a switchover cost is the difference
 * between two moments: the end, when all workers have carried out the snapshot that ends it, or a second after
 * that was published; and the last one at which all was well, a second or two before the first trouble: a master that
 * dies has cost writes before anybody calls it a failover.
 *
 * The control thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_SUMMARIES_H
#define REDISPROXY_TOPOLOGY_SUMMARIES_H

#include "topology/history.h"
#include "topology/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long the workers are waited for. */
#define SUMMARY_WAIT_MS 1000

struct summaries;

struct summaries *summaries_new(struct board *board, size_t groups);
void summaries_free(struct summaries *summaries);

/* A switch of this group has ended. `s` is as the election reports it. */
void summaries_ended(struct summaries *summaries, size_t group, const struct switchover *s,
                     int64_t now_ms);

/* The newest snapshot was published: it has all that was reported before. */
void summaries_published(struct summaries *summaries, uint64_t seq);

/* Twice a second: notes what was counted of groups where all is well, as this snapshot says. */
void summaries_note(struct summaries *summaries, const struct topology *shown, int64_t now_ms);

/* Writes what can be written now. Returns whether something is left: then it is to be called again soon. */
bool summaries_settle(struct summaries *summaries, int64_t now_ms);

#endif
