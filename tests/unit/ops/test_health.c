/*
 * health: which state of the groups and of the loops gives which answer, at
 * which instant.
 */
#include "ops/health.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1000000

/* A group of three nodes on a stage of its own, to be changed by a test. */
struct stage {
    struct topology_node nodes[3];
    struct topology_group group;
    struct topology topology;
    struct traffic_group_options options;
    struct health_loop loops[2];
    struct health_view view;
};

static void set(struct stage *s)
{
    *s = (struct stage){
        .nodes = {{.id = 1, .name = "10.0.0.1:6379", .up = true},
                  {.id = 2, .name = "10.0.0.2:6379", .readable = true},
                  {.id = 3, .name = "10.0.0.3:6379"}},
        .group = {.name = "mymaster",
                  .state = GROUP_STEADY,
                  .writable = true,
                  .reader = -1,
                  .since_ms = NOW - 5000,
                  .node_count = 3},
        .options = {.name = "mymaster", .hold_timeout_ms = 20000},
        .loops = {{"the control plane", NOW - 900}, {"a worker", NOW - 2000}},
    };
    s->group.nodes = s->nodes;
    s->topology = (struct topology){.seq = 1, .group_count = 1, .groups = &s->group};
    s->view = (struct health_view){.now = NOW,
                                   .wall = 1795366321123,
                                   .loops = s->loops,
                                   .loop_count = 2,
                                   .topology = &s->topology,
                                   .groups = &s->options};
}

static void answers(unsigned (*question)(const struct health_view *, char **),
                    const struct stage *stage, unsigned wanted, const char *wanted_json)
{
    char *json;
    unsigned status = question(&stage->view, &json);

    cr_assert_eq(status, wanted, "%u: %s", status, json);
    cr_assert_not_null(strstr(json, wanted_json), "wanted %s: %s", wanted_json, json);
    free(json);
}

/* A group that lost everything `ms` ago. */
static void lose_all(struct stage *s, int64_t ms)
{
    s->group.state = GROUP_NONE;
    s->group.master = -1;
    s->group.writable = false;
    s->nodes[1].readable = false;
    s->group.since_ms = NOW - ms;
}

Test(health, a_steady_group_is_ready_and_shown_whole)
{
    struct stage s;

    set(&s);
    answers(health_ready, &s, 200,
            "{\"status\":\"ready\",\"groups\":[{\"group\":\"mymaster\",\"state\":\"steady\","
            "\"master\":\"10.0.0.1:6379\",\"writable\":true,\"replicas\":["
            "{\"address\":\"10.0.0.2:6379\",\"readable\":true},"
            "{\"address\":\"10.0.0.3:6379\",\"readable\":false}],"
            "\"since\":\"2026-11-22T16:51:56.123Z\"}]}");
}

Test(health, a_switch_is_held_and_stays_ready)
{
    struct stage s;

    set(&s);
    lose_all(&s, 20000);
    s.group.state = GROUP_SWITCHING;
    answers(health_ready, &s, 200, "\"status\":\"holding\"");
    s.group.since_ms--;
    strcpy(s.group.reason, "+elected-leader");
    answers(health_ready, &s, 503,
            "\"reason\":\"nothing to serve for mymaster since 20001 ms: +elected-leader\"");
}

Test(health, without_a_master_readers_are_served)
{
    struct stage s;

    set(&s);
    lose_all(&s, 60000);
    answers(health_ready, &s, 503, "\"master\":null");
    s.nodes[2].readable = true;
    answers(health_ready, &s, 200, "\"status\":\"ready\"");
}

/* A front takes the probe's connections for it: it is not suspect, and does not answer either. */
Test(health, a_master_that_does_not_answer_serves_nobody)
{
    struct stage s;

    set(&s);
    s.nodes[1].readable = false;
    s.nodes[0].up = false;
    answers(health_ready, &s, 200, "\"status\":\"holding\"");
    s.group.since_ms = NOW - 20001;
    answers(health_ready, &s, 503, "nothing to serve for mymaster since 20001 ms");
}

Test(health, one_serving_group_is_enough)
{
    struct topology_group groups[2];
    struct traffic_group_options options[2] = {{.hold_timeout_ms = 10}, {.hold_timeout_ms = 10}};
    struct stage s;

    set(&s);
    groups[1] = s.group;
    lose_all(&s, 60000);
    groups[0] = s.group;
    groups[1].name = "other";
    s.topology.group_count = 2;
    s.topology.groups = groups;
    s.view.groups = options;
    answers(health_ready, &s, 200, "\"status\":\"ready\"");
    groups[1].writable = false;
    answers(health_ready, &s, 503, "nothing to serve for other since 5000 ms");
}

Test(health, draining_is_not_ready_but_alive)
{
    struct stage s;

    set(&s);
    s.view.draining = true;
    answers(health_ready, &s, 503, "\"status\":\"draining\"");
    answers(health_alive, &s, 200, "\"status\":\"ok\"");
}

Test(health, a_loop_that_does_not_turn_is_named)
{
    struct stage s;

    set(&s);
    s.loops[1].last_turn--;
    answers(health_alive, &s, 503, "\"reason\":\"a worker has not turned for 2001 ms\"");
    s.loops[0].last_turn = NOW - 3000;
    answers(health_alive, &s, 503, "\"reason\":\"the control plane has not turned for 3000 ms\"");
}

/* What no hold can outwait is said at once, whatever the probes say; what may end soon is waited for. */
Test(health, a_master_that_refuses_the_proxy)
{
    struct stage s;

    set(&s);
    s.view.refusals = refusals_new();
    (void)refusals_note(s.view.refusals, 0, 1, "WRONGPASS no", NOW - 100, 500);
    answers(health_ready, &s, 200, "\"writable\":false");
    (void)refusals_note(s.view.refusals, 0, 1, "WRONGPASS no", NOW - 50, 0);
    answers(health_ready, &s, 503, "10.0.0.1:6379 refuses the proxy: WRONGPASS no");
    (void)refusals_clear(s.view.refusals, 0, 1);
    (void)refusals_note(s.view.refusals, 0, 2, "ERR max", NOW - 50, 0);
    answers(health_ready, &s, 200, "\"readable\":false,\"refuses\":\"ERR max\"");
    refusals_free(s.view.refusals);
}
