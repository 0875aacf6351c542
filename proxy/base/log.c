/*
 * log: one line an event on stderr, in logfmt.
 *
 * A line is put together on the stack and written with one write(2): no lock,
 * no allocation, and lines of several threads do not mix. A line that would be
 * longer than LINE_MAX_BYTES is cut and ends in "...". The level is the only
 * state; it is atomic because any thread may log.
 */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define CUT_DOTS 3

static atomic_int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

int log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

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

static void write_line(const char *line, size_t len)
{
    /* An interrupted write is tried again; when stderr is gone there is nobody to tell. */
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ;
}

/* Whatever was put into it, it is one line: what others named may hold a line end, or a terminal's command. */
static void flatten(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
}

void log_event(enum log_level level, const char *msg, const char *pairs, ...)
{
    char line[LINE_MAX_BYTES], when[64];
    va_list args;

    if (!log_enabled(level))
        return;
    format_time(when, sizeof(when));
    /* One byte stays free for the line end. */
    size_t room = sizeof(line) - 1;
    int n = snprintf(line, room, "time=%s level=%s msg=\"%s\"%s", when, level_name(level), msg,
                     *pairs ? " " : "");
    size_t len = n < 0 ? 0 : (size_t)n;
    if (*pairs && len < room) {
        va_start(args, pairs);
        n = vsnprintf(line + len, room - len, pairs, args);
        va_end(args);
        len += n < 0 ? 0 : (size_t)n;
    }
    if (len >= room) {
        len = room - 1;
        memset(line + len - CUT_DOTS, '.', CUT_DOTS);
    }
    flatten(line, len);
    line[len++] = '\n';
    write_line(line, len);
}

/* Writes the escaped form of one byte; returns its length. */
static unsigned long escape(char out[5], unsigned char c)
{
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    if (c < 0x20 || c == 0x7f)
        return (unsigned long)snprintf(out, 5, "\\x%02x", c);
    out[0] = (char)c;
    return 1;
}

const char *log_quote(char *out, unsigned long size, const char *text)
{
    unsigned long len = 0;
    char piece[5];

    if (size < 3) {
        if (size)
            out[0] = '\0';
        return out;
    }
    out[len++] = '"';
    for (; *text; text++) {
        unsigned long more = escape(piece, (unsigned char)*text);
        if (len + more + 2 > size)
            break;
        memcpy(out + len, piece, more);
        len += more;
    }
    out[len++] = '"';
    out[len] = '\0';
    return out;
}
