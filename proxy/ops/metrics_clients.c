/* metrics_clients: of clients' connections: how many, how they ended, what they sent, what they are. */
#include "ops/metrics_parts.h"

#include <string.h>

typedef const char *reason_label(int reason);

static const char *closed_label(int reason)
{
    return close_reason_label((enum close_reason)reason);
}

static const char *refused_label(int reason)
{
    return refuse_reason_label((enum refuse_reason)reason);
}

static uint64_t of_reason(const struct metrics_view *view, enum metric family, size_t listener,
                          int reason)
{
    size_t number = view->options->listeners[listener].number;
    return family == METRIC_SESSIONS_CLOSED ? METRICS_SUM(view, listeners[number].closed[reason])
                                            : METRICS_SUM(view, listeners[number].refused[reason]);
}

static void put_reasons(struct metrics_out *out, const struct metrics_view *view,
                        enum metric family, int count, reason_label *label)
{
    char name[ENDPOINT_TEXT_MAX];
    metrics_begin(out, family);
    for (size_t i = 0; i < view->options->listener_count; i++)
        for (int reason = 0; reason < count; reason++)
            metrics_put(out,
                        LABELS({"listener", metrics_listener(view, i, name, sizeof(name))},
                               {"reason", label(reason)}),
                        of_reason(view, family, i, reason));
}

static uint64_t of_listener(const struct metrics_view *view, enum metric family, size_t i)
{
    size_t number = view->options->listeners[i].number;
    if (family == METRIC_SESSIONS_OPENED)
        return METRICS_SUM(view, listeners[number].opened);
    return family == METRIC_CLIENT_RECEIVED ? METRICS_SUM(view, listeners[number].received)
                                            : METRICS_SUM(view, listeners[number].sent);
}

static void put_listeners(struct metrics_out *out, const struct metrics_view *view,
                          enum metric family)
{
    char name[ENDPOINT_TEXT_MAX];
    metrics_begin(out, family);
    for (size_t i = 0; i < view->options->listener_count; i++)
        metrics_put(out, LABELS({"listener", metrics_listener(view, i, name, sizeof(name))}),
                    of_listener(view, family, i));
}

/* ---- their libraries ---- */

static size_t libs_of(const struct counters *counters)
{
    return atomic_load_explicit(&counters->lib_count, memory_order_acquire);
}

/* Whether it stands already: several workers know the same. */
static bool is_repeated(const struct metrics_view *view, size_t worker, size_t index)
{
    const struct client_lib *lib = &view->counters[worker]->libs[index];
    for (size_t i = 0; i < worker; i++)
        for (size_t k = 0; k < libs_of(view->counters[i]); k++) {
            const struct client_lib *other = &view->counters[i]->libs[k];
            if (strcmp(lib->name, other->name) == 0 && strcmp(lib->version, other->version) == 0)
                return true;
        }
    return false;
}

static void put_libs(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_begin(out, METRIC_CLIENT_LIB);
    for (size_t i = 0; i < view->worker_count; i++)
        for (size_t k = 0; k < libs_of(view->counters[i]); k++) {
            const struct client_lib *lib = &view->counters[i]->libs[k];
            if (!is_repeated(view, i, k))
                metrics_put(out, LABELS({"lib", lib->name}, {"version", lib->version}), 1);
        }
}

void metrics_clients(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_worker_gauge(out, view, METRIC_SESSIONS, offsetof(struct worker_gauges, sessions));
    if (view->counters) {
        put_listeners(out, view, METRIC_SESSIONS_OPENED);
        put_reasons(out, view, METRIC_SESSIONS_REFUSED, REFUSE_REASON_COUNT, refused_label);
        put_reasons(out, view, METRIC_SESSIONS_CLOSED, CLOSE_REASON_COUNT, closed_label);
    }
    metrics_worker_gauge(out, view, METRIC_DISCONNECTED,
                         offsetof(struct worker_gauges, disconnected));
    metrics_worker_gauge(out, view, METRIC_OUTPUT_DISCONNECTED,
                         offsetof(struct worker_gauges, over_output));
    if (view->counters) {
        put_listeners(out, view, METRIC_CLIENT_RECEIVED);
        put_listeners(out, view, METRIC_CLIENT_SENT);
        put_libs(out, view);
    }
}
