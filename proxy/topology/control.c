/*
 * control: the thread. Groups say when something may have changed; just
 * before the loop sleeps (uv_prepare) the new state of all groups is compared
 * with the one on the board, and published if it differs: so what arrives
 * together is published together, and a worker is never woken for nothing.
 */
#include "topology/control.h"

#include "base/list.h"
#include "base/log.h"
#include "topology/errands.h"
#include "topology/group.h"
#include "topology/names.h"
#include "topology/pause.h"
#include "topology/summaries.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TURN_MS 500
/* How often it is looked whether a switchover can be summed up. */
#define SUMMARY_MS 20

struct control {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t stop, credential, errand;
    uv_prepare_t before_sleep;
    uv_timer_t turn, summary, pause;
    struct errands errands;
    struct pause *pauses; /* one for each group */
    atomic_int_least64_t last_turn;
    struct board *board;
    struct topology *shown; /* what is on the board: a reference of our own */
    struct names *names;
    struct summaries *summaries;
    struct group **groups;
    size_t group_count, groups_open;
    bool dirty, stopping;
};

/* ---- publishing ---- */

static bool same_node(const struct topology_node *a, const struct topology_node *b)
{
    return a->id == b->id && a->readable == b->readable && a->suspect == b->suspect &&
           a->leaving == b->leaving && a->up == b->up && a->disagrees == b->disagrees &&
           a->process == b->process && a->tenure == b->tenure && a->cert_ends_s == b->cert_ends_s &&
           address_equal(&a->address, &b->address) && strcmp(a->name, b->name) == 0 &&
           strcmp(a->host, b->host) == 0;
}

static bool same_group(const struct topology_group *a, const struct topology_group *b)
{
    if (a->state != b->state || a->master != b->master || a->writable != b->writable ||
        a->settling != b->settling || a->quorum != b->quorum || a->epoch != b->epoch ||
        a->sentinel_cert_ends_s != b->sentinel_cert_ends_s || a->since_ms != b->since_ms ||
        a->had_master != b->had_master || strcmp(a->disagreement, b->disagreement) != 0 ||
        a->own != b->own || a->paused != b->paused || a->paused_until_ms != b->paused_until_ms ||
        a->node_count != b->node_count || strcmp(a->reason, b->reason) != 0 ||
        strcmp(a->replid[0], b->replid[0]) != 0 || strcmp(a->replid[1], b->replid[1]) != 0)
        return false;
    for (size_t i = 0; i < a->node_count; i++) {
        if (!same_node(&a->nodes[i], &b->nodes[i]))
            return false;
    }
    return true;
}

static void on_pause_timer(uv_timer_t *timer);

/* Makes sure that it is looked at again when the first one ends. */
static void arm_pauses(struct control *control)
{
    int64_t now = (int64_t)uv_now(&control->loop), first = INT64_MAX;
    for (size_t i = 0; i < control->group_count; i++) {
        const struct pause *pause = &control->pauses[i];
        if (pause_is_on(pause) && pause->until_ms < first)
            first = pause->until_ms;
    }
    if (first < INT64_MAX)
        uv_timer_start(&control->pause, on_pause_timer, first > now ? (uint64_t)(first - now) : 0,
                       0);
}

static void apply_pause(struct control *control, size_t group, struct topology_group *shown)
{
    static const char *const why[] = {
        [PAUSE_TIME] = "its time is over", [PAUSE_SWITCHED] = "there is another master"};
    int64_t since = control->pauses[group].since_ms, now = (int64_t)uv_now(&control->loop);
    enum pause_end end = pause_apply(&control->pauses[group], shown, now);
    if (end != PAUSE_GOES_ON)
        log_event(end == PAUSE_TIME ? LOG_WARN : LOG_INFO, "a group is resumed",
                  "group=%s reason=\"%s\" paused_ms=%lld", shown->name, why[end],
                  (long long)(now - since));
}

static void publish(struct control *control)
{
    struct topology *next = topology_new(control->group_count);
    bool same = control->shown != NULL;
    for (size_t i = 0; i < control->group_count; i++) {
        group_show(control->groups[i], &next->groups[i]);
        apply_pause(control, i, &next->groups[i]);
        same = same && same_group(&next->groups[i], &control->shown->groups[i]);
    }
    if (same) {
        topology_release(next);
        return;
    }
    if (control->shown)
        topology_release(control->shown);
    board_publish(control->board, next);
    control->shown = board_acquire(control->board);
    for (size_t i = 0; i < control->group_count; i++)
        group_published(control->groups[i], control->shown->seq);
    summaries_published(control->summaries, control->shown->seq);
}

static void before_sleep(uv_prepare_t *handle)
{
    struct control *control = handle->data;
    atomic_store_explicit(&control->last_turn, (int64_t)uv_now(&control->loop),
                          memory_order_relaxed);
    if (control->dirty && !control->stopping) {
        publish(control);
        arm_pauses(control);
    }
    control->dirty = false;
}

static void on_pause_timer(uv_timer_t *timer)
{
    struct control *control = timer->data;
    control->dirty = true;
}

void control_pause(struct control *control, size_t group, int64_t until_ms, uint64_t leaving)
{
    if (until_ms)
        pause_begin(&control->pauses[group], (int64_t)uv_now(&control->loop), until_ms, leaving);
    else
        pause_end(&control->pauses[group]);
    control->dirty = true;
}

static void group_changed(void *owner)
{
    struct control *control = owner;
    control->dirty = true;
}

static uint64_t acknowledged(void *owner)
{
    const struct control *control = owner;
    return board_acknowledged(control->board);
}

static size_t number_of(const struct control *control, const struct group *group)
{
    size_t number = 0;
    while (control->groups[number] != group)
        number++;
    return number;
}

static int64_t paused_until(void *owner, const struct group *group, uint64_t node)
{
    const struct control *control = owner;
    return board_paused_until(control->board, number_of(control, group), node);
}

static void on_summary(uv_timer_t *timer)
{
    struct control *control = timer->data;
    if (!summaries_settle(control->summaries, (int64_t)uv_now(&control->loop)))
        uv_timer_stop(timer);
}

static void switched(void *owner, const struct group *group, const struct switchover *s)
{
    struct control *control = owner;
    summaries_ended(control->summaries, number_of(control, group), s,
                    (int64_t)uv_now(&control->loop));
    uv_timer_start(&control->summary, on_summary, SUMMARY_MS, SUMMARY_MS);
}

static void name_changed(void *owner)
{
    struct control *control = owner;
    for (size_t i = 0; i < control->group_count && !control->stopping; i++)
        group_ask_all(control->groups[i]);
}

/* ---- credentials ---- */

static void look_at_credentials(struct control *control)
{
    for (size_t i = 0; i < control->group_count && !control->stopping; i++)
        group_look_at_credentials(control->groups[i]);
}

static void on_credential(uv_async_t *async)
{
    look_at_credentials(async->data);
}

/* Any thread. */
static void credential_news(void *owner)
{
    struct control *control = owner;
    uv_async_send(&control->credential);
}

/* ---- errands ---- */

static void on_errand(uv_async_t *async)
{
    struct control *control = async->data;
    if (!control->stopping)
        errands_run(&control->errands, control);
}

void control_run(struct control *control, struct errand *errand)
{
    errands_add(&control->errands, errand);
    uv_async_send(&control->errand);
}

void control_each_sentinel(const struct control *control, size_t group, sentinel_visitor *each,
                           void *data)
{
    group_each_sentinel(control->groups[group], each, data);
}

/* ---- life ---- */

static void show_facts(const struct control *control)
{
    struct group_facts *facts = calloc(control->group_count + 1, sizeof(*facts));
    if (!facts)
        abort();
    for (size_t i = 0; i < control->group_count; i++)
        group_facts(control->groups[i], &facts[i]);
    facts_show(board_facts(control->board), facts, control->group_count);
    free(facts);
}

/* A file that was read a moment ago is due now. And it makes the loop turn. */
static void turned(uv_timer_t *timer)
{
    struct control *control = timer->data;
    look_at_credentials(control);
    if (!control->stopping)
        summaries_note(control->summaries, control->shown, (int64_t)uv_now(&control->loop));
    if (!control->stopping)
        show_facts(control);
}

/* The names go last: groups ask them until they are closed. */
static void group_closed(void *owner)
{
    struct control *control = owner;
    if (--control->groups_open > 0)
        return;
    names_free(control->names);
    uv_close((uv_handle_t *)&control->before_sleep, NULL);
    uv_close((uv_handle_t *)&control->turn, NULL);
    uv_close((uv_handle_t *)&control->summary, NULL);
    uv_close((uv_handle_t *)&control->pause, NULL);
    uv_close((uv_handle_t *)&control->errand, NULL);
    uv_close((uv_handle_t *)&control->credential, NULL);
    uv_close((uv_handle_t *)&control->stop, NULL);
}

static const struct group_callbacks group_callbacks = {
    .changed = group_changed,
    .acknowledged = acknowledged,
    .paused_until = paused_until,
    .switched = switched,
    .credential = credential_news,
    .closed = group_closed,
};

static void on_stop(uv_async_t *async)
{
    struct control *control = async->data;
    if (control->stopping)
        return;
    control->stopping = true;
    control->groups_open++; /* held until all were told, and for the case that there is none */
    for (size_t i = 0; i < control->group_count; i++)
        group_close(control->groups[i]);
    group_closed(control);
}

static void run(void *arg)
{
    struct control *control = arg;
    uv_run(&control->loop, UV_RUN_DEFAULT);
}

static int init_handles(struct control *control)
{
    int error = uv_loop_init(&control->loop);
    if (error)
        return error;
    uv_prepare_init(&control->loop, &control->before_sleep);
    control->before_sleep.data = control;
    uv_prepare_start(&control->before_sleep, before_sleep);
    uv_timer_init(&control->loop, &control->turn);
    control->turn.data = control;
    uv_timer_start(&control->turn, turned, TURN_MS, TURN_MS);
    uv_timer_init(&control->loop, &control->summary);
    control->summary.data = control;
    control->stop.data = control->credential.data = control;
    uv_timer_init(&control->loop, &control->pause);
    control->stop.data = control->credential.data = control->errand.data = control->pause.data =
        control;
    error = uv_async_init(&control->loop, &control->errand, on_errand);
    if (error)
        return error;
    error = uv_async_init(&control->loop, &control->credential, on_credential);
    if (error)
        return error;
    return uv_async_init(&control->loop, &control->stop, on_stop);
}

struct control *control_start(const struct topology_options *groups, size_t group_count,
                              struct board *board)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        abort();
    int error = init_handles(control);
    if (error) {
        log_event(LOG_ERROR, "the control plane cannot start", "error=%s", uv_err_name(error));
        free(control);
        return NULL;
    }
    atomic_init(&control->last_turn, (int64_t)uv_now(&control->loop));
    control->board = board;
    control->summaries = summaries_new(board, group_count);
    control->names = names_new(&control->loop, name_changed, control);
    errands_init(&control->errands);
    control->groups = calloc(group_count ? group_count : 1, sizeof(struct group *));
    control->pauses = calloc(group_count ? group_count : 1, sizeof(*control->pauses));
    if (!control->groups || !control->pauses)
        abort();
    for (size_t i = 0; i < group_count; i++)
        control->groups[i] =
            group_new(&control->loop, &groups[i], control->names, &group_callbacks, control);
    control->group_count = control->groups_open = group_count;
    publish(control);
    show_facts(control);
    error = uv_thread_create(&control->thread, run, control);
    if (error) {
        log_event(LOG_ERROR, "the control plane's thread cannot start", "error=%s",
                  uv_err_name(error));
        abort();
    }
    return control;
}

int64_t control_last_turn(const struct control *control)
{
    return atomic_load_explicit(&control->last_turn, memory_order_relaxed);
}

void control_stop(struct control *control)
{
    uv_async_send(&control->stop);
    uv_thread_join(&control->thread);
    int error = uv_loop_close(&control->loop);
    assert(error == 0); /* every handle was closed */
    (void)error;
    if (control->shown)
        topology_release(control->shown);
    summaries_free(control->summaries);
    errands_close(&control->errands);
    free(control->groups);
    free(control->pauses);
    free(control);
}
