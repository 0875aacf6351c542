/*
 * metrics_requests: how many, what they came to, how long they took.
 *
 * A worker has a histogram for each command of each listener, of those that went and were answered as most do, and one
 * for each class of commands, of all others (threads/counters.h). Both families of latencies are sums of these; and so is
 * the number of those that went well.
 */
#include "ops/metrics_parts.h"

/* What all workers have of one command on one listener. */
static struct command_counters sum_of(const struct metrics_view *view, size_t listener,
                                      unsigned number)
{
    struct command_counters sum = {0};
    size_t place = view->options->listeners[listener].number;
    for (size_t i = 0; i < view->worker_count; i++) {
        const struct command_counters *one = &view->counters[i]->listeners[place].commands[number];
        histogram_merge(&sum.at_once, &one->at_once);
        for (int result = 0; result < RESULTS; result++)
            sum.others[result] += counter_read(&one->others[result]);
    }
    sum.others[RESULT_OK] += histogram_count(&sum.at_once);
    return sum;
}

/* All listeners', in one table: it is read for three families. */
struct table {
    size_t listeners;
    unsigned numbers;
    struct command_counters *rows;
};

static struct command_counters *row_of(const struct table *table, size_t listener, unsigned number)
{
    return &table->rows[listener * table->numbers + number];
}

static struct table table_new(const struct metrics_view *view)
{
    struct table table = {.listeners = view->options->listener_count, .numbers = command_numbers()};
    size_t size = sizeof(*table.rows) * (table.listeners * table.numbers + 1);
    table.rows = aligned_alloc(sizeof(*table.rows), size);
    if (!table.rows)
        abort();
    for (size_t i = 0; i < table.listeners; i++)
        for (unsigned number = 0; number < table.numbers; number++)
            *row_of(&table, i, number) = sum_of(view, i, number);
    return table;
}

/* What is 0 is not written: there are four hundred commands. */
static void put_requests(struct metrics_out *out, const struct metrics_view *view,
                         const struct table *table)
{
    char name[ENDPOINT_TEXT_MAX];
    metrics_begin(out, METRIC_REQUESTS);
    for (size_t i = 0; i < table->listeners; i++)
        for (unsigned number = 0; number < table->numbers; number++)
            for (int result = 0; result < RESULTS; result++) {
                uint64_t count = row_of(table, i, number)->others[result];
                const struct command *command = command_by_number(number);
                if (count)
                    metrics_put(
                        out,
                        LABELS({"listener", metrics_listener(view, i, name, sizeof(name))},
                               {"command", command ? command->name : "other"},
                               {"result", request_result_label((enum request_result)result)}),
                        count);
            }
}

static void put_results(struct metrics_out *out, const struct metrics_view *view,
                        const struct table *table)
{
    char name[ENDPOINT_TEXT_MAX];
    metrics_begin(out, METRIC_REQUEST_RESULTS);
    for (size_t i = 0; i < table->listeners; i++)
        for (int result = 0; result < RESULTS; result++) {
            uint64_t sum = 0;
            for (unsigned number = 0; number < table->numbers; number++)
                sum += row_of(table, i, number)->others[result];
            metrics_put(out,
                        LABELS({"listener", metrics_listener(view, i, name, sizeof(name))},
                               {"result", request_result_label((enum request_result)result)}),
                        sum);
        }
}

static struct histogram latency_of(const struct metrics_view *view, const struct table *table,
                                   enum metric family, size_t listener, enum command_class class)
{
    struct histogram sum = {0};
    size_t place = view->options->listeners[listener].number;
    for (unsigned number = 0; number < table->numbers; number++) {
        const struct command *command = command_by_number(number);
        if ((command ? command_class(command) : COMMAND_CLASS_OTHER) == class)
            histogram_merge(&sum, &row_of(table, listener, number)->at_once);
    }
    for (size_t i = 0; i < view->worker_count; i++) {
        const struct listener_counters *one = &view->counters[i]->listeners[place];
        histogram_merge(&sum, family == METRIC_NODE_TIME ? &one->node[class] : &one->whole[class]);
    }
    return sum;
}

static void put_latencies(struct metrics_out *out, const struct metrics_view *view,
                          const struct table *table, enum metric family)
{
    char name[ENDPOINT_TEXT_MAX];
    metrics_begin(out, family);
    for (size_t i = 0; i < table->listeners; i++)
        for (int class = 0; class < COMMAND_CLASSES; class ++) {
            struct histogram sum = latency_of(view, table, family, i, (enum command_class) class);
            if (histogram_count(&sum))
                metrics_put_histogram(
                    out,
                    LABELS({"listener", metrics_listener(view, i, name, sizeof(name))},
                           {"class", command_class_name((enum command_class) class)}),
                    &sum);
        }
}

/* ---- those that were sent again, or held ---- */

static void put_retries(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_begin(out, METRIC_RETRIES);
    for (size_t i = 0; i < view->options->group_count; i++)
        for (int cause = 0; cause < RETRY_CAUSE_COUNT && !view->options->groups[i].gone; cause++)
            metrics_put(out,
                        LABELS({"group", view->options->groups[i].name},
                               {"cause", retry_cause_label((enum retry_cause)cause)}),
                        METRICS_SUM(view, groups[i].retries[cause]));
}

static uint64_t held_bytes(const struct metrics_view *view, size_t group)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < view->worker_count; i++)
        bytes += counter_read(&view->counters[i]->groups[group].held_bytes);
    return bytes;
}

static void put_hold(struct metrics_out *out, const struct metrics_view *view, size_t group)
{
    const struct metrics_label *labels = LABELS({"group", view->options->groups[group].name});
    struct histogram sum = {0};
    uint64_t most = 0, one;
    for (size_t i = 0; i < view->worker_count; i++) {
        histogram_merge(&sum, &view->counters[i]->groups[group].hold);
        one = counter_read(&view->counters[i]->groups[group].hold_max);
        most = one > most ? one : most;
    }
    if (out->family == METRIC_HOLD_TIME)
        metrics_put_histogram(out, labels, &sum);
    else if (out->family == METRIC_HOLD_MAX)
        metrics_put_number(out, labels, (double)most / (HISTOGRAM_TICKS_PER_MS * 1000.0));
    else if (out->family == METRIC_HELD)
        metrics_put(out, labels, METRICS_SUM(view, groups[group].held));
    else
        metrics_put(out, labels,
                    out->family == METRIC_HOLD_BYTES ? held_bytes(view, group)
                                                     : view->options->groups[group].hold_memory);
}

static void put_holds(struct metrics_out *out, const struct metrics_view *view, enum metric family)
{
    metrics_begin(out, family);
    for (size_t i = 0; i < view->options->group_count; i++)
        if (!view->options->groups[i].gone)
            put_hold(out, view, i);
}

static void put_counted(struct metrics_out *out, const struct metrics_view *view)
{
    struct table table = table_new(view);
    put_requests(out, view, &table);
    put_results(out, view, &table);
    put_latencies(out, view, &table, METRIC_REQUEST_TIME);
    put_latencies(out, view, &table, METRIC_NODE_TIME);
    put_retries(out, view);
    free(table.rows);
}

void metrics_requests(struct metrics_out *out, const struct metrics_view *view)
{
    if (view->counters)
        put_counted(out, view);
    metrics_worker_gauge(out, view, METRIC_HELD_SESSIONS, offsetof(struct worker_gauges, held));
    metrics_worker_gauge(out, view, METRIC_HELD_BYTES, offsetof(struct worker_gauges, held_bytes));
    for (enum metric family = METRIC_HOLD_BYTES; view->counters && family <= METRIC_HOLD_MAX;
         family++)
        put_holds(out, view, family);
    metrics_worker_gauge(out, view, METRIC_UNRENEWED, offsetof(struct worker_gauges, unrenewed));
    metrics_worker_gauge(out, view, METRIC_EARLY_PUBLISH, offsetof(struct worker_gauges, early));
}
