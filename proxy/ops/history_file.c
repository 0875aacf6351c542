/*
 * history_file: see the header.
 *
 *     control thread -> on_add() -> [ up to QUEUE_MAX switchovers ] -> writer -> open, write, close
 *
 * The file is opened for each switchover: who has moved it away finds a new one. A line that a crash has cut short is not
 * continued: the next one begins on a line of its own.
 *
 * A process that writes has the file's lock (flock) as long as it lives. While another one takes over from it both see the
 * same switchovers: the one that has the lock writes them.
 */
#include "ops/history_file.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/history_json.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Switchovers that wait for a slow disk; what comes on top of that is not written. */
#define QUEUE_MAX 16
#define STOP_MS 1000
/* So much of the file's end is read: a line has less than a kilobyte. */
#define READ_MAX ((off_t)HISTORY_MAX * 1024)

struct history_file {
    struct history *history;
    char *path;
    pthread_t writer;
    int locked_fd;        /* the writer's, after the start: the file whose lock we have; -1: none */
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work, end;
    struct switchover queue[QUEUE_MAX];
    size_t count;
    bool stopping, ended;
};

static void complain(const char *path, const char *what, const char *why)
{
    log_event(LOG_ERROR, "the history's file cannot be used, going on without",
              "file=\"%s\" what=%s error=\"%s\"", path, what, why);
}

/* Nobody's end of a pipe is waited for. Returns the descriptor, or -1 after telling why. */
static int open_file(const char *path, int flags, const char *what, struct stat *info)
{
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd >= 0 && fstat(fd, info) == 0 && S_ISREG(info->st_mode))
        return fd;
    if (fd >= 0 || errno != ENOENT)
        complain(path, what, fd >= 0 ? "it is no regular file" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_same_file(int fd, const struct stat *file)
{
    struct stat other;
    return fd >= 0 && fstat(fd, &other) == 0 && other.st_dev == file->st_dev &&
           other.st_ino == file->st_ino;
}

/* Whether this process may write to the file that is open there: if no other one has its lock. Keeps the lock, and the
 * descriptor for it, which is not the caller's any more then: *fd is another one. */
static bool take_lock(struct history_file *file, int *fd, const struct stat *info)
{
    if (is_same_file(file->locked_fd, info))
        return true;
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false; /* of any other error: where there are no locks, all write */
    int copy = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return true;
    if (file->locked_fd >= 0)
        close(file->locked_fd); /* of one that was moved away */
    file->locked_fd = *fd;
    *fd = copy;
    return true;
}

/* ---- reading ---- */

/* Remembers what `text` holds, of which the last lines count. Returns how many lines are no switchover. */
static size_t remember(struct history *history, const char *text, size_t len)
{
    const char *end = text + len;
    size_t strange = 0;
    for (const char *at = text, *line_end; at < end; at = line_end + 1) {
        struct switchover s;
        line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        if (line_end == at)
            continue;
        if (history_from_text(at, (size_t)(line_end - at), &s))
            history_remember(history, &s);
        else
            strange++;
    }
    return strange;
}

/* The end of the file, from a line's beginning on; to be freed. NULL after telling why. */
static char *read_end(const char *path, int fd, off_t size, size_t *len)
{
    off_t from = size > READ_MAX ? size - READ_MAX : 0;
    char *text = malloc((size_t)(size - from) + 1);
    if (!text)
        abort();
    ssize_t n = pread(fd, text, (size_t)(size - from), from);
    if (n < 0) {
        complain(path, "read", strerror(errno));
        free(text);
        return NULL;
    }
    *len = (size_t)n;
    if (from == 0)
        return text;
    const char *begin = memchr(text, '\n', *len);
    *len = begin ? *len - (size_t)(begin + 1 - text) : 0;
    memmove(text, begin ? begin + 1 : text, *len);
    return text;
}

static void read_file(struct history_file *file)
{
    struct stat info;
    size_t len = 0;
    int fd = open_file(file->path, O_RDONLY, "open", &info);
    if (fd < 0)
        return;
    char *text = read_end(file->path, fd, info.st_size, &len);
    if (!take_lock(file, &fd, &info))
        log_event(LOG_INFO, "another process writes the history's file as long as it is there",
                  "file=\"%s\"", file->path);
    close(fd);
    if (!text)
        return;
    size_t strange = remember(file->history, text, len);
    free(text);
    if (strange > 0)
        log_event(LOG_WARN, "lines of the history's file are no switchovers, and are passed over",
                  "file=\"%s\" lines=%zu", file->path, strange);
}

/* ---- writing ---- */

static bool ends_a_line(int fd, off_t size)
{
    char last = '\n';
    return size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

static void append(const char *path, int fd, off_t size, const struct switchover *s)
{
    char *text = history_to_text(s), *line;
    int len = asprintf(&line, "%s%s\n", ends_a_line(fd, size) ? "" : "\n", text);
    if (len < 0)
        abort();
    ssize_t n = write(fd, line, (size_t)len);
    if (n != len)
        complain(path, "write", n < 0 ? strerror(errno) : "there is no room for a whole line");
    free(line);
    free(text);
}

static void write_one(struct history_file *file, const struct switchover *s)
{
    struct stat info;
    int fd = open_file(file->path, O_RDWR | O_CREAT | O_APPEND, "open", &info);
    if (fd < 0)
        return;
    if (take_lock(file, &fd, &info))
        append(file->path, fd, info.st_size, s);
    close(fd);
}

static void *run(void *arg)
{
    struct history_file *file = arg;
    pthread_mutex_lock(&file->lock);
    while (file->count > 0 || !file->stopping) {
        if (file->count == 0) {
            pthread_cond_wait(&file->work, &file->lock);
            continue;
        }
        struct switchover s = file->queue[0];
        memmove(file->queue, file->queue + 1, --file->count * sizeof(file->queue[0]));
        pthread_mutex_unlock(&file->lock);
        write_one(file, &s);
        pthread_mutex_lock(&file->lock);
    }
    file->ended = true;
    pthread_cond_signal(&file->end);
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

/* On the control thread. */
static void on_add(void *arg, const struct switchover *s)
{
    struct history_file *file = arg;
    pthread_mutex_lock(&file->lock);
    bool room = file->count < QUEUE_MAX;
    if (room)
        file->queue[file->count++] = *s;
    pthread_cond_signal(&file->work);
    pthread_mutex_unlock(&file->lock);
    if (!room)
        complain(file->path, "write", "it is too slow");
}

/* ---- its life ---- */

static void init_lock(struct history_file *file)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&file->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&file->work, &monotonic);
    pthread_cond_init(&file->end, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_file(struct history_file *file)
{
    pthread_cond_destroy(&file->work);
    pthread_cond_destroy(&file->end);
    pthread_mutex_destroy(&file->lock);
    if (file->locked_fd >= 0)
        close(file->locked_fd);
    free(file->path);
    free(file);
}

struct history_file *history_file_start(struct history *history, const char *path)
{
    struct history_file *file = calloc(1, sizeof(*file));
    if (!file || !(file->path = strdup(path)))
        abort();
    file->history = history;
    file->locked_fd = -1;
    init_lock(file);
    read_file(file);
    int error = pthread_create(&file->writer, NULL, run, file);
    if (error) {
        complain(path, "start a thread", strerror(error));
        free_file(file);
        return NULL;
    }
    history_listen(history, on_add, file);
    return file;
}

void history_file_stop(struct history_file *file)
{
    int64_t until_ms = clock_ms() + STOP_MS;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int error = 0;
    if (!file)
        return;
    history_listen(file->history, NULL, NULL);
    pthread_mutex_lock(&file->lock);
    file->stopping = true;
    pthread_cond_signal(&file->work);
    while (!file->ended && !error)
        error = pthread_cond_timedwait(&file->end, &file->lock, &until);
    bool ended = file->ended;
    pthread_mutex_unlock(&file->lock);
    if (!ended) { /* it stands in a write, which may last: it keeps what it needs until the process ends */
        complain(file->path, "write", "it is too slow");
        return;
    }
    pthread_join(file->writer, NULL);
    free_file(file);
}
