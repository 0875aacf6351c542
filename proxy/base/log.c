/*
 * log: one line an event.
 *
 * A line is put together on the stack in logfmt (log_line) and put into a queue, from which a thread takes it (log_queue)
 * and writes it, as logfmt or as JSON, to wherever the log goes (log_target): no allocation, lines of several threads do not
 * mix, and nobody waits for who reads the log. Before log_start() and after log_stop() it is written at once. The level
 * is the only state here; it is atomic because any thread may log.
 */
#include "base/log.h"

#include "base/log_line.h"
#include "base/log_queue.h"
#include "base/log_recent.h"
#include "base/log_target.h"
#include "base/log_text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

static atomic_int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&lowest, memory_order_relaxed);
}

int log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

void log_start(void)
{
    if (!log_queue_start())
        log_event(LOG_WARN, "the log has no thread: whoever logs waits for whoever reads it", "");
}

void log_stop(void)
{
    log_queue_stop();
}

unsigned long long log_dropped(enum log_drop why)
{
    return log_queue_dropped(why);
}

void log_event(enum log_level level, const char *msg, const char *pairs, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (!log_enabled(level))
        return;
    bool queued = log_queue_runs();
    /* Who wants debug lines wants them all. */
    if (queued && !log_enabled(LOG_DEBUG) && !log_queue_admits(msg))
        return;
    va_start(args, pairs);
    size_t len = log_line_with(line, level, msg, pairs, args);
    va_end(args);
    if (level > LOG_DEBUG)
        log_recent_put(line, len);
    if (queued)
        log_queue_put(line, len);
    else
        (void)log_target_write(line, len);
}

const char *log_quote(char *out, unsigned long size, const char *text)
{
    if (size < 3) {
        if (size)
            out[0] = '\0';
        return out;
    }
    out[0] = '"';
    size_t len = 1 + log_text_escape(out + 1, size - 3, &text, text + strlen(text));
    out[len] = '"';
    out[len + 1] = '\0';
    return out;
}
