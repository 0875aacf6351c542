/*
 * control: the thread. Groups say when something may have changed; just
 * before the loop sleeps (uv_prepare) the new state of all groups is compared
 * with the one on the board, and published if it differs: so what arrives
 * together is published together, and a worker is never woken for nothing.
 */
#include "topology/control_state.h"

#include "base/log.h"
#include "topology/group.h"
#include "topology/summaries.h"

#include <assert.h>
#include <stdlib.h>

#define TURN_MS 500
/* How often it is looked whether a switchover can be summed up. */
#define SUMMARY_MS 20
#define NO_PLACE SIZE_MAX

/* ---- before it sleeps ---- */

static void show_facts(const struct control *control)
{
    struct group_facts *facts = calloc(control->place_count + 1, sizeof(*facts));
    if (!facts)
        abort();
    for (size_t i = 0; i < control->place_count; i++)
        if (control->places[i].group)
            group_facts(control->places[i].group, &facts[i]);
    facts_show(board_facts(control->board), facts, control->place_count);
    free(facts);
}

static void before_sleep(uv_prepare_t *handle)
{
    struct control *control = handle->data;
    atomic_store_explicit(&control->last_turn, (int64_t)uv_now(&control->loop),
                          memory_order_relaxed);
    if (control->dirty && !control->stopping) {
        if (control_publish(control))
            show_facts(control);
        control_arm_pauses(control);
    }
    control->dirty = false;
}

void control_pause(struct control *control, size_t group, int64_t until_ms, uint64_t leaving)
{
    struct place *place = &control->places[group];
    if (until_ms && place->group)
        pause_begin(&place->pause, (int64_t)uv_now(&control->loop), until_ms, leaving);
    else
        pause_end(&place->pause);
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
    while (control->places[number].group != group)
        if (++number == control->place_count)
            return NO_PLACE;
    return number;
}

static int64_t paused_until(void *owner, const struct group *group, uint64_t node)
{
    const struct control *control = owner;
    size_t number = number_of(control, group);
    return number == NO_PLACE ? 0 : board_paused_until(control->board, number, node);
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
    size_t number = number_of(control, group);
    if (number == NO_PLACE)
        return;
    summaries_ended(control->summaries, number, s, (int64_t)uv_now(&control->loop));
    uv_timer_start(&control->summary, on_summary, SUMMARY_MS, SUMMARY_MS);
}

static void name_changed(void *owner)
{
    struct control *control = owner;
    for (size_t i = 0; i < control->place_count && !control->stopping; i++)
        if (control->places[i].group)
            group_ask_all(control->places[i].group);
}

/* ---- credentials ---- */

static void look_at_credentials(struct control *control)
{
    for (size_t i = 0; i < control->place_count && !control->stopping; i++)
        if (control->places[i].group)
            group_look_at_credentials(control->places[i].group);
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
    if (control->places[group].group)
        group_each_sentinel(control->places[group].group, each, data);
}

/* ---- life ---- */

static void let_go(struct control *control);

/* A file that was read a moment ago is due now. And it makes the loop turn. */
static void turned(uv_timer_t *timer)
{
    struct control *control = timer->data;
    look_at_credentials(control);
    let_go(control);
    if (!control->stopping)
        summaries_note(control->summaries, control->shown, (int64_t)uv_now(&control->loop));
    if (!control->stopping)
        show_facts(control);
}

/* The names go last: groups ask them until they are closed. */
static void group_closed(void *owner)
{
    struct control *control = owner;
    if (--control->groups_open > 0 || !control->stopping)
        return;
    names_free(control->names);
    uv_close((uv_handle_t *)&control->before_sleep, NULL);
    uv_close((uv_handle_t *)&control->turn, NULL);
    uv_close((uv_handle_t *)&control->summary, NULL);
    uv_close((uv_handle_t *)&control->pause, NULL);
    uv_close((uv_handle_t *)&control->errand, NULL);
    uv_close((uv_handle_t *)&control->credential, NULL);
    uv_close((uv_handle_t *)&control->reload, NULL);
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
    for (size_t i = 0; i < control->place_count; i++)
        if (control->places[i].group)
            group_close(control->places[i].group);
    group_closed(control);
}

/* ---- other options ---- */

static void add_place(struct control *control)
{
    struct place *places =
        realloc(control->places, (control->place_count + 1) * sizeof(*control->places));
    if (!places)
        abort();
    control->places = places;
    places[control->place_count++] = (struct place){0};
}

static void follow_one(struct control *control, struct place *place,
                       const struct topology_options *options)
{
    place->name = options->name;
    if (options->gone) {
        if (place->group && !place->leaves_ms)
            place->leaves_ms = (int64_t)uv_now(&control->loop) + options->linger_ms;
        if (place->group)
            group_linger(place->group);
        return;
    }
    place->leaves_ms = 0;
    if (place->group) {
        group_reload(place->group, options);
        return;
    }
    place->group = group_new(&control->loop, options, control->names, &group_callbacks, control);
    control->groups_open++;
}

/* Those whose time is over. */
static void let_go(struct control *control)
{
    for (size_t i = 0; i < control->place_count && !control->stopping; i++) {
        struct place *place = &control->places[i];
        struct group *group = place->group;
        if (!place->leaves_ms || place->leaves_ms > (int64_t)uv_now(&control->loop))
            continue;
        log_event(LOG_INFO, "a group that is not configured any more is let go", "group=%s",
                  place->name);
        place->group = NULL;
        place->leaves_ms = 0;
        pause_end(&place->pause);
        control->dirty = true;
        group_close(group);
    }
}

static void on_reload(uv_async_t *async)
{
    struct control *control = async->data;
    const struct topology_options *wanted = atomic_load(&control->wanted);
    size_t count = atomic_load(&control->wanted_count);
    if (control->stopping || wanted == atomic_load(&control->followed))
        return;
    for (size_t i = 0; i < count; i++) {
        if (i == control->place_count)
            add_place(control);
        follow_one(control, &control->places[i], &wanted[i]);
    }
    control_publish(control);
    atomic_store(&control->followed, wanted);
}

void control_reload(struct control *control, const struct topology_options *groups,
                    size_t group_count)
{
    atomic_store(&control->wanted_count, group_count);
    atomic_store(&control->wanted, groups);
    uv_async_send(&control->reload);
}

bool control_follows(const struct control *control, const struct topology_options *groups)
{
    return atomic_load(&control->followed) == groups;
}

/* ---- starting ---- */

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
    uv_timer_init(&control->loop, &control->pause);
    control->stop.data = control->credential.data = control->errand.data = control->reload.data =
        control->pause.data = control;
    error = uv_async_init(&control->loop, &control->errand, on_errand);
    if (error)
        return error;
    error = uv_async_init(&control->loop, &control->credential, on_credential);
    if (!error)
        error = uv_async_init(&control->loop, &control->reload, on_reload);
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
    control->summaries = summaries_new(board, board_groups(board));
    control->names = names_new(&control->loop, name_changed, control);
    errands_init(&control->errands);
    for (size_t i = 0; i < group_count; i++) {
        add_place(control);
        follow_one(control, &control->places[i], &groups[i]);
    }
    atomic_store(&control->wanted, groups);
    atomic_store(&control->followed, groups);
    control_publish(control);
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
    free(control->places);
    free(control);
}
