/* host: see the header. */
#include "session/host.h"

#include "session/ahead.h"
#include "session/blocking.h"
#include "session/dispatch.h"
#include "session/ended.h"
#include "session/held.h"
#include "session/large.h"
#include "session/life.h"
#include "session/output.h"
#include "session/starved.h"

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
    while ((node = turn->dirty_upstreams.next) != &turn->dirty_upstreams)
        upstream_flush(container_of(node, struct upstream, in_turn));
}

void session_host_turn(struct session_host *host)
{
    struct turn *turn = host->turn;
    if (!list_empty(&host->stop.waiting))
        relays_retry(&host->stop);
    do {
        session_host_adopt(host);
        router_let_publish(host->router);
        session_run_woken(&turn->woken);
        flush_upstreams(turn);
        session_flush_dirty(&turn->dirty_sessions);
        if (host->budget_spent)
            session_feed_starved(host);
        /* A write that failed wakes those whose requests were on it. */
    } while (!list_empty(&turn->woken) || !list_empty(&turn->dirty_upstreams) ||
             !list_empty(&turn->dirty_sessions));
}

/* ---- each tick ---- */

void session_host_tick(struct session_host *host, int64_t now_ms)
{
    router_tick(host->router, now_ms);
    session_look_at_large(host, now_ms);
    session_look_at_stalled(host, now_ms);
    session_look_at_starved(host, now_ms);
    session_judge_ended(host, now_ms);
    for (size_t i = 0; i < host->options->group_count; i++)
        session_expire_held(router_hold(host->router, i), now_ms);
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
