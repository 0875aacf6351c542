/*
 * router: to which node a request goes, who is given which upstream, and who is woken, over real pools and fake nodes.
 * What a session makes of it: test_session*.c.
 */
#include "base/log.h"
#include "nodes/gate.h"
#include "nodes/hold.h"
#include "nodes/router.h"
#include "threads/shared.h"
#include "unit/fake_node.h"

#define NODES 3

/* A group of a master and two replicas, and one session that waits. */
struct stage {
    struct world *w;
    struct shared *shared;
    struct router *router;
    struct node nodes[NODES];
    struct traffic_group_options group;
    struct traffic_options options;
    struct identity *nobody, *own;
    struct held held;
    int woken, holds, gone;
};

/* What the topology is to say. */
struct scene {
    bool writable;
    unsigned readable; /* one bit for each node */
    unsigned suspect, leaving;
    int master, reader;
    enum group_state state;
    int64_t since_ms;
    uint64_t seq;
};

static const struct scene steady = {
    .writable = true, .readable = 6, .reader = -1, .state = GROUP_STEADY};

static struct stage *the_stage;

static void on_wake(struct held *held)
{
    cr_assert_eq(held, &the_stage->held);
    the_stage->woken++;
}

static void on_hold(void *data, size_t group)
{
    struct stage *s = data;
    cr_assert_eq(group, 0);
    s->holds++;
}

static void on_gone(void *data, size_t group, uint64_t node)
{
    struct stage *s = data;
    (void)group;
    (void)node;
    s->gone++;
}

static const struct router_events events = {on_wake, on_hold, on_gone};

static void show(struct stage *s, struct scene scene)
{
    struct topology *next = topology_new(1);
    struct topology_group *group = &next->groups[0];
    next->seq = scene.seq;
    group->name = s->group.name;
    group->state = scene.state;
    group->since_ms = scene.since_ms;
    group->master = scene.master;
    group->reader = scene.reader;
    group->writable = scene.writable;
    group->node_count = NODES;
    group->nodes = calloc(NODES, sizeof(*group->nodes));
    for (int i = 0; i < NODES; i++) {
        group->nodes[i] = s->nodes[i].view;
        group->nodes[i].up = true;
        group->nodes[i].process = (uint32_t)i + 100;
        group->nodes[i].tenure = 7;
        group->nodes[i].readable = scene.readable >> i & 1;
        group->nodes[i].suspect = scene.suspect >> i & 1;
        group->nodes[i].leaving = scene.leaving >> i & 1;
    }
    router_adopt(s->router, next);
}

static void begin(struct stage *s)
{
    log_set_level(LOG_ERROR);
    memset(s, 0, sizeof(*s));
    the_stage = s;
    s->w = world_new();
    for (int i = 0; i < NODES; i++)
        node_begin(&s->nodes[i], (uint64_t)i + 1);
    s->group = (struct traffic_group_options){.name = "mymaster",
                                              .hold_timeout_ms = 60000,
                                              .hold_memory = 1000,
                                              .connect_timeout_ms = 5000};
    s->options = (struct traffic_options){.groups = &s->group, .group_count = 1};
    s->shared = shared_new(1, 1, 1);
    s->router = router_new(&s->w->turn, &s->options, s->shared, 0, &events, s);
    s->nobody = identity_nobody(router_identities(s->router));
    s->own = identity_own(router_identities(s->router));
    held_init(&s->held);
}

static void end(struct stage *s)
{
    hold_leave(&s->held);
    router_close(s->router);
    cr_assert(router_empty(s->router));
    identity_release(s->nobody);
    identity_release(s->own);
    until(!uv_loop_alive(&s->w->loop), world_turn(s->w));
    router_free(s->router);
    shared_free(s->shared);
    world_end(s->w);
    for (int i = 0; i < NODES; i++)
        node_end(&s->nodes[i]);
}

static struct place place_of(struct stage *s, enum route route)
{
    struct traffic_listener_options listener = {.route = route};
    struct place place;

    router_place(&place, &listener, &s->held);
    return place;
}

static uint64_t node_for(struct stage *s, struct place *place, enum target_role role)
{
    const struct upstream *up = router_shared(s->router, place, role, s->own);

    return up ? upstream_node(up) : 0;
}

/* ---- choosing ---- */

Test(router, before_the_first_topology_there_is_no_node)
{
    struct stage s;
    begin(&s);
    struct place place = place_of(&s, ROUTE_MASTER);

    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 0);
    cr_assert_eq(place.entry, ENTRY_NONE);
    cr_assert_eq(router_seq(s.router), 0);
    cr_assert_null(router_view(s.router, 0));
    end(&s);
}

Test(router, a_master_is_used_while_it_may_be_written_to)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);
    struct place place = place_of(&s, ROUTE_MASTER);

    scene.seq = 3;
    show(&s, scene);
    cr_assert_eq(router_seq(s.router), 3);
    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 1);
    cr_assert_eq(s.holds, 0);
    scene.writable = false;
    show(&s, scene);
    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 0);
    cr_assert_eq(s.holds, 1, "writing stops");
    show(&s, scene);
    cr_assert_eq(s.holds, 1, "it had stopped before");
    scene.writable = true;
    scene.suspect = 1;
    show(&s, scene);
    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 0);
    scene.suspect = 0;
    scene.master = -1;
    show(&s, scene);
    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 0);
    end(&s);
}

Test(router, sessions_spread_evenly_over_replicas_and_stay)
{
    struct stage s;
    struct place places[4];
    int at[NODES + 1] = {0};
    begin(&s);

    show(&s, steady);
    for (int i = 0; i < 4; i++) {
        places[i] = place_of(&s, ROUTE_REPLICA);
        at[node_for(&s, &places[i], TARGET_REPLICA)]++;
    }
    cr_assert_eq(at[2], 2);
    cr_assert_eq(at[3], 2);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(node_for(&s, &places[i], TARGET_REPLICA), places[i].replica);
    /* Both of one replica leave: the next two come there. */
    for (int i = 0; i < 4; i++)
        if (places[i].replica == 2)
            router_leave_replica(s.router, &places[i]);
    for (int i = 0; i < 4; i++)
        if (!places[i].replica)
            cr_assert_eq(node_for(&s, &places[i], TARGET_REPLICA), 2);
    end(&s);
}

Test(router, among_equals_the_next_in_turn_is_chosen)
{
    struct stage s;
    uint64_t last = 0;
    begin(&s);

    show(&s, steady);
    for (int i = 0; i < 6; i++) {
        struct place place = place_of(&s, ROUTE_REPLICA);
        uint64_t node = node_for(&s, &place, TARGET_REPLICA);

        cr_assert_neq(node, last);
        last = node;
        router_leave_replica(s.router, &place);
    }
    end(&s);
}

Test(router, a_replica_that_cannot_be_read_is_left)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);
    struct place place = place_of(&s, ROUTE_REPLICA);

    show(&s, scene);
    router_join_replica(s.router, &place, 3);
    cr_assert_eq(node_for(&s, &place, TARGET_REPLICA), 3);
    scene.readable = 2;
    show(&s, scene);
    cr_assert_eq(node_for(&s, &place, TARGET_REPLICA), 2);
    cr_assert_eq(place.replica, 2);
    scene.readable = 0;
    show(&s, scene);
    cr_assert_eq(node_for(&s, &place, TARGET_REPLICA), 1, "the master, where there is no replica");
    cr_assert_eq(place.replica, 0);
    scene.writable = false;
    show(&s, scene);
    cr_assert_eq(node_for(&s, &place, TARGET_REPLICA), 0);
    scene.reader = 0;
    show(&s, scene);
    const struct upstream *up = router_shared(s.router, &place, TARGET_REPLICA, s.own);
    cr_assert_eq(upstream_node(up), 1, "a master that serves reads only");
    cr_assert_eq(upstream_purpose(up), PURPOSE_REPLICA);
    end(&s);
}

Test(router, an_upstream_is_found_by_its_process)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);
    struct place to_master = place_of(&s, ROUTE_MASTER), to_any = place_of(&s, ROUTE_SPLIT);

    show(&s, scene);
    cr_assert_eq(upstream_node(router_shared_of(s.router, &to_any, 102, s.own)), 3);
    cr_assert_eq(upstream_node(router_shared_of(s.router, &to_any, 100, s.own)), 1);
    cr_assert_null(router_shared_of(s.router, &to_any, 99, s.own));
    cr_assert_null(router_shared_of(s.router, &to_master, 102, s.own));
    cr_assert_eq(upstream_node(router_shared_of(s.router, &to_master, 100, s.own)), 1);
    scene.writable = false;
    scene.readable = 2;
    show(&s, scene);
    cr_assert_null(router_shared_of(s.router, &to_any, 100, s.own));
    cr_assert_null(router_shared_of(s.router, &to_any, 102, s.own));
    end(&s);
}

/* ---- lending ---- */

Test(router, what_was_given_is_given_again_until_something_changes)
{
    struct stage s;
    begin(&s);
    struct place place = place_of(&s, ROUTE_MASTER);

    show(&s, steady);
    struct upstream *up = router_shared(s.router, &place, TARGET_MASTER, s.own);
    cr_assert_eq(router_shared(s.router, &place, TARGET_MASTER, s.own), up);
    cr_assert_neq(router_shared(s.router, &place, TARGET_MASTER, s.nobody), up,
                  "of another identity");
    up = router_shared(s.router, &place, TARGET_MASTER, s.own);
    upstream_retire(up, "the test retires it");
    cr_assert_neq(router_shared(s.router, &place, TARGET_MASTER, s.own), up);
    end(&s);
}

static void on_lost(void *data)
{
    ++*(int *)data;
}

Test(router, a_lease_may_be_written_to_as_long_as_its_node_may)
{
    struct stage s;
    struct scene scene = steady;
    int lost = 0;
    begin(&s);
    struct place place = place_of(&s, ROUTE_SPLIT);

    show(&s, scene);
    struct upstream *lease = router_lease(s.router, &place, TARGET_MASTER, s.own, on_lost, &lost);
    cr_assert_not_null(lease);
    cr_assert(router_may_write(s.router, lease));
    cr_assert(router_may_send(s.router, lease));
    router_rejected(s.router, 0, lease, true);
    cr_assert(router_may_write(s.router, lease));
    cr_assert_not(lease->retired, "a lease is its holder's");
    s.w->loop.time += 1; /* the first time a node is tried again at once */
    router_rejected(s.router, 0, lease, true);
    cr_assert_not(router_may_send(s.router, lease), "its node rejected twice");
    scene.suspect = 1;
    show(&s, scene);
    cr_assert_not(router_may_write(s.router, lease));
    scene.suspect = 0;
    scene.writable = false;
    show(&s, scene);
    cr_assert_not(router_may_write(s.router, lease));
    router_return(s.router, lease, false);
    cr_assert_eq(lost, 0, "its holder knows");
    end(&s);
}

Test(router, a_shared_one_whose_node_is_no_master_is_retired)
{
    struct stage s;
    struct asked asked;
    begin(&s);
    struct place place = place_of(&s, ROUTE_MASTER);

    show(&s, steady);
    struct upstream *up = router_shared(s.router, &place, TARGET_MASTER, s.own);
    int fd = node_admit(s.w, &s.nodes[0], "master", false);
    until(up->state == UPSTREAM_READY, world_turn(s.w));
    ask(s.w, &asked, up, "x");
    node_hears(s.w, fd, "x");
    router_rejected(s.router, 0, up, false);
    cr_assert_not(up->retired);
    router_rejected(s.router, 0, up, true);
    cr_assert(up->retired);
    node_says(fd, ":1\r\n");
    node_hears_the_end(s.w, fd);
    was_answered(&asked, ":1\r\n");
    close(fd);
    end(&s);
}

/* ---- waiting ---- */

Test(router, each_topology_wakes_those_who_wait)
{
    struct stage s;
    begin(&s);

    show(&s, steady);
    cr_assert_eq(s.woken, 0, "nobody waits");
    hold_enter(router_hold(s.router, 0), &s.held, 10, 0);
    show(&s, steady);
    cr_assert_eq(s.woken, 1);
    end(&s);
}

Test(router, who_waits_is_woken_when_the_node_may_be_tried_again)
{
    struct stage s;
    begin(&s);
    struct place place = place_of(&s, ROUTE_MASTER);

    show(&s, steady);
    struct upstream *up = router_shared(s.router, &place, TARGET_MASTER, s.own);
    hold_enter(router_hold(s.router, 0), &s.held, 10, 0);
    for (int i = 0; i < 3; i++)
        router_rejected(s.router, 0, up, false);
    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 0, "it rejected");
    s.woken = 0;
    until(s.woken > 0, world_turn(s.w));
    cr_assert_eq(node_for(&s, &place, TARGET_MASTER), 1);
    end(&s);
}

Test(router, a_master_is_quiet_when_no_write_to_it_is_unanswered)
{
    struct stage s;
    struct asked asked;
    struct scene scene = steady;
    begin(&s);
    struct place place = place_of(&s, ROUTE_MASTER);

    cr_assert(router_is_quiet(s.router));
    show(&s, scene);
    struct upstream *up = router_shared(s.router, &place, TARGET_MASTER, s.own);
    int fd = node_admit(s.w, &s.nodes[0], "master", false);
    until(up->state == UPSTREAM_READY, world_turn(s.w));
    ask(s.w, &asked, up, "x");
    asked.request->write = true;
    node_hears(s.w, fd, "x");
    cr_assert(router_is_quiet(s.router), "writes are not held");
    scene.writable = false;
    scene.state = GROUP_SWITCHING;
    show(&s, scene);
    cr_assert_not(router_is_quiet(s.router));
    node_says(fd, ":1\r\n");
    until(asked.completed, world_turn(s.w));
    cr_assert(router_is_quiet(s.router));
    close(fd);
    end(&s);
}

Test(router, writes_wait_where_a_client_has_asked_for_it)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);

    show(&s, scene);
    int64_t now = turn_now(&s.w->turn);
    cr_assert_not(router_do_writes_wait(s.router, 0));
    router_writes_wait(s.router, 0, 1, now + 50);
    cr_assert(router_do_writes_wait(s.router, 0));
    router_writes_wait(s.router, 0, 2, now + 50);
    cr_assert_not(router_do_writes_wait(s.router, 0), "it is not the master");
    router_writes_wait(s.router, 0, 1, now);
    cr_assert_not(router_do_writes_wait(s.router, 0), "the time is over");
    router_writes_wait(s.router, 0, 1, now + 50);
    scene.master = -1;
    show(&s, scene);
    cr_assert_not(router_do_writes_wait(s.router, 0));
    end(&s);
}

/* ---- publishing ---- */

Test(router, a_message_waits_for_subscriptions_after_a_switch)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);

    scene.seq = 1;
    show(&s, scene);
    cr_assert(router_may_publish(s.router, 0));
    router_subscriber_lost(s.router, 0);
    scene.writable = false;
    scene.seq = 2;
    show(&s, scene);
    cr_assert(router_may_publish(s.router, 0), "it is held anyway");
    scene.writable = true;
    scene.seq = 3;
    show(&s, scene);
    hold_enter(router_hold(s.router, 0), &s.held, 10, 0);
    cr_assert_not(router_may_publish(s.router, 0));
    s.woken = 0;
    router_let_publish(s.router);
    cr_assert_eq(s.woken, 0);
    router_subscriber_renewed(s.router, 0);
    router_let_publish(s.router);
    cr_assert_eq(s.woken, 1);
    cr_assert(router_may_publish(s.router, 0));
    end(&s);
}

Test(router, a_message_does_not_wait_for_ever)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);

    log_set_level(LOG_ERROR);
    show(&s, scene);
    router_subscriber_lost(s.router, 0);
    scene.writable = false;
    show(&s, scene);
    scene.writable = true;
    scene.seq = 3;
    show(&s, scene);
    hold_enter(router_hold(s.router, 0), &s.held, 10, 0);
    cr_assert_not(router_may_publish(s.router, 0));
    int64_t now = turn_now(&s.w->turn);
    s.woken = 0;
    router_tick(s.router, now + GATE_MS - 1);
    cr_assert_eq(s.woken, 0);
    router_tick(s.router, now + GATE_MS);
    cr_assert_eq(s.woken, 1);
    cr_assert(router_may_publish(s.router, 0));
    router_subscriber_renewed(s.router, 0);
    end(&s);
}

/* ---- what is known of a node ---- */

Test(router, a_node_is_what_it_was_while_nothing_changed_in_its_group)
{
    struct stage s;
    struct scene scene = steady;
    begin(&s);
    struct ended at_master = {.node = 1, .tenure = 7, .purpose = PURPOSE_MASTER, .at_ms = 5000};
    struct ended at_replica = {.node = 2, .tenure = 7, .purpose = PURPOSE_REPLICA, .at_ms = 5000};

    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master), "nothing is known");
    cr_assert_not(router_is_settled(s.router, 0));
    show(&s, scene);
    cr_assert(router_node_is_unchanged(s.router, 0, &at_master));
    cr_assert(router_node_is_unchanged(s.router, 0, &at_replica));
    cr_assert(router_is_settled(s.router, 0));
    at_master.tenure = 8;
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master), "another process");
    at_master.tenure = 7;
    at_master.node = 9;
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master), "it is not known");
    at_master.node = 2;
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master), "it is no master");
    at_master.node = 1;
    scene.since_ms = 4001;
    show(&s, scene);
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master), "a change just before");
    scene.since_ms = 4000;
    show(&s, scene);
    cr_assert(router_node_is_unchanged(s.router, 0, &at_master));
    scene.leaving = 1;
    show(&s, scene);
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master), "it is shutting down");
    scene.leaving = 0;
    scene.readable = 4;
    show(&s, scene);
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_replica), "it is not read from");
    scene.readable = 6;
    scene.suspect = 2;
    show(&s, scene);
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_replica), "it is silent");
    scene.suspect = 0;
    scene.state = GROUP_SWITCHING;
    show(&s, scene);
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master));
    scene.state = GROUP_STEADY;
    scene.writable = false;
    show(&s, scene);
    cr_assert_not(router_node_is_unchanged(s.router, 0, &at_master));
    cr_assert_not(router_is_settled(s.router, 0));
    end(&s);
}

Test(router, a_master_that_refuses_the_proxy_is_told_when_patience_is_over)
{
    struct stage s;
    struct scene scene = steady;
    char text[300];
    begin(&s);
    struct refusals *refusals = board_refusals(s.w->turn.board);

    cr_assert_null(router_refusal(s.router, 0, text, sizeof(text)));
    show(&s, scene);
    cr_assert_null(router_refusal(s.router, 0, text, sizeof(text)));
    refusals_note(refusals, 0, 2, "of a replica", clock_ms(), 0);
    cr_assert_null(router_refusal(s.router, 0, text, sizeof(text)));
    refusals_note(refusals, 0, 1, "go away", clock_ms(), 60000);
    cr_assert_null(router_refusal(s.router, 0, text, sizeof(text)), "it may change its mind");
    refusals_clear(refusals, 0, 1);
    refusals_note(refusals, 0, 1, "go away", clock_ms(), 0);
    cr_assert_str_eq(router_refusal(s.router, 0, text, sizeof(text)),
                     "node-1 refuses the proxy: go away");
    scene.writable = false;
    show(&s, scene);
    cr_assert_null(router_refusal(s.router, 0, text, sizeof(text)), "it is waited for anyway");
    scene.master = -1;
    show(&s, scene);
    cr_assert_null(router_refusal(s.router, 0, text, sizeof(text)));
    end(&s);
}

/* ---- the proxy's own ---- */

static int copies_answered;

static void on_copy_reply(struct request *request, const char *data, size_t len, bool first,
                          bool last)
{
    struct stage *s = request->owner_data;
    (void)data;
    (void)len;
    (void)first;
    cr_assert(last);
    copies_answered++;
    request_free(&s->w->turn.requests, request);
}

static void on_copy_failed(struct request *request, enum request_failure why, const char *text)
{
    struct stage *s = request->owner_data;
    (void)why;
    (void)text;
    request_free(&s->w->turn.requests, request);
}

static const struct request_owner copy_owner = {on_copy_reply, on_copy_failed, NULL};

Test(router, a_copy_goes_to_every_other_node)
{
    struct stage s;
    begin(&s);
    struct place place = place_of(&s, ROUTE_SPLIT);
    int fds[NODES];

    copies_answered = 0;
    show(&s, steady);
    struct upstream *master = router_shared(s.router, &place, TARGET_MASTER, s.own);
    struct request *request = request_new(&s.w->turn.requests, 1);
    request_set_bytes(request, "x", 1);
    cr_assert_eq(
        router_send_everywhere(s.router, 0, false, s.own, master, request, &copy_owner, &s), 2);
    request_free(&s.w->turn.requests, request);
    for (int i = 1; i < NODES; i++) {
        fds[i] = node_admit(s.w, &s.nodes[i], "slave", false);
        node_hears(s.w, fds[i], "x");
        node_says(fds[i], "+OK\r\n");
    }
    until(copies_answered == 2, world_turn(s.w));
    for (int i = 1; i < NODES; i++)
        close(fds[i]);
    end(&s);
}

Test(router, a_question_goes_to_a_node_as_the_proxy)
{
    struct stage s;
    begin(&s);
    struct place place = place_of(&s, ROUTE_REPLICA);

    copies_answered = 0;
    cr_assert_not(router_ask(s.router, &place, TARGET_MASTER, "x", 1, &copy_owner, &s));
    show(&s, steady);
    cr_assert(router_ask(s.router, &place, TARGET_MASTER, "x", 1, &copy_owner, &s));
    int fd = node_admit(s.w, &s.nodes[0], "master", false);
    node_hears(s.w, fd, "x");
    node_says(fd, "+OK\r\n");
    until(copies_answered == 1, world_turn(s.w));
    close(fd);
    end(&s);
}
