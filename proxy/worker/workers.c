/* workers: see the header. Everything is there before the first thread runs, and until the last one has
 * ended: a worker may always write to another. What nobody has read by then is dropped. */
#include "worker/workers.h"

#include "base/log.h"
#include "session/session.h"
#include "threads/shared.h"
#include "worker/handover.h"
#include "worker/worker.h"

#include <stdlib.h>

struct workers {
    struct board *board;
    struct shared *shared;
    size_t count;
    struct worker *each[];
};

static int start_all(struct workers *workers, const int *listen_fds)
{
    int result = worker_accept(workers->each[0], listen_fds);
    for (size_t i = 0; i < workers->count && result == 0; i++)
        result = worker_start(workers->each[i]);
    return result;
}

/* For switchovers' summaries. */
static void add_counts(const struct group_counters *counted, uint64_t out[SWITCH_COUNTS])
{
    out[SWITCH_HELD] += counter_read(&counted->held);
    for (int cause = 0; cause < RETRY_CAUSE_COUNT; cause++)
        out[SWITCH_RETRIED] += counter_read(&counted->retries[cause]);
    out[SWITCH_UNKNOWN] += counter_read(&counted->unknown);
    out[SWITCH_REFUSED] += counter_read(&counted->refused);
}

static void read_counts(const void *counted, size_t group, uint64_t out[SWITCH_COUNTS])
{
    const struct shared *shared = counted;
    for (size_t i = 0; i < shared->worker_count; i++)
        add_counts(&shared->slots[i].counters->groups[group], out);
}

struct workers *workers_start(const struct traffic_options *options, struct board *board,
                              const int *listen_fds)
{
    struct workers *workers =
        calloc(1, sizeof(*workers) + options->workers * sizeof(workers->each[0]));
    if (!workers)
        abort();
    workers->count = options->workers;
    workers->shared =
        shared_new(workers->count, traffic_group_room(options), traffic_listener_room(options));
    workers->board = board;
    board_count_from(board, read_counts, workers->shared);
    for (size_t i = 0; i < workers->count; i++)
        workers->each[i] = worker_new(options, board, workers->shared, i);
    if (start_all(workers, listen_fds) == 0)
        return workers;
    workers_stop(workers);
    return NULL;
}

size_t workers_size(const struct workers *workers)
{
    return workers->count;
}

int64_t workers_last_turn(const struct workers *workers, size_t worker)
{
    return atomic_load_explicit(&workers->shared->slots[worker].last_turn_ms, memory_order_relaxed);
}

void workers_gauges(const struct workers *workers, size_t worker, struct worker_gauges *out)
{
    const struct worker_slot *slot = &workers->shared->slots[worker];
    *out = (struct worker_gauges){
        .sessions = atomic_load_explicit(&slot->sessions, memory_order_relaxed),
        .upstreams = atomic_load_explicit(&slot->upstreams, memory_order_relaxed),
        .unrenewed = atomic_load_explicit(&slot->unrenewed, memory_order_relaxed),
        .early = atomic_load_explicit(&slot->early, memory_order_relaxed),
        .request_bytes = atomic_load_explicit(&slot->request_bytes, memory_order_relaxed),
        .ahead_bytes = atomic_load_explicit(&slot->ahead_bytes, memory_order_relaxed),
        .output_bytes = atomic_load_explicit(&slot->output_bytes, memory_order_relaxed),
        .over_output = atomic_load_explicit(&slot->over_output, memory_order_relaxed),
        .disconnected = atomic_load_explicit(&slot->disconnected, memory_order_relaxed)};
    for (size_t i = 0; i < workers->shared->group_count; i++) {
        out->held += atomic_load_explicit(&slot->holds[i].sessions, memory_order_relaxed);
        out->held_bytes += atomic_load_explicit(&slot->holds[i].bytes, memory_order_relaxed);
    }
}

void workers_reload(struct workers *workers, const struct traffic_options *options,
                    const int *listen_fds)
{
    for (size_t i = 0; i < workers->count; i++)
        worker_reload(workers->each[i], options, listen_fds);
}

bool workers_follow(const struct workers *workers, const struct traffic_options *options)
{
    for (size_t i = 0; i < workers->count; i++)
        if (!worker_follows(workers->each[i], options))
            return false;
    return true;
}

struct counters *workers_counters(const struct workers *workers, size_t worker)
{
    return workers->shared->slots[worker].counters;
}

void workers_ask(const struct workers *workers, struct relay *relay)
{
    relay_start_from_outside(relay, workers->shared, 0);
}

void workers_drain(struct workers *workers)
{
    size_t sessions = 0;
    for (size_t i = 0; i < workers->count; i++)
        sessions += atomic_load_explicit(&workers->shared->slots[i].sessions, memory_order_relaxed);
    log_event(LOG_INFO, "draining", "sessions=%zu", sessions);
    for (size_t i = 0; i < workers->count; i++)
        worker_drain(workers->each[i]);
}

void workers_hand_over(struct workers *workers, struct handover_channel *channel)
{
    for (size_t i = 0; i < workers->count; i++)
        worker_hand_over(workers->each[i], channel);
}

void workers_handed(struct workers *workers, uint64_t id, bool taken)
{
    handover_answer(&workers->shared->slots[session_worker_of(id, workers->count)], id, taken);
}

void workers_keep(struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++)
        worker_keep(workers->each[i]);
}

void workers_take(struct workers *workers, struct handover_channel *channel,
                  const struct traffic_listener_options *listener, uint64_t id, const char *packed,
                  size_t len, const int *fds, int fd_count)
{
    handover_post(&workers->shared->slots[session_worker_of(id, workers->count)], channel, listener,
                  id, packed, len, fds, fd_count);
}

uint64_t workers_accepted(const struct workers *workers)
{
    return atomic_load_explicit(&workers->shared->slots[0].accepted, memory_order_relaxed);
}

uint64_t workers_adopted(const struct workers *workers)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < workers->count; i++) {
        uint64_t adopted = atomic_load(&workers->shared->slots[i].adopted);
        least = adopted < least ? adopted : least;
    }
    return least;
}

bool workers_finished(const struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++)
        if (!worker_finished(workers->each[i]))
            return false;
    return true;
}

void workers_stop(struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++)
        worker_stop(workers->each[i]);
    for (size_t i = 0; i < workers->count; i++)
        worker_join(workers->each[i]);
    for (size_t i = 0; i < workers->count; i++)
        worker_drop_mail(workers->each[i]);
    for (size_t i = 0; i < workers->count; i++)
        worker_free(workers->each[i]);
    board_count_from(workers->board, NULL, NULL);
    shared_free(workers->shared);
    free(workers);
}
