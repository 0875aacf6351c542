/*
 * log: one line an event, in logfmt or as a JSON object, on stderr or to the system's log:
 *
 *     ts=2026-11-22T16:52:01.123Z level=info msg="master elected" group=mymaster master=127.0.1.2:6379
 *     {"ts":"2026-11-22T16:52:01.123Z","level":"info","msg":"master elected","group":"mymaster",...}
 *
 * msg is a fixed text that can be searched for; what varies stands behind it
 * as key=value pairs. Lines of several threads do not mix. Never log a secret. Any thread.
 *
 * From log_start() to log_stop() lines go through a queue to a thread that writes them: who logs does
 * not wait for who reads the log. Then there are two limits, and what they cost is counted, and told in the log:
 * the queue has 256 KB, and of one event (`msg`) at most 100 lines at once and 10 a second are taken, unless the
 * level is LOG_DEBUG.
 */
#ifndef REDISPROXY_BASE_LOG_H
#define REDISPROXY_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below this level are dropped; LOG_INFO until told otherwise. Any time. */
void log_set_level(enum log_level level);

/* LOG_LOGFMT until told otherwise. Any time: it holds for what is written from then on. */
enum log_format { LOG_LOGFMT, LOG_JSON };
void log_set_format(enum log_format format);

/* Lines go to the system's log, which listens for datagrams on the Unix socket at `path`, with this facility (as
 * <syslog.h> numbers them, 3: daemon); where they cannot, to stderr. Returns 0, or -ENAMETOOLONG. log_set_stderr() is what
 * holds until then, and ends it. Any time. */
#define LOG_SOCKET_MAX 107 /* bytes of the path */
int log_set_syslog(const char *path, int facility) __attribute__((warn_unused_result));
void log_set_stderr(void);
enum log_level log_level(void);
/* "debug", "info", "warn", "error". */
const char *log_level_name(enum log_level level);

/* Whether a line of this level would be written: to skip expensive arguments. */
int log_enabled(enum log_level level);

/* Starts the thread that writes. A process that aborts gives it half a second to write what is
 * queued. */
void log_start(void);

/* Ends it when everything is written: waits a second at most. Not while others log that want to be read. */
void log_stop(void);

/* How many lines were not written since the process began: for want of room (or of a stderr that takes them), or
 * because there were too many of their kind. */
enum log_drop { LOG_DROP_QUEUE, LOG_DROP_KIND, LOG_DROPS };
unsigned long long log_dropped(enum log_drop why);

/* Writes a line. `pairs` is a printf format that yields "key=value key=value" (may be ""): keys are part of the format;
 * values may hold anything, and are quoted where they need to be (log_fields.h). */
void log_event(enum log_level level, const char *msg, const char *pairs, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies `text` into `out` (of `size` bytes, cut short to fit) in logfmt's quotes, escaped as log_text.h says: for a value
 * that shall have them whatever it holds, or a shorter bound than the line has. Returns out. */
const char *log_quote(char *out, unsigned long size, const char *text);

#endif
