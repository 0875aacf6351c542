/* http_look: see the header. */
#include "ops/http_look.h"

#include "base/clock.h"
#include "ops/loops.h"

#include <stdlib.h>

static void look_at_workers(struct http_look *look, const struct workers *workers)
{
    size_t count = workers_size(workers);
    look->gauges = calloc(count, sizeof(*look->gauges));
    look->counters = calloc(count, sizeof(struct counters *));
    if (!look->gauges || !look->counters)
        abort();
    for (size_t i = 0; i < count; i++) {
        workers_gauges(workers, i, &look->gauges[i]);
        look->counters[i] = workers_counters(workers, i);
    }
    look->metrics.worker_count = count;
    look->metrics.gauges = look->gauges;
    look->metrics.counters = look->counters;
}

void http_look_open(struct http_look *look, const struct http_sources *sources, bool draining)
{
    int64_t now = clock_ms(), wall = clock_wall_ms();

    *look = (struct http_look){.topology = board_acquire(sources->board)};
    look->metrics = (struct metrics_view){.topology = look->topology,
                                          .refusals = board_refusals(sources->board),
                                          .tls = sources->tls,
                                          .options = sources->options,
                                          .now_ms = now,
                                          .wall_ms = wall,
                                          .process = true};
    look_at_workers(look, sources->workers);
    look->facts = facts_read(board_facts(sources->board), &look->metrics.fact_count);
    look->metrics.facts = look->facts;
    look->health = (struct health_view){.now = now,
                                        .wall = wall,
                                        .topology = look->topology,
                                        .groups = sources->options->groups,
                                        .refusals = board_refusals(sources->board),
                                        .draining = draining};
    look->loops = loops_look(sources->control, sources->workers, &look->health.loop_count);
    look->health.loops = look->loops;
}

void http_look_close(struct http_look *look)
{
    topology_release(look->topology);
    free(look->loops);
    free(look->facts);
    free(look->counters);
    free(look->gauges);
}
