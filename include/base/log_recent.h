/*
 * log_recent: the last lines of the log, kept in memory for whoever shows them: LOG_RECENT_MAX of them, from level info up.
 * They are what log_event() was told, in logfmt, whether the log's reader got them or not.
 *
 * Any thread; whoever logs waits for a copy of one line at most.
 */
#ifndef REDISPROXY_BASE_LOG_RECENT_H
#define REDISPROXY_BASE_LOG_RECENT_H

#include "base/log_line.h"

#include <stddef.h>
#include <stdint.h>

#define LOG_RECENT_MAX 50

/* Keeps a whole line, with its line end, in the place of the oldest one. */
void log_recent_put(const char *line, size_t len);

/* The number of the newest line: 1, 2, 3, ...; 0: there is none. Without a lock. */
uint64_t log_recent_newest(void);

/* Copies the oldest line that is kept and has a higher number than `*number`, without its line end and without a NUL, and sets
 * `*number` to its own. Returns its length; 0: there is none. */
size_t log_recent_next(uint64_t *number, char line[LOG_LINE_MAX]);

#endif
