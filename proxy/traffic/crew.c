/* crew: see the header. Everything is there before the first thread runs, and until the last one has
 * ended: a worker may always write to another. What nobody has read by then is dropped. */
#include "traffic/crew.h"

#include "base/log.h"
#include "traffic/office.h"
#include "traffic/worker.h"

#include <stdlib.h>

struct crew {
    struct office *office;
    size_t count;
    struct worker *workers[];
};

static int start_all(struct crew *crew, const int *listen_fds)
{
    int result = worker_accept(crew->workers[0], listen_fds);
    for (size_t i = 0; i < crew->count && result == 0; i++)
        result = worker_start(crew->workers[i]);
    return result;
}

struct crew *crew_start(const struct traffic_options *options, struct board *board,
                        const int *listen_fds)
{
    struct crew *crew = calloc(1, sizeof(*crew) + options->workers * sizeof(crew->workers[0]));
    if (!crew)
        abort();
    crew->count = options->workers;
    crew->office = office_new(crew->count, options->group_count);
    for (size_t i = 0; i < crew->count; i++)
        crew->workers[i] = worker_new(options, board, crew->office, i);
    if (start_all(crew, listen_fds) == 0)
        return crew;
    crew_stop(crew);
    return NULL;
}

size_t crew_size(const struct crew *crew)
{
    return crew->count;
}

int64_t crew_last_turn(const struct crew *crew, size_t worker)
{
    return atomic_load_explicit(&crew->office->desks[worker].last_turn_ms, memory_order_relaxed);
}

void crew_gauges(const struct crew *crew, size_t worker, struct worker_gauges *out)
{
    const struct desk *desk = &crew->office->desks[worker];
    *out = (struct worker_gauges){
        .sessions = atomic_load_explicit(&desk->sessions, memory_order_relaxed),
        .upstreams = atomic_load_explicit(&desk->upstreams, memory_order_relaxed),
        .unrenewed = atomic_load_explicit(&desk->unrenewed, memory_order_relaxed),
        .early = atomic_load_explicit(&desk->early, memory_order_relaxed),
        .ahead_bytes = atomic_load_explicit(&desk->ahead_bytes, memory_order_relaxed),
        .disconnected = atomic_load_explicit(&desk->disconnected, memory_order_relaxed)};
    for (size_t i = 0; i < crew->office->group_count; i++) {
        out->held += atomic_load_explicit(&desk->holds[i].sessions, memory_order_relaxed);
        out->held_bytes += atomic_load_explicit(&desk->holds[i].bytes, memory_order_relaxed);
    }
}

void crew_drain(struct crew *crew)
{
    size_t sessions = 0;
    for (size_t i = 0; i < crew->count; i++)
        sessions += atomic_load_explicit(&crew->office->desks[i].sessions, memory_order_relaxed);
    log_event(LOG_INFO, "draining", "sessions=%zu", sessions);
    for (size_t i = 0; i < crew->count; i++)
        worker_drain(crew->workers[i]);
}

bool crew_finished(const struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        if (!worker_finished(crew->workers[i]))
            return false;
    return true;
}

void crew_stop(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        worker_stop(crew->workers[i]);
    for (size_t i = 0; i < crew->count; i++)
        worker_join(crew->workers[i]);
    for (size_t i = 0; i < crew->count; i++)
        worker_drop_mail(crew->workers[i]);
    for (size_t i = 0; i < crew->count; i++)
        worker_free(crew->workers[i]);
    office_free(crew->office);
    free(crew);
}
