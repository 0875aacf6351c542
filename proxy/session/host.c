/* host: see the header. */
#include "session/host.h"

#include "nodes/router.h"
#include "nodes/scripts.h"
#include "nodes/upstream.h"
#include "redis/command.h"
#include "session/ahead.h"
#include "session/blocking.h"
#include "session/dispatch.h"
#include "session/ended.h"
#include "session/held.h"
#include "session/large.h"
#include "session/leaving.h"
#include "session/life.h"
#include "session/output.h"
#include "session/starved.h"

#include <assert.h>

/* What is done wakes others: so often in one turn. */
#define TIMES_MAX 16

_Static_assert(COMMAND_CLASSES <= COUNTED_CLASSES, "a class has no counters");

void session_host_init(struct session_host *host)
{
    host->slowlog_ms = host->options->slowlog_ms;
    assert(command_numbers() <= COUNTED_COMMANDS);
    host->counters =
        host->stop.shared ? host->stop.shared->slots[host->stop.number].counters : NULL;
    list_init(&host->stop.waiting);
    list_init(&host->sessions);
    list_init(&host->stalled);
    list_init(&host->starved);
    list_init(&host->large);
    list_init(&host->doubted);
    list_init(&host->unread);
    list_init(&host->expiring);
    list_init(&host->walks);
    list_init(&host->script_waiters);
}

/* ---- each turn ---- */

void session_host_adopt(struct session_host *host)
{
    struct board *board = host->turn->board;
    struct topology *topology;
    if (board_seq(board) == host->seq)
        return;
    topology = board_acquire(board);
    if (!topology)
        return;
    host->seq = topology->seq;
    router_adopt(host->router, topology);
    session_judge_ended(host, turn_now(host->turn));
}

static void flush_upstreams(struct turn *turn)
{
    struct list *node;
    turn_renew(turn);
    while ((node = turn->dirty_upstreams.next) != &turn->dirty_upstreams && !turn_spent(turn))
        upstream_flush(container_of(node, struct upstream, in_turn));
}

/* Letters that are not done here: some of them walk over all sessions, in slices. */
static void retry_relays(struct session_host *host)
{
    if (list_empty(&host->stop.waiting))
        return;
    turn_renew(host->turn);
    relays_retry(&host->stop);
}

/* What there seldom is, and what each turn asks for by one flag. */
__attribute__((noinline)) static void work_on_the_rare(struct session_host *host)
{
    struct turn *turn = host->turn;
    turn->rare = false;
    if (!list_empty(&host->unread))
        session_run_unread(host);
    if (!list_empty(&turn->evicting))
        upstreams_evict(turn);
    if (!list_empty(&host->expiring))
        session_run_expiring(host, turn_now(turn));
    turn->rare |=
        !list_empty(&turn->evicting) || !list_empty(&host->unread) || !list_empty(&host->expiring);
}

/* Everything that is to be done, once. */
static void work(struct session_host *host)
{
    struct turn *turn = host->turn;
    session_host_adopt(host);
    router_let_publish(host->router);
    if (__builtin_expect(turn->rare, 0))
        work_on_the_rare(host);
    if (!list_empty(&turn->woken))
        session_run_woken(turn);
    if (!list_empty(&turn->dirty_upstreams))
        flush_upstreams(turn);
    if (!list_empty(&turn->dirty_sessions))
        session_flush_dirty(turn);
    if (__builtin_expect(host->budget_spent, 0))
        session_feed_starved(host);
}

static inline bool has_more(const struct session_host *host)
{
    const struct turn *turn = host->turn;
    return !list_empty(&turn->woken) || !list_empty(&turn->dirty_upstreams) ||
           !list_empty(&turn->dirty_sessions) || turn->rare;
}

bool session_host_has_work(const struct session_host *host)
{
    return has_more(host) || !list_empty(&host->walks);
}

bool session_host_turn(struct session_host *host)
{
    struct turn *turn = host->turn;
    int times = 0;
    bool more;
    turn_look(turn); /* nothing may have been read: a snapshot has come, or a timer */
    turn->cut = false;
    retry_relays(host);
    do {
        work(host); /* a write that failed wakes those whose requests were on it */
        more = has_more(host);
    } while (__builtin_expect(more, 0) && !turn->cut && ++times < TIMES_MAX);
    turn_renew(turn); /* for what the sockets bring */
    turn->looked = false;
    return more || !list_empty(&host->walks);
}

/* ---- each tick ---- */

void session_host_tick(struct session_host *host, int64_t now_ms)
{
    turn_look(host->turn);
    router_tick(host->router, now_ms);
    session_look_at_large(host, now_ms);
    session_look_at_stalled(host, now_ms);
    session_look_at_starved(host, now_ms);
    session_judge_ended(host, now_ms);
    session_look_at_leaving(host, now_ms);
    for (size_t i = 0; i < host->options->group_count; i++)
        session_expire_held(host, i, now_ms);
}

/* ---- what the router tells ---- */

/* Writing to the group's master has to stop. The next master may be one that was restarted. */
static void on_hold(void *data, size_t group)
{
    struct session_host *host = data;
    session_take_back_blocked(host, group);
    session_acquit_suspects(host, group);
    scripts_forget_nodes(host->scripts[group]);
}

static void on_gone(void *data, size_t group, uint64_t node)
{
    struct session_host *host = data;
    scripts_forget_node(host->scripts[group], node);
}

const struct router_events session_router_events = {session_wake, on_hold, on_gone};
