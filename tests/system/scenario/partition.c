/*
 * partition: hosts that are cut off: packets vanish, no RST comes back.
 */
#include "scenario/all.h"

#include "harness/wait.h"

enum { SENTINEL_DEAD_MS = 3000, QUORUM_MS = 5000 };

static void run_black_hole(struct stage *s)
{
    int master = stage_master(s);
    int64_t cut = now_us();
    net_move(&s->trio.net, master, NET_NOWHERE);
    stage_loss(s);
    stage_switch(s, cut);
    stage_flow(s, 1000);
    net_move(&s->trio.net, master, NET_TOGETHER);
}

const struct scenario scenario_black_hole = {
    .name = "black-hole",
    .title = "the master's host is black-holed",
    .run = run_black_hole,
    .trio = {.min_replicas = 1, .partitions = true},
    .limits = {.unknown = 1},
};

/* The proxy, the old master and its Sentinel on one side, everything else on the other. */
static void cut_minority(struct stage *s, int served_ms)
{
    int master = stage_master(s);
    int64_t cut = now_us();
    net_move(&s->trio.net, master, NET_OTHER_SIDE);
    net_move(&s->trio.net, TRIO_MAX, NET_OTHER_SIDE);
    struct switchover seen;
    if (observer_switchover(s->observer, cut, &seen) < 0)
        stage_wrong(s, "the majority does not fail over");
    stage_go_on(s, QUORUM_MS + SENTINEL_DEAD_MS + 3000);
    int64_t healed = now_us();
    net_move(&s->trio.net, master, NET_TOGETHER);
    net_move(&s->trio.net, TRIO_MAX, NET_TOGETHER);
    load_excuse(s->load, cut - 1000000, served_ms ? cut + served_ms * 1000L : healed + 2000000);
    stage_whole(s);
}

static void run_minority_hold(struct stage *s)
{
    cut_minority(s, QUORUM_MS);
}

const struct scenario scenario_minority_hold = {
    .name = "minority-hold",
    .title = "proxy and master in the minority, lose_quorum = hold",
    .run = run_minority_hold,
    .trio = {.partitions = true},
    .proxy = {.master_lines = "lose_quorum = hold\nquorum_timeout = 5s\n"},
    .limits = {.unknown = 1, .refused = true},
};

static void run_minority_serve(struct stage *s)
{
    cut_minority(s, 0);
}

const struct scenario scenario_minority_serve = {
    .name = "minority-serve",
    .title = "proxy and master in the minority, served on",
    .run = run_minority_serve,
    .trio = {.partitions = true},
    .limits = {.unknown = 2},
};
