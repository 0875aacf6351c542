/*
 * log_json: a line of the log, in logfmt, as one JSON object. Pure. Any thread.
 */
#ifndef REDISPROXY_BASE_LOG_JSON_H
#define REDISPROXY_BASE_LOG_JSON_H

#include <stddef.h>

/* Room for any line of the log (log_line.h). */
#define LOG_JSON_MAX 16384

/* Writes the object, and a line end, whatever `line` holds: fields that have no room are left out. `line` is without its line
 * end; `size` is at least 3. Returns the length; there is no NUL. */
size_t log_json(char *out, size_t size, const char *line, size_t len);

#endif
