/*
 * log_line: see log_line.h.
 */
#include "base/log_line.h"

#include "base/clock.h"
#include "base/log_fields.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ERROR:
        break;
    }
    return "error";
}

static void format_time(char *out, size_t size)
{
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    char date[32];

    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, size, "%s.%03dZ", date, (int)(now % 1000));
}

size_t log_line_with(char line[LOG_LINE_MAX], enum log_level level, const char *msg,
                     const char *pairs, va_list args)
{
    /* One byte stays free for the line end. */
    size_t room = LOG_LINE_MAX - 1;
    char when[64];

    format_time(when, sizeof(when));
    size_t len =
        log_fields(line, room, "ts=%s level=%s msg=\"%s\"", when, log_level_name(level), msg);
    if (*pairs && len + 1 < room) {
        size_t more = log_fields_with(line + len + 1, room - len - 1, pairs, args);
        line[len] = ' ';
        len += more ? 1 + more : 0;
    }
    line[len++] = '\n';
    return len;
}

size_t log_line(char line[LOG_LINE_MAX], enum log_level level, const char *msg, const char *pairs,
                ...)
{
    va_list args;

    va_start(args, pairs);
    size_t len = log_line_with(line, level, msg, pairs, args);
    va_end(args);
    return len;
}
