/*
 * log_line: how a line of the log is put together, in logfmt. One that would be longer than LOG_LINE_MAX is cut: the
 * last value ends in "..." then, and is still one value.
 */
#ifndef REDISPROXY_BASE_LOG_LINE_H
#define REDISPROXY_BASE_LOG_LINE_H

#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>

/* With its line end. */
#define LOG_LINE_MAX 2048

/* Puts a line together, as log_event() describes it. Returns its length, the line end included; there is no NUL. */
size_t log_line(char line[LOG_LINE_MAX], enum log_level level, const char *msg, const char *pairs,
                ...) __attribute__((format(printf, 4, 5)));
size_t log_line_with(char line[LOG_LINE_MAX], enum log_level level, const char *msg,
                     const char *pairs, va_list args) __attribute__((format(printf, 4, 0)));

#endif
