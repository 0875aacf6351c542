/*
 * log_queue: see log_queue.h.
 *
 * The queue is a ring of bytes that holds whole lines, each with its line end. The writer takes as many whole lines
 * at once as a pipe takes in one piece (PIPE_BUF). It holds the lock while it copies, never while it writes.
 *
 * What was not written is told in the log itself, by lines that go through the same queue: of lines for which there
 * was no room in the place where they would stand, of those left out of one kind once a second.
 *
 * A process that aborts writes what is queued before it ends: see on_abort().
 */
#include "base/log_queue.h"

#include "base/clock.h"
#include "base/log_limit.h"
#include "base/log_line.h"
#include "base/log_target.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define QUEUE_BYTES ((size_t)256 * 1024)
#define TELL_MS 1000
#define STOP_MS 1000
#define ABORT_MS 500

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "the writer takes at least one line");

static struct {
    pthread_mutex_t lock; /* of all that is not atomic */
    pthread_cond_t work, end;
    pthread_t writer;
    char ring[QUEUE_BYTES];
    size_t first, used;
    bool writing, stopping, ended;
    uint64_t no_room;     /* lines that were dropped and not told yet */
    int64_t next_telling; /* of lines left out of one kind, at the earliest */
    struct log_limit limit;
    atomic_bool runs;
    atomic_ullong dropped[LOG_DROPS];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void count(enum log_drop why, size_t lines)
{
    atomic_fetch_add_explicit(&queue.dropped[why], lines, memory_order_relaxed);
}

unsigned long long log_queue_dropped(enum log_drop why)
{
    return atomic_load_explicit(&queue.dropped[why], memory_order_relaxed);
}

bool log_queue_runs(void)
{
    return atomic_load_explicit(&queue.runs, memory_order_acquire);
}

/* ---- the ring; the lock is held ---- */

static size_t room(void)
{
    return QUEUE_BYTES - queue.used;
}

static void append(const char *bytes, size_t len)
{
    size_t at = (queue.first + queue.used) % QUEUE_BYTES;
    size_t front = len < QUEUE_BYTES - at ? len : QUEUE_BYTES - at;

    memcpy(queue.ring + at, bytes, front);
    memcpy(queue.ring, bytes + front, len - front);
    queue.used += len;
}

/* Moves as many whole lines as fit. Returns their length. */
static size_t take(char into[PIPE_BUF])
{
    size_t len = queue.used < PIPE_BUF ? queue.used : PIPE_BUF;
    size_t front = len < QUEUE_BYTES - queue.first ? len : QUEUE_BYTES - queue.first;

    memcpy(into, queue.ring + queue.first, front);
    memcpy(into + front, queue.ring, len - front);
    const char *end = memrchr(into, '\n', len);
    len = end ? (size_t)(end - into) + 1 : len;
    queue.first = (queue.first + len) % QUEUE_BYTES;
    queue.used -= len;
    return len;
}

static void tell_no_room(void)
{
    char line[LOG_LINE_MAX];
    size_t len =
        log_line(line, LOG_WARN, "lines of the log were dropped: it is not read fast enough",
                 "count=%" PRIu64, queue.no_room);

    append(line, len);
    queue.no_room = 0;
}

static void tell_left_out(void)
{
    char line[LOG_LINE_MAX];
    struct log_kind *kind;

    while (room() >= 2 * sizeof(line) && (kind = log_limit_left_out(&queue.limit))) {
        size_t len = log_line(line, LOG_WARN, "lines of one kind were left out of the log",
                              "of=\"%s\" count=%" PRIu64, kind->text, kind->left_out);
        append(line, len);
        log_limit_told(&queue.limit, kind);
    }
    queue.next_telling = clock_ms() + TELL_MS;
}

/* ---- who logs ---- */

bool log_queue_admits(const char *msg)
{
    pthread_mutex_lock(&queue.lock);
    bool first = !queue.limit.left_out;
    int64_t now = clock_ms();
    bool good = log_limit_admits(&queue.limit, msg, now);
    if (!good && first) {
        /* The writer sleeps without a limit while there is nothing to tell. */
        queue.next_telling = now + TELL_MS;
        pthread_cond_signal(&queue.work);
    }
    pthread_mutex_unlock(&queue.lock);
    if (!good)
        count(LOG_DROP_KIND, 1);
    return good;
}

void log_queue_put(const char *line, size_t len)
{
    pthread_mutex_lock(&queue.lock);
    bool fits = room() >= len + (queue.no_room ? LOG_LINE_MAX : 0);
    if (fits) {
        if (queue.no_room)
            tell_no_room();
        append(line, len);
    } else {
        queue.no_room++;
    }
    pthread_cond_signal(&queue.work);
    pthread_mutex_unlock(&queue.lock);
    if (!fits)
        count(LOG_DROP_QUEUE, 1);
}

/* ---- the writer ---- */

static void write_some(void)
{
    char bytes[PIPE_BUF];
    size_t len = take(bytes);

    queue.writing = true;
    pthread_mutex_unlock(&queue.lock);
    count(LOG_DROP_QUEUE, log_target_write(bytes, len));
    pthread_mutex_lock(&queue.lock);
    queue.writing = false;
}

static struct timespec time_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

static void await_work(void)
{
    if (queue.limit.left_out) {
        struct timespec until = time_of(queue.next_telling);
        pthread_cond_timedwait(&queue.work, &queue.lock, &until);
    } else {
        pthread_cond_wait(&queue.work, &queue.lock);
    }
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        if (queue.no_room && !queue.used)
            tell_no_room();
        if (queue.limit.left_out && (queue.stopping || clock_ms() >= queue.next_telling))
            tell_left_out();
        if (queue.used)
            write_some();
        else if (queue.stopping)
            break;
        else
            await_work();
    }
    queue.ended = true;
    pthread_cond_signal(&queue.end);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* ---- its life ---- */

/* The process aborts: whatever the reason, and it may have been logged a moment ago, the writer has this long to
 * write it. The lock is only tried: who holds it may be the one that was interrupted. */
static void on_abort(int number)
{
    const struct timespec moment = time_of(1);
    int64_t until = clock_ms() + ABORT_MS;
    bool done = !log_queue_runs();

    while (!done && clock_ms() < until) {
        if (pthread_mutex_trylock(&queue.lock) == 0) {
            done = !queue.used && !queue.writing;
            pthread_mutex_unlock(&queue.lock);
        }
        if (!done)
            nanosleep(&moment, NULL);
    }
    /* Its action is the default one again (SA_RESETHAND), once this handler returns. */
    raise(number);
}

static void prepare(void)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue.work, &monotonic);
    pthread_cond_init(&queue.end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    queue.stopping = queue.ended = false;
}

bool log_queue_start(void)
{
    sigset_t all, before;

    prepare();
    /* No signal is handled by the writer: on_abort() would wait for itself. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&queue.writer, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return false;
    sigaction(SIGABRT, &(struct sigaction){.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND},
              NULL);
    atomic_store_explicit(&queue.runs, true, memory_order_release);
    return true;
}

void log_queue_stop(void)
{
    struct timespec until = time_of(clock_ms() + STOP_MS);
    int error = 0;

    if (!log_queue_runs())
        return;
    pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    pthread_cond_signal(&queue.work);
    while (!queue.ended && !error)
        error = pthread_cond_timedwait(&queue.end, &queue.lock, &until);
    bool ended = queue.ended;
    pthread_mutex_unlock(&queue.lock);
    /* One that does not end stands in a write; later lines must not stand there too, and go to the queue. */
    if (!ended)
        return;
    atomic_store_explicit(&queue.runs, false, memory_order_release);
    pthread_join(queue.writer, NULL);
}
