/* history: see the header. A ring: `first` is where the oldest one stands. */
#include "topology/history.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct history {
    pthread_mutex_t mutex;
    struct switchover ring[HISTORY_MAX];
    size_t first, count;
    uint64_t newest;
    void (*on_add)(void *arg, const struct switchover *s);
    void *arg;
    size_t groups;
    struct history_totals totals[];
};

/* ---- names ---- */

const char *switch_phase_name(enum switch_phase phase)
{
    static const char *const names[SWITCH_PHASES] = {[PHASE_CANDIDATE] = "candidate",
                                                     [PHASE_PROMOTION] = "promotion",
                                                     [PHASE_MAJORITY] = "majority",
                                                     [PHASE_RELEASE] = "release"};
    return names[phase];
}

const char *switch_result_name(enum switch_result result)
{
    static const char *const names[SWITCH_RESULTS] = {
        [SWITCH_TO_NEW] = "new", [SWITCH_TO_OLD] = "old"};
    return names[result];
}

const char *switch_count_name(enum switch_count count)
{
    static const char *const names[SWITCH_COUNTS] = {[SWITCH_HELD] = "held",
                                                     [SWITCH_RETRIED] = "retried",
                                                     [SWITCH_UNKNOWN] = "unknown",
                                                     [SWITCH_REFUSED] = "refused"};
    return names[count];
}

int64_t switchover_held_ms(const struct switchover *s)
{
    int64_t sum = 0;
    for (int phase = 0; phase < SWITCH_PHASES; phase++)
        sum += s->phase_ms[phase];
    return sum;
}

/* ---- */

struct history *history_new(size_t groups)
{
    struct history *history = calloc(1, sizeof(*history) + groups * sizeof(history->totals[0]));
    if (!history)
        abort();
    pthread_mutex_init(&history->mutex, NULL);
    history->groups = groups;
    return history;
}

void history_free(struct history *history)
{
    pthread_mutex_destroy(&history->mutex);
    free(history);
}

static void append(struct history *history, const struct switchover *s)
{
    history->ring[(history->first + history->count) % HISTORY_MAX] = *s;
    history->newest++;
    if (history->count < HISTORY_MAX)
        history->count++;
    else
        history->first = (history->first + 1) % HISTORY_MAX;
}

static void count(struct history_totals *totals, const struct switchover *s)
{
    totals->results[s->result]++;
    for (int phase = 0; phase < SWITCH_PHASES; phase++)
        totals->phase_ms[phase] += (uint64_t)s->phase_ms[phase];
}

void history_add(struct history *history, size_t group, const struct switchover *s)
{
    assert(group < history->groups);
    pthread_mutex_lock(&history->mutex);
    append(history, s);
    count(&history->totals[group], s);
    void (*on_add)(void *arg, const struct switchover *s) = history->on_add;
    void *arg = history->arg;
    pthread_mutex_unlock(&history->mutex);
    if (on_add)
        on_add(arg, s);
}

void history_remember(struct history *history, const struct switchover *s)
{
    pthread_mutex_lock(&history->mutex);
    append(history, s);
    pthread_mutex_unlock(&history->mutex);
}

void history_listen(struct history *history, void (*on_add)(void *arg, const struct switchover *s),
                    void *arg)
{
    pthread_mutex_lock(&history->mutex);
    history->on_add = on_add;
    history->arg = arg;
    pthread_mutex_unlock(&history->mutex);
}

size_t history_read(struct history *history, struct switchover *out, size_t max, uint64_t *newest)
{
    pthread_mutex_lock(&history->mutex);
    size_t n = history->count < max ? history->count : max;
    for (size_t i = 0; i < n; i++)
        out[i] = history->ring[(history->first + history->count - n + i) % HISTORY_MAX];
    *newest = history->newest;
    pthread_mutex_unlock(&history->mutex);
    return n;
}

size_t history_copy(struct history *history, struct switchover *out, size_t max)
{
    uint64_t newest;
    return history_read(history, out, max, &newest);
}

void history_totals(struct history *history, size_t group, struct history_totals *out)
{
    pthread_mutex_lock(&history->mutex);
    *out = history->totals[group];
    pthread_mutex_unlock(&history->mutex);
}
