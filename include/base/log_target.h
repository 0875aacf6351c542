/*
 * log_target: where the log goes, and in which form.
 *
 *     whole lines in logfmt --> as they are, or as JSON --> stderr, or one datagram each to the system's log
 *
 * Where the system's log cannot be reached, a line goes to stderr: no line is lost for that.
 */
#ifndef REDISPROXY_BASE_LOG_TARGET_H
#define REDISPROXY_BASE_LOG_TARGET_H

#include "base/log.h"

#include <stddef.h>

/* Writes whole lines, each with its line end, and waits until they are taken. Returns how many lines could not be
 * written. Any thread. */
size_t log_target_write(const char *lines, size_t len);

#endif
