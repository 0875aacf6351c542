/*
 * log_line: see log_line.h. A line that would be longer than LOG_LINE_MAX is cut and ends in "...".
 */
#include "base/log_line.h"

#include "base/clock.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CUT_DOTS 3

static const char *level_name(enum log_level level)
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

/* Whatever was put into it, it is one line: what others named may hold a line end, or a terminal's command. */
static void flatten(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
}

size_t log_line_with(char line[LOG_LINE_MAX], enum log_level level, const char *msg,
                     const char *pairs, va_list args)
{
    /* One byte stays free for the line end. */
    size_t room = LOG_LINE_MAX - 1;
    char when[64];

    format_time(when, sizeof(when));
    int n = snprintf(line, room, "time=%s level=%s msg=\"%s\"%s", when, level_name(level), msg,
                     *pairs ? " " : "");
    size_t len = n < 0 ? 0 : (size_t)n;
    if (*pairs && len < room) {
        n = vsnprintf(line + len, room - len, pairs, args);
        len += n < 0 ? 0 : (size_t)n;
    }
    if (len >= room) {
        len = room - 1;
        memset(line + len - CUT_DOTS, '.', CUT_DOTS);
    }
    flatten(line, len);
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
