/*
 * metrics: the text that a scraper gets for a snapshot, to the byte.
 */
#include "ops/metrics.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct config_tls no_tls;

static void gives(struct topology_group *groups, size_t count, const char *wanted)
{
    struct topology topology = {.seq = 1, .group_count = count, .groups = groups};
    char *text = metrics_text(&topology, NULL, &no_tls, NULL, 0);

    cr_assert_str_eq(text, wanted);
    free(text);
}

static void shows(struct topology_group *groups, size_t count, const char *wanted)
{
    struct topology topology = {.seq = 1, .group_count = count, .groups = groups};
    char *text = metrics_text(&topology, NULL, &no_tls, NULL, 0);

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
        "redisproxy_node_refuses{group=\"mymaster\",node=\"10.0.0.3:6379\"} 0\n"
        "# HELP redisproxy_log_dropped_total Lines that are not in the log: it was not read fast "
        "enough, or too "
        "many of a kind.\n"
        "# TYPE redisproxy_log_dropped_total counter\n"
        "redisproxy_log_dropped_total{reason=\"queue\"} 0\n"
        "redisproxy_log_dropped_total{reason=\"kind\"} 0\n");
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
    char *text = metrics_text(&topology, NULL, &no_tls, workers, 2);

    cr_assert_not_null(
        strstr(text, "# HELP redisproxy_sessions Client connections.\n"
                     "# TYPE redisproxy_sessions gauge\n"
                     "redisproxy_sessions{worker=\"0\"} 3\n"
                     "redisproxy_sessions{worker=\"1\"} 50\n"
                     "# HELP redisproxy_upstreams Connections to nodes that carry clients' "
                     "commands.\n"
                     "# TYPE redisproxy_upstreams gauge\n"
                     "redisproxy_upstreams{worker=\"0\"} 2\n"
                     "redisproxy_upstreams{worker=\"1\"} 7\n"
                     "# HELP redisproxy_held_sessions Client connections whose requests wait for "
                     "a node.\n"
                     "# TYPE redisproxy_held_sessions gauge\n"
                     "redisproxy_held_sessions{worker=\"0\"} 1\n"
                     "redisproxy_held_sessions{worker=\"1\"} 0\n"
                     "# HELP redisproxy_held_bytes Bytes of requests that wait for a node.\n"
                     "# TYPE redisproxy_held_bytes gauge\n"
                     "redisproxy_held_bytes{worker=\"0\"} 4000\n"
                     "redisproxy_held_bytes{worker=\"1\"} 0\n"),
        "%s", text);
    cr_assert_not_null(strstr(text, "redisproxy_unrenewed_subscribers{worker=\"1\"} 5\n"), "%s",
                       text);
    cr_assert_not_null(strstr(text, "# TYPE redisproxy_early_publish_total counter\n"
                                    "redisproxy_early_publish_total{worker=\"0\"} 0\n"
                                    "redisproxy_early_publish_total{worker=\"1\"} 2\n"),
                       "%s", text);
    free(text);
}
