/*
 * log_queue: the lines that wait for the log's writer, a thread, and that thread.
 *
 *     any thread -> log_queue_admits() -> log_queue_put() -> [ 256 KB of lines ] -> writer -> log_target
 *                        too many of its kind    no room             nobody reads: it alone waits
 *                        = counted               = counted
 *
 * Whoever logs never waits for who reads the log. All functions are for any thread.
 */
#ifndef REDISPROXY_BASE_LOG_QUEUE_H
#define REDISPROXY_BASE_LOG_QUEUE_H

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>

/* Starts the writer. Returns false when there can be no thread. */
bool log_queue_start(void) __attribute__((warn_unused_result));

/* Whether there is a writer; without one, lines are written by whoever logs. */
bool log_queue_runs(void);

/* Whether a line of this kind may be put; if not, it is counted. */
bool log_queue_admits(const char *msg);

/* Takes over a whole line, or counts it when there is no room. */
void log_queue_put(const char *line, size_t len);

/* Has the writer end when all is written, and waits for that, for at most a second. */
void log_queue_stop(void);

/* As log_dropped(). */
unsigned long long log_queue_dropped(enum log_drop why);

#endif
