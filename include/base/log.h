/*
 * log: one line an event on stderr, in logfmt:
 *
 *     time=2026-11-22T16:52:01.123Z level=info msg="master elected" group=mymaster
 * master=127.0.1.2:6379
 *
 * msg is a fixed text that can be searched for; what varies stands behind it
 * as key=value pairs. A line is written with one write(2), so that lines of
 * several threads do not mix. Never log a secret. Any thread.
 */
#ifndef REDISPROXY_BASE_LOG_H
#define REDISPROXY_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below this level are dropped; LOG_INFO until told otherwise. */
void log_set_level(enum log_level level);

/* Whether a line of this level would be written: to skip expensive arguments. */
int log_enabled(enum log_level level);

/* Writes a line. `msg` is quoted; `pairs` is a printf format that yields "key=value key=value"
 * (may be ""): quote values that can hold a space with log_quote(). */
void log_event(enum log_level level, const char *msg, const char *pairs, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies `text` into `out` (of `size` bytes, cut short to fit) in logfmt's quotes, escaping quotes,
 * backslashes and control characters. Returns out. */
const char *log_quote(char *out, unsigned long size, const char *text);

#endif
