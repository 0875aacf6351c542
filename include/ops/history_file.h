/*
 * history_file: the switchovers on disk, a JSON object a line, so that the last ones survive a restart.
 *
 * While two processes have the file (one takes over from the other) the one that had it first writes.
 *
 * A thread of its own appends them: a disk that is slow, or full, delays nobody and costs entries only. What cannot be
 * written is a line of the log.
 */
#ifndef REDISPROXY_OPS_HISTORY_FILE_H
#define REDISPROXY_OPS_HISTORY_FILE_H

#include "topology/history.h"

struct history_file;

/* Reads the last switchovers of the file, if there is one, into the history, and has each new one appended. To be called
 * before the first is added. Lines that are no switchover are passed over, and counted in a line of the log. Never fails:
 * what is wrong is logged. */
struct history_file *history_file_start(struct history *history, const char *path);

/* Writes what is left, for at most a second, and ends the thread. No switchover is added any more. NULL is allowed. */
void history_file_stop(struct history_file *file);

#endif
