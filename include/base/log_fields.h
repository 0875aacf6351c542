/*
 * log_fields: an event's fields, from a printf format to true logfmt:
 *
 *     "group=%s after_ms=%d error=%s"  ->  group=mymaster after_ms=12 error="no \"route\" to host"
 *
 * Where a field ends is told by the format, never by what is put into it, and whatever a value holds it stays one
 * value: it is quoted and escaped where it needs to be (log_text.h). A value without quotes that looks like a number
 * is one; a text that looks like one is quoted.
 */
#ifndef REDISPROXY_BASE_LOG_FIELDS_H
#define REDISPROXY_BASE_LOG_FIELDS_H

#include <stdarg.h>
#include <stddef.h>

/* Writes the fields, separated by blanks, into `out`, of `size` bytes, with a NUL. Keys are part of the format; it may
 * put a value in quotes. A value that log_quote() has quoted is taken as it is. A field that is a conversion without
 * a key stands for fields that this function has written before. What has no room is cut, visibly ("..."), and no
 * further field follows. Returns the length. */
size_t log_fields(char *out, size_t size, const char *pairs, ...)
    __attribute__((format(printf, 3, 4)));
size_t log_fields_with(char *out, size_t size, const char *pairs, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
