/*
 * log_target: see the header.
 *
 * Lines in logfmt go to stderr as many at once as there are; JSON as many as a pipe takes in one piece. To the
 * system's log each goes in a datagram of its own, in the form in which local programs speak to it:
 *
 *     <30>Nov 28 16:52:01 redisproxy[123]: ts=2026-11-28T16:52:01.123Z level=info msg="master elected" ...
 */
#include "base/log_target.h"

#include "base/clock.h"
#include "base/log_json.h"
#include "base/log_line.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEADER_MAX 64

static atomic_int format = LOG_LOGFMT;
static atomic_bool to_syslog;

static struct {
    pthread_mutex_t lock; /* of all */
    struct sockaddr_un address;
    int facility, fd; /* fd -1: not connected */
    bool failed;      /* that was told */
} syslog_target = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

void log_set_format(enum log_format to)
{
    atomic_store_explicit(&format, (int)to, memory_order_relaxed);
}

int log_set_syslog(const char *path, int facility)
{
    int result = -ENAMETOOLONG;

    pthread_mutex_lock(&syslog_target.lock);
    _Static_assert(LOG_SOCKET_MAX < sizeof(syslog_target.address.sun_path),
                   "there is a NUL behind it");
    if (strlen(path) <= LOG_SOCKET_MAX) {
        syslog_target.address = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(syslog_target.address.sun_path, path, strlen(path));
        syslog_target.facility = facility;
        if (syslog_target.fd >= 0)
            close(syslog_target.fd);
        syslog_target.fd = -1;
        atomic_store(&to_syslog, true);
        result = 0;
    }
    pthread_mutex_unlock(&syslog_target.lock);
    return result;
}

void log_set_stderr(void)
{
    atomic_store(&to_syslog, false);
}

/* ---- stderr ---- */

static size_t lines_in(const char *bytes, size_t len)
{
    size_t lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    return lines;
}

/* Returns how many lines were not written. */
static size_t write_stderr(const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, bytes, len);
        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            /* Whoever shares the descriptor has made it non-blocking. */
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            break; /* stderr is gone, or its disk is full: there is nobody to tell */
        }
    }
    return lines_in(bytes, len);
}

static const char *after_line(const char *at, const char *end)
{
    const char *line_end = memchr(at, '\n', (size_t)(end - at));

    return line_end ? line_end + 1 : end;
}

static size_t write_json(const char *lines, size_t len)
{
    char out[PIPE_BUF + LOG_JSON_MAX];
    const char *end = lines + len;
    size_t used = 0, lost = 0;

    for (const char *at = lines, *next; at < end; at = next) {
        next = after_line(at, end);
        size_t more =
            log_json(out + used, LOG_JSON_MAX, at, (size_t)(next - at) - (next[-1] == '\n'));
        if (used && used + more > PIPE_BUF) {
            lost += write_stderr(out, used);
            memmove(out, out + used, more);
            used = 0;
        }
        used += more;
        if (used > PIPE_BUF) {
            lost += write_stderr(out, used);
            used = 0;
        }
    }
    return lost + write_stderr(out, used);
}

/* ---- the system's log ---- */

/* As <syslog.h> numbers them. */
static int severity_of(const char *line, size_t len)
{
    static const struct {
        const char *text;
        int severity;
    } levels[] = {{" level=debug ", 7}, {" level=info ", 6}, {" level=warn ", 4}};

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        /* It stands right behind the time, which is shorter than this. */
        size_t front = len < HEADER_MAX ? len : HEADER_MAX;
        if (memmem(line, front, levels[i].text, strlen(levels[i].text)))
            return levels[i].severity;
    }
    return 3;
}

static size_t write_header(char out[HEADER_MAX], int priority)
{
    time_t seconds = (time_t)(clock_wall_ms() / 1000);
    char when[32];
    struct tm local;

    localtime_r(&seconds, &local);
    strftime(when, sizeof(when), "%b %e %H:%M:%S", &local);
    int n = snprintf(out, HEADER_MAX, "<%d>%s redisproxy[%d]: ", priority, when, (int)getpid());
    return n < 0 ? 0 : (size_t)n;
}

static void disconnect(void)
{
    close(syslog_target.fd);
    syslog_target.fd = -1;
}

static bool connect_syslog(void)
{
    const struct sockaddr *address = (const struct sockaddr *)&syslog_target.address;

    if (syslog_target.fd >= 0)
        return true;
    syslog_target.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (syslog_target.fd < 0)
        return false;
    if (connect(syslog_target.fd, address, sizeof(syslog_target.address)) == 0)
        return true;
    int error = errno;
    disconnect();
    errno = error;
    return false;
}

/* One that was restarted has another socket under the same name. */
static bool send_datagram(const char *bytes, size_t len)
{
    for (int times = 0; times < 2; times++) {
        ssize_t n;
        if (!connect_syslog())
            return false;
        do
            n = send(syslog_target.fd, bytes, len, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n >= 0)
            return true;
        int error = errno;
        disconnect();
        errno = error;
    }
    return false;
}

static void tell_failure(int error)
{
    char line[LOG_LINE_MAX];

    if (syslog_target.failed)
        return;
    syslog_target.failed = true;
    (void)write_stderr(
        line, log_line(line, LOG_WARN, "the system's log cannot be reached, lines go to stderr",
                       "socket=%s error=\"%s\"", syslog_target.address.sun_path, strerror(error)));
}

static size_t write_syslog_line(const char *text, size_t len, int severity)
{
    char datagram[HEADER_MAX + LOG_JSON_MAX];
    size_t at = write_header(datagram, syslog_target.facility << 3 | severity);

    memcpy(datagram + at, text, len);
    if (send_datagram(datagram, at + len - 1)) { /* without its line end */
        syslog_target.failed = false;
        return 0;
    }
    tell_failure(errno);
    return write_stderr(text, len);
}

static size_t write_syslog(const char *lines, size_t len, bool json)
{
    char out[LOG_JSON_MAX];
    const char *end = lines + len;
    size_t lost = 0;

    pthread_mutex_lock(&syslog_target.lock);
    for (const char *at = lines, *next; at < end; at = next) {
        next = after_line(at, end);
        size_t text = (size_t)(next - at) - (next[-1] == '\n');
        int severity = severity_of(at, text);
        text = text < LOG_LINE_MAX ? text : LOG_LINE_MAX;
        if (json) {
            text = log_json(out, sizeof(out), at, text);
        } else {
            memcpy(out, at, text);
            out[text++] = '\n';
        }
        lost += write_syslog_line(out, text, severity);
    }
    pthread_mutex_unlock(&syslog_target.lock);
    return lost;
}

/* ---- */

size_t log_target_write(const char *lines, size_t len)
{
    bool json = atomic_load_explicit(&format, memory_order_relaxed) == LOG_JSON;

    if (atomic_load(&to_syslog))
        return write_syslog(lines, len, json);
    return json ? write_json(lines, len) : write_stderr(lines, len);
}
