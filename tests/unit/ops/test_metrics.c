/*
 * metrics: the text that a scraper gets for a snapshot, to the byte.
 */
#include "ops/metrics.h"
#include "ops/metrics_text.h"
#include "redis/command.h"
#include "threads/counters.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void gives(struct topology_group *groups, size_t count, const char *wanted)
{
    struct topology topology = {.seq = 1, .group_count = count, .groups = groups};
    char *text = metrics_text(&(struct metrics_view){.topology = &topology}, false);

    cr_assert_str_eq(text, wanted);
    free(text);
}

static void shows(struct topology_group *groups, size_t count, const char *wanted)
{
    struct topology topology = {.seq = 1, .group_count = count, .groups = groups};
    char *text = metrics_text(&(struct metrics_view){.topology = &topology}, false);

    cr_assert_not_null(strstr(text, wanted), "wanted %s:\n%s", wanted, text);
    free(text);
}

Test(metrics, a_steady_group_and_its_nodes)
{
    struct topology_node nodes[] = {
        {.id = 1, .name = "10.0.0.1:6379", .up = true},
        {.id = 2, .name = "10.0.0.2:6379", .up = true, .readable = true},
        {.id = 3, .name = "10.0.0.3:6379", .suspect = true},
    };
    struct topology_group group = {.name = "mymaster",
                                   .state = GROUP_STEADY,
                                   .writable = true,
                                   .quorum = true,
                                   .epoch = 17,
                                   .node_count = 3,
                                   .nodes = nodes};

    gives(
        &group, 1,
        "# HELP redisproxy_log_dropped_total Lines that are not in the log: it was not read fast "
        "enough, or too "
        "many of a kind.\n"
        "# TYPE redisproxy_log_dropped_total counter\n"
        "redisproxy_log_dropped_total{reason=\"queue\"} 0\n"
        "redisproxy_log_dropped_total{reason=\"kind\"} 0\n"
        "# HELP redisproxy_group_state Whether the group is in this state.\n"
        "# TYPE redisproxy_group_state gauge\n"
        "redisproxy_group_state{group=\"mymaster\",state=\"none\"} 0\n"
        "redisproxy_group_state{group=\"mymaster\",state=\"steady\"} 1\n"
        "redisproxy_group_state{group=\"mymaster\",state=\"switching\"} 0\n"
        "redisproxy_group_state{group=\"mymaster\",state=\"provisional\"} 0\n"
        "# HELP redisproxy_group_writable Whether requests are written to the group's master "
        "now.\n"
        "# TYPE redisproxy_group_writable gauge\n"
        "redisproxy_group_writable{group=\"mymaster\"} 1\n"
        "# HELP redisproxy_group_quorum Whether a majority of the group's Sentinels names one "
        "master.\n"
        "# TYPE redisproxy_group_quorum gauge\n"
        "redisproxy_group_quorum{group=\"mymaster\"} 1\n"
        "# HELP redisproxy_group_epoch Sentinel's config-epoch of the master.\n"
        "# TYPE redisproxy_group_epoch gauge\n"
        "redisproxy_group_epoch{group=\"mymaster\"} 17\n"
        "# HELP redisproxy_node_master Whether the node is its group's master.\n"
        "# TYPE redisproxy_node_master gauge\n"
        "redisproxy_node_master{group=\"mymaster\",node=\"10.0.0.1:6379\"} 1\n"
        "redisproxy_node_master{group=\"mymaster\",node=\"10.0.0.2:6379\"} 0\n"
        "redisproxy_node_master{group=\"mymaster\",node=\"10.0.0.3:6379\"} 0\n"
        "# HELP redisproxy_node_up Whether the node answers the proxy's probe.\n"
        "# TYPE redisproxy_node_up gauge\n"
        "redisproxy_node_up{group=\"mymaster\",node=\"10.0.0.1:6379\"} 1\n"
        "redisproxy_node_up{group=\"mymaster\",node=\"10.0.0.2:6379\"} 1\n"
        "redisproxy_node_up{group=\"mymaster\",node=\"10.0.0.3:6379\"} 0\n"
        "# HELP redisproxy_node_suspect Whether the node is silent or refuses connections.\n"
        "# TYPE redisproxy_node_suspect gauge\n"
        "redisproxy_node_suspect{group=\"mymaster\",node=\"10.0.0.1:6379\"} 0\n"
        "redisproxy_node_suspect{group=\"mymaster\",node=\"10.0.0.2:6379\"} 0\n"
        "redisproxy_node_suspect{group=\"mymaster\",node=\"10.0.0.3:6379\"} 1\n"
        "# HELP redisproxy_node_readable Whether the node is a replica that serves reads.\n"
        "# TYPE redisproxy_node_readable gauge\n"
        "redisproxy_node_readable{group=\"mymaster\",node=\"10.0.0.1:6379\"} 0\n"
        "redisproxy_node_readable{group=\"mymaster\",node=\"10.0.0.2:6379\"} 1\n"
        "redisproxy_node_readable{group=\"mymaster\",node=\"10.0.0.3:6379\"} 0\n"
        "# HELP redisproxy_node_refuses Whether the node lets no new connection of the proxy in.\n"
        "# TYPE redisproxy_node_refuses gauge\n"
        "redisproxy_node_refuses{group=\"mymaster\",node=\"10.0.0.1:6379\"} 0\n"
        "redisproxy_node_refuses{group=\"mymaster\",node=\"10.0.0.2:6379\"} 0\n"
        "redisproxy_node_refuses{group=\"mymaster\",node=\"10.0.0.3:6379\"} 0\n");
}

/* A gauge's lines stand together, whatever the group. */
Test(metrics, several_groups_without_a_master)
{
    struct topology_node node = {.id = 1, .name = "[::1]:6379"};
    struct topology_group groups[] = {
        {.name = "one", .master = -1, .node_count = 1, .nodes = &node},
        {.name = "two", .state = GROUP_SWITCHING, .master = -1, .quorum = true}};

    shows(groups, 2,
          "redisproxy_group_state{group=\"one\",state=\"none\"} 1\n"
          "redisproxy_group_state{group=\"one\",state=\"steady\"} 0\n"
          "redisproxy_group_state{group=\"one\",state=\"switching\"} 0\n"
          "redisproxy_group_state{group=\"one\",state=\"provisional\"} 0\n"
          "redisproxy_group_state{group=\"two\",state=\"none\"} 0\n"
          "redisproxy_group_state{group=\"two\",state=\"steady\"} 0\n"
          "redisproxy_group_state{group=\"two\",state=\"switching\"} 1\n");
    shows(groups, 2,
          "redisproxy_group_quorum{group=\"one\"} 0\nredisproxy_group_quorum{group=\"two\"} 1\n");
    shows(groups, 2, "redisproxy_node_master{group=\"one\",node=\"[::1]:6379\"} 0\n# HELP");
}

Test(metrics, labels_are_escaped)
{
    struct topology_group group = {.name = "a\"b\\c\nd", .master = -1};

    shows(&group, 1, "redisproxy_group_writable{group=\"a\\\"b\\\\c\\nd\"} 0\n");
}

/* Each worker's number stands under its own label. */
Test(metrics, what_the_workers_hold)
{
    static const struct worker_gauges workers[] = {
        {.sessions = 3, .upstreams = 2, .held = 1, .held_bytes = 4000},
        {.sessions = 50, .upstreams = 7, .unrenewed = 5, .early = 2}};
    struct topology topology = {.seq = 1};
    const struct metrics_view view = {.topology = &topology, .gauges = workers, .worker_count = 2};
    char *text = metrics_text(&view, false);

    static const char *const wanted[] = {"# HELP redisproxy_sessions Client connections.\n"
                                         "# TYPE redisproxy_sessions gauge\n"
                                         "redisproxy_sessions{worker=\"0\"} 3\n"
                                         "redisproxy_sessions{worker=\"1\"} 50\n",
                                         "# TYPE redisproxy_upstreams gauge\n"
                                         "redisproxy_upstreams{worker=\"0\"} 2\n"
                                         "redisproxy_upstreams{worker=\"1\"} 7\n",
                                         "# TYPE redisproxy_held_sessions gauge\n"
                                         "redisproxy_held_sessions{worker=\"0\"} 1\n"
                                         "redisproxy_held_sessions{worker=\"1\"} 0\n",
                                         "# TYPE redisproxy_held_bytes gauge\n"
                                         "redisproxy_held_bytes{worker=\"0\"} 4000\n"
                                         "redisproxy_held_bytes{worker=\"1\"} 0\n"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        cr_assert_not_null(strstr(text, wanted[i]), "wanted %s:\n%s", wanted[i], text);
    cr_assert_not_null(strstr(text, "redisproxy_unrenewed_subscribers{worker=\"1\"} 5\n"), "%s",
                       text);
    cr_assert_not_null(strstr(text, "# TYPE redisproxy_early_publish_total counter\n"
                                    "redisproxy_early_publish_total{worker=\"0\"} 0\n"
                                    "redisproxy_early_publish_total{worker=\"1\"} 2\n"),
                       "%s", text);
    free(text);
}

/* ---- what the workers count ---- */

static const struct traffic_group_options group = {.name = "mymaster"};

struct counted {
    struct traffic_listener_options listener;
    struct traffic_options options;
    struct counters *workers[2];
    struct topology topology;
};

static struct metrics_view counted(struct counted *c)
{
    memset(c, 0, sizeof(*c));
    cr_assert_eq(address_from_number(&c->listener.address, "127.0.0.1", 6379), 0);
    c->options = (struct traffic_options){
        .groups = &group, .group_count = 1, .listeners = &c->listener, .listener_count = 1};
    for (int i = 0; i < 2; i++)
        c->workers[i] = counters_new(1, 1);
    return (struct metrics_view){.topology = &c->topology,
                                 .options = &c->options,
                                 .counters = c->workers,
                                 .worker_count = 2};
}

static void counted_end(struct counted *c)
{
    for (int i = 0; i < 2; i++)
        counters_free(c->workers[i]);
}

static const struct command *command(const char *name)
{
    return command_find((struct slice){name, strlen(name)}, (struct slice){NULL, 0});
}

static void has(const char *text, const char *line)
{
    cr_expect_not_null(strstr(text, line), "wanted %s:\n%s", line, text);
}

Test(metrics, requests_of_all_workers_are_one_sum)
{
    struct counted c;
    struct metrics_view view = counted(&c);
    const struct command *get = command("get");
    counters_note_at_once(c.workers[0]->listeners[0].commands, get->number, 100);
    counters_note_at_once(c.workers[1]->listeners[0].commands, get->number, 63);
    counters_note_other(&c.workers[1]->listeners[0],
                        &(struct counted_request){.command = get->number,
                                                  .class = COMMAND_CLASS_READ,
                                                  .result = RESULT_ERROR,
                                                  .whole = 1000});
    counters_note_other(&c.workers[1]->listeners[0],
                        &(struct counted_request){.class = COMMAND_CLASS_OTHER,
                                                  .result = RESULT_LIMIT,
                                                  .whole = HISTOGRAM_OVER,
                                                  .node = 5,
                                                  .was_sent = true});
    char *text = metrics_text(&view, false);
#define OF "listener=\"127.0.0.1:6379\","
    has(text, "\nredisproxy_requests_total{" OF "command=\"get\",result=\"ok\"} 2\n");
    has(text, "\nredisproxy_requests_total{" OF "command=\"get\",result=\"error\"} 1\n");
    has(text, "\nredisproxy_requests_total{" OF "command=\"other\",result=\"refused_limit\"} 1\n");
#define WHOLE "\nredisproxy_request_duration_seconds"
    has(text, WHOLE "_bucket{" OF "class=\"read\",le=\"0.0001\"} 1\n");
    has(text, WHOLE "_bucket{" OF "class=\"read\",le=\"0.0002\"} 2\n");
    has(text, WHOLE "_bucket{" OF "class=\"read\",le=\"0.0016\"} 3\n");
    has(text, WHOLE "_bucket{" OF "class=\"read\",le=\"+Inf\"} 3\n");
    has(text, WHOLE "_count{" OF "class=\"read\"} 3\n");
    has(text, WHOLE "_bucket{" OF "class=\"other\",le=\"13.1072\"} 0\n");
    has(text, WHOLE "_bucket{" OF "class=\"other\",le=\"+Inf\"} 1\n");
    has(text, "\nredisproxy_node_duration_seconds_count{" OF "class=\"read\"} 2\n");
    has(text, "\nredisproxy_node_duration_seconds_count{" OF "class=\"other\"} 1\n");
    free(text);
    counted_end(&c);
}

Test(metrics, more_libraries_than_there_is_room_for_are_other_ones)
{
    struct counted c;
    struct metrics_view view = counted(&c);
    char name[40];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "lib%d", i);
        counters_note_lib(c.workers[0], name, "1");
    }
    counters_note_lib(c.workers[1], "lib1", "1");
    counters_note_lib(c.workers[1], "l\xc3", "1");
    counters_note_lib(c.workers[1], "a name\n", "1");
    counters_note_lib(c.workers[1], "", "1");
    char *text = metrics_text(&view, false);
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "\nredisproxy_client_lib_info{")); at++)
        lines++;
    cr_expect_eq(lines, CLIENT_LIBS_MAX);
    has(text, "{lib=\"other\",version=\"other\"} 1\n");
    free(text);
    counted_end(&c);
}

/* Counters of nodes that are gone go to others. */
Test(metrics, there_is_room_for_so_many_nodes)
{
    struct counters *c = counters_new(1, 1);
    for (uint64_t id = 1; id <= NODE_COUNTERS_MAX; id++)
        cr_assert_not_null(counters_take_node(c, 0, id));
    cr_expect_null(counters_take_node(c, 0, NODE_COUNTERS_MAX + 1));
    counter_add(&counters_node(c, 0, 7)->connects, 1);
    counters_release_node(counters_node(c, 0, 7));
    cr_expect_null(counters_node(c, 0, 7));
    cr_expect_eq(counters_take_node(c, 0, NODE_COUNTERS_MAX + 1)->connects, 0);
    counters_free(c);
}

Test(metrics, openmetrics_has_units_and_an_end)
{
    struct counted c;
    struct metrics_view view = counted(&c);
    counter_add(&c.workers[0]->listeners[0].received, 5);
    char *text = metrics_text(&view, true);
    has(text, "\n# TYPE redisproxy_client_received_bytes counter\n"
              "# UNIT redisproxy_client_received_bytes bytes\n"
              "redisproxy_client_received_bytes_total{listener=\"127.0.0.1:6379\"} 5\n");
    cr_expect_str_eq(text + strlen(text) - 6, "# EOF\n");
    free(text);
    counted_end(&c);
    cr_expect(metrics_wants_openmetrics("application/openmetrics-text; version=1.0.0, text/plain"));
    cr_expect(!metrics_wants_openmetrics("text/plain") && !metrics_wants_openmetrics(NULL));
}
