/*
 * worker: the loop. Callbacks only queue; before the loop sleeps, everything
 * that was queued is done, in this order:
 *
 *     newest snapshot -> woken sessions -> flush upstreams -> (woken again) -> flush sessions
 *
 * so that no request is written after a snapshot that forbids it was published
 * (decision 11), and each connection is written once a turn.
 */
#include "worker/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "commands/table.h"
#include "nodes/learn.h"
#include "nodes/router.h"
#include "nodes/scripts.h"
#include "session/drain.h"
#include "session/host.h"
#include "session/large_keys.h"
#include "session/leaving.h"
#include "session/mover.h"
#include "session/session_request.h"
#include "threads/mail.h"
#include "threads/relay.h"
#include "worker/accept_points.h"
#include "worker/handover.h"
#include "worker/show.h"
#include "worker/worker_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* While it drains it turns so often. */
#define DRAIN_TICK_MS 10
/* The memory for the texts of scripts, for each group. */
#define SCRIPTS_MAX ((size_t)16 * 1024 * 1024)

/* ---- the turn ---- */

/* Nothing to do but at a new snapshot, and while a switch begins. */
static void acknowledge(struct worker *w)
{
    if (w->acknowledged == w->host.seq || !router_is_quiet(w->host.router))
        return;
    w->acknowledged = w->host.seq;
    board_acknowledge(w->board, w->subscriber, w->host.seq);
}

/* Between two turns, and after the snapshot that has all the groups. */
static void follow(struct worker *w)
{
    const struct traffic_options *options = w->wanted;
    if (!router_has_groups(w->host.router, options->group_count))
        return; /* it is under way, and wakes the loop */
    w->wanted = NULL;
    if (w->accepts && !w->draining && accept_points_follow(w, options, w->wanted_fds) != 0)
        log_event(LOG_ERROR, "not all listeners of the new configuration are open", "");
    w->options = options;
    w->holds_end = w->holds + options->group_count;
    session_host_reload(&w->host, options);
    uv_async_send(&w->async); /* sessions were told to end, or may be read again: one more turn */
    atomic_store(&w->followed, options);
}

/* Nothing: while it is active, the loop does not sleep. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *w = prepare->data;
    bool left;
    if (__builtin_expect(w->draining, 0))
        session_drain_turn(&w->drainage, &w->host);
    left = session_host_turn(&w->host);
    if (__builtin_expect(w->wanted != NULL, 0))
        follow(w);
    if (__builtin_expect(w->channel != NULL, 0))
        left |= session_mover_turn(&w->mover, &w->host);
    if (left != w->left)
        (void)(left ? uv_idle_start(&w->idle, on_idle) : uv_idle_stop(&w->idle));
    w->left = left;
    if (__builtin_expect(w->draining, 0)) /* a client may be on its way here from who accepted it */
        atomic_store(&w->finished, w->host.count == 0);
    acknowledge(w);
    worker_show_turn(w);
    atomic_store_explicit(&worker_slot_of(w)->last_turn_ms, turn_now(&w->turn),
                          memory_order_relaxed);
}

/* ---- ending ---- */

static void on_drain_tick(uv_timer_t *timer)
{
    (void)timer; /* so that the loop turns: on_prepare() does the rest */
}

static size_t sessions_of_all(const struct worker *w)
{
    const struct shared *shared = w->host.stop.shared;
    size_t sum = 0;
    for (size_t i = 0; i < shared->worker_count; i++)
        sum += atomic_load_explicit(&shared->slots[i].sessions, memory_order_relaxed);
    return sum;
}

static void drain_sessions(struct worker *w)
{
    w->draining = true;
    session_drain_begin(&w->drainage, turn_now(&w->turn), w->options->drain_timeout_ms,
                        sessions_of_all(w));
    uv_timer_start(&w->drain_tick, on_drain_tick, 0, DRAIN_TICK_MS);
}

static void begin_drain(struct worker *w)
{
    accept_points_empty(w);
    accept_points_close(w);
    drain_sessions(w);
}

/* ---- to another process ---- */

/* What cannot be handed over drains meanwhile. */
static void begin_succession(struct worker *w, struct handover_channel *channel)
{
    w->channel = channel;
    accept_points_hold(w, true);
    session_mover_begin(&w->mover, &w->host, handover_send, channel);
    drain_sessions(w);
}

static void keep_the_rest(struct worker *w)
{
    session_mover_end(&w->mover, &w->host);
    handover_channel_leave(w->channel);
    w->channel = NULL;
    w->draining = false;
    atomic_store(&w->finished, false);
    uv_timer_stop(&w->drain_tick);
    accept_points_hold(w, false);
}

static void look_at_succession(struct worker *w)
{
    struct handover_channel *channel = atomic_exchange(&w->hand_over_to, NULL);
    if (channel && !w->draining)
        begin_succession(w, channel);
    else
        handover_channel_leave(channel);
    if (atomic_exchange(&w->keep, false) && w->channel)
        keep_the_rest(w);
}

static void close_all(struct worker *w)
{
    if (w->closing)
        return;
    w->closing = true;
    handover_channel_leave(w->channel);
    handover_channel_leave(atomic_exchange(&w->hand_over_to, NULL));
    w->channel = NULL;
    accept_points_close(w);
    session_close_all(&w->host);
    router_close(w->host.router);
    mailbox_shut(&worker_slot_of(w)->box);
    uv_close((uv_handle_t *)&w->tick, NULL);
    uv_close((uv_handle_t *)&w->drain_tick, NULL);
    uv_close((uv_handle_t *)&w->async, NULL);
    uv_close((uv_handle_t *)&w->prepare, NULL);
    uv_close((uv_handle_t *)&w->idle, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    int64_t now = turn_now(&w->turn);
    worker_show_lag(w, now);
    session_host_tick(&w->host, now);
    worker_show_tick(w);
}

static void on_async(uv_async_t *async)
{
    struct worker *w = async->data;
    turn_look(&w->turn);
    mailbox_read(&worker_slot_of(w)->box, &w->host.stop);
    if (atomic_load(&w->stop))
        close_all(w);
    else if (atomic_load(&w->drain) && !w->draining)
        begin_drain(w);
    else
        look_at_succession(w);
    if (atomic_load(&w->reload) != atomic_load(&w->followed))
        w->wanted = atomic_load(&w->reload);
    /* A new snapshot is adopted before the loop sleeps again, and then these options. */
}

static void notify(void *arg)
{
    struct worker *w = arg;
    uv_async_send(&w->async);
}

/* ---- life ---- */

static void *run(void *arg)
{
    struct worker *w = arg;
    uv_update_time(&w->loop);
    w->ticked_ms = turn_now(&w->turn); /* the first tick may be late, too */
    uv_run(&w->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void init_host(struct worker *w)
{
    w->host.turn = &w->turn;
    w->host.options = w->options;
    w->host.request_share = w->options->request_memory / w->options->workers;
    w->host.hooks = &command_hooks;
    session_host_init(&w->host);
    session_mover_init(&w->mover);
    w->host.mover = &w->mover;
    w->host.learn = learn_new(&w->turn.requests);
    w->host.scripts = calloc(traffic_group_room(w->options), sizeof(*w->host.scripts));
    if (!w->host.scripts)
        abort();
    for (size_t i = 0; i < traffic_group_room(w->options); i++)
        w->host.scripts[i] = scripts_new(SCRIPTS_MAX);
    w->host.router = router_new(&w->turn, w->options, w->host.stop.shared, w->host.stop.number,
                                &session_router_events, &w->host);
}

static void init_loop(struct worker *w)
{
    if (uv_loop_init(&w->loop) || uv_async_init(&w->loop, &w->async, on_async) ||
        uv_prepare_init(&w->loop, &w->prepare) || uv_idle_init(&w->loop, &w->idle) ||
        uv_timer_init(&w->loop, &w->tick) || uv_timer_init(&w->loop, &w->drain_tick))
        abort(); /* no descriptors or memory for one loop: nothing can run */
    w->async.data = w->prepare.data = w->tick.data = w;
    uv_prepare_start(&w->prepare, on_prepare);
    uv_timer_start(&w->tick, on_tick, WORKER_TICK_MS, WORKER_TICK_MS);
}

struct worker *worker_new(const struct traffic_options *options, struct board *board,
                          struct shared *shared, size_t number)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        abort();
    w->options = options;
    atomic_store(&w->reload, options);
    atomic_store(&w->followed, options);
    list_init(&w->accept_points);
    w->board = board;
    w->host.stop.shared = shared;
    w->host.stop.number = number;
    w->slot = &shared->slots[number];
    atomic_store(&w->slot->last_turn_ms, clock_ms());
    init_loop(w);
    turn_init(&w->turn, &w->loop, w->board, sizeof(struct session_request));
    init_host(w);
    w->holds = router_hold(w->host.router, 0);
    w->holds_end = w->holds + options->group_count;
    mailbox_init(&w->slot->box, notify, w);
    w->subscriber = board_subscribe(board, notify, w);
    uv_async_send(&w->async);
    return w;
}

int worker_accept(struct worker *w, const int *listen_fds)
{
    w->accepts = true;
    w->accepted = w->options->clients_before;
    balance_init(&w->balance, w->host.stop.shared, w->host.stop.number);
    return accept_points_follow(w, w->options, listen_fds);
}

int worker_start(struct worker *w)
{
    int error = pthread_create(&w->thread, NULL, run, w);
    w->started = error == 0;
    if (!error)
        return 0;
    log_event(LOG_ERROR, "a worker could not be started", "reason=\"%s\"", strerror(error));
    return -1;
}

void worker_reload(struct worker *w, const struct traffic_options *options, const int *listen_fds)
{
    w->wanted_fds = listen_fds;
    atomic_store(&w->reload, options);
    uv_async_send(&w->async);
}

bool worker_follows(const struct worker *w, const struct traffic_options *options)
{
    return atomic_load(&w->followed) == options;
}

void worker_drain(struct worker *w)
{
    atomic_store(&w->drain, true);
    uv_async_send(&w->async);
}

void worker_hand_over(struct worker *w, struct handover_channel *channel)
{
    handover_channel_leave(atomic_exchange(&w->hand_over_to, handover_channel_use(channel)));
    uv_async_send(&w->async);
}

void worker_keep(struct worker *w)
{
    atomic_store(&w->keep, true);
    uv_async_send(&w->async);
}

bool worker_finished(const struct worker *w)
{
    return atomic_load(&w->finished);
}

void worker_stop(struct worker *w)
{
    board_unsubscribe(w->board, notify, w);
    atomic_store(&w->stop, true);
    uv_async_send(&w->async);
}

void worker_join(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    else
        run(w); /* its loop ends at once, and frees what it has */
}

void worker_drop_mail(struct worker *w)
{
    mailbox_empty(&worker_slot_of(w)->box);
    relays_drop(&w->host.stop);
}

void worker_free(struct worker *w)
{
    learn_free(w->host.learn);
    large_keys_expire(&w->host.large_keys, INT64_MAX);
    for (size_t i = 0; i < traffic_group_room(w->options); i++)
        scripts_free(w->host.scripts[i]);
    free(w->host.scripts);
    router_free(w->host.router);
    request_pool_free(&w->turn.requests);
    buf_stock_free(&w->turn.stock);
    uv_loop_close(&w->loop);
    mailbox_free(&worker_slot_of(w)->box);
    if (w->accepts)
        balance_free(&w->balance);
    free(w);
}
