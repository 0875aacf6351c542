/*
 * metrics_requests: how many, what they came to, how long they took.
 *
 * A worker has a histogram for each command of each listener, of those that went and were answered as most do, and one
 * for each class of commands, of all others (threads/counters.h). Both families of latencies are sums of these; and so is
 * the number of those that went well.
 */
#include "ops/metrics_parts.h"

/* All that is read of a listener: what each command came to, and its at_once by class. */
struct listener_sum {
    uint64_t (*results)[RESULTS]; /* one for each command's number */
    struct histogram at_once[COMMAND_CLASSES];
};

struct table {
    size_t listeners;
    unsigned numbers;
    struct listener_sum *rows;
};

static enum command_class class_of(unsigned number)
{
    const struct command *command = command_by_number(number);
    return command ? command_class(command) : COMMAND_CLASS_OTHER;
}

/* Most commands are never sent: for them a look is enough. */
static bool is_used(const struct command_counters *one)
{
    uint64_t any = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        any |= counter_read(&one->at_once.buckets[i]);
    for (int result = 0; result < RESULTS; result++)
        any |= counter_read(&one->others[result]);
    return any != 0;
}

static void add_command(struct listener_sum *sum, unsigned number,
                        const struct command_counters *one)
{
    uint64_t *results = sum->results[number];
    for (int result = 0; result < RESULTS; result++)
        results[result] += counter_read(&one->others[result]);
    results[RESULT_OK] += histogram_count(&one->at_once);
    histogram_merge(&sum->at_once[class_of(number)], &one->at_once);
}

static void add_listener(struct listener_sum *sum, unsigned numbers,
                         const struct listener_counters *one)
{
    for (unsigned number = 0; number < numbers; number++)
        if (is_used(&one->commands[number]))
            add_command(sum, number, &one->commands[number]);
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        abort();
    return memory;
}

/* It is read for four families. */
static struct table table_new(const struct metrics_view *view)
{
    struct table table = {.listeners = view->options->listener_count, .numbers = command_numbers()};
    table.rows = zeroed(table.listeners, sizeof(*table.rows));
    for (size_t i = 0; i < table.listeners; i++) {
        size_t place = view->options->listeners[i].number;
        table.rows[i].results = zeroed(table.numbers, sizeof(*table.rows[i].results));
        for (size_t w = 0; w < view->worker_count; w++)
            add_listener(&table.rows[i], table.numbers, &view->counters[w]->listeners[place]);
    }
    return table;
}

static void table_free(struct table *table)
{
    for (size_t i = 0; i < table->listeners; i++)
        free(table->rows[i].results);
    free(table->rows);
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
                uint64_t count = table->rows[i].results[number][result];
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
                sum += table->rows[i].results[number][result];
            metrics_put(out,
                        LABELS({"listener", metrics_listener(view, i, name, sizeof(name))},
                               {"result", request_result_label((enum request_result)result)}),
                        sum);
        }
}

static struct histogram latency_of(const struct metrics_view *view, const struct table *table,
                                   enum metric family, size_t listener, enum command_class class)
{
    struct histogram sum = table->rows[listener].at_once[class];
    size_t place = view->options->listeners[listener].number;
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
    table_free(&table);
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
