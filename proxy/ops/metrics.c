/*
 * metrics: what /metrics answers.
 *
 * Everything is derived from the newest snapshot, and from what the workers hold and have counted, when
 * somebody asks: nothing has to be kept here. Lines of one gauge stand together, as the format
 * wants it.
 */
#include "ops/metrics.h"

#include "base/log.h"
#include "net/tls.h"
#include "net/tls_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gauge {
    const char *name, *help;
};

enum group_gauge { GROUP_WRITABLE, GROUP_QUORUM, GROUP_EPOCH, GROUP_GAUGES };

static const struct gauge group_gauges[GROUP_GAUGES] = {
    [GROUP_WRITABLE] = {"group_writable",
                        "Whether requests are written to the group's master now."},
    [GROUP_QUORUM] = {"group_quorum",
                      "Whether a majority of the group's Sentinels names one master."},
    [GROUP_EPOCH] = {"group_epoch", "Sentinel's config-epoch of the master."},
};

static uint64_t group_value(const struct topology_group *group, enum group_gauge gauge)
{
    if (gauge == GROUP_WRITABLE)
        return group->writable;
    return gauge == GROUP_QUORUM ? group->quorum : group->epoch;
}

enum node_gauge { NODE_MASTER, NODE_UP, NODE_SUSPECT, NODE_READABLE, NODE_GAUGES };

static const struct gauge node_gauges[NODE_GAUGES] = {
    [NODE_MASTER] = {"node_master", "Whether the node is its group's master."},
    [NODE_UP] = {"node_up", "Whether the node answers the proxy's probe."},
    [NODE_SUSPECT] = {"node_suspect", "Whether the node is silent or refuses connections."},
    [NODE_READABLE] = {"node_readable", "Whether the node is a replica that serves reads."},
};

static bool node_value(const struct topology_group *group, size_t index, enum node_gauge gauge)
{
    const struct topology_node *node = &group->nodes[index];
    if (gauge == NODE_MASTER)
        return (int)index == group->master;
    if (gauge == NODE_UP)
        return node->up;
    return gauge == NODE_SUSPECT ? node->suspect : node->readable;
}

/* A counter's name ends as Prometheus wants it. */
static const char *type_of(const char *name)
{
    static const char total[] = "_total";
    size_t len = strlen(name), end = sizeof(total) - 1;
    return len > end && strcmp(name + len - end, total) == 0 ? "counter" : "gauge";
}

static void put_head(FILE *out, const char *name, const char *help)
{
    fprintf(out, "# HELP redisproxy_%s %s\n# TYPE redisproxy_%s %s\n", name, help, name,
            type_of(name));
}

static void put_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (const char *at = value; *at; at++) {
        if (*at == '\n')
            fputs("\\n", out);
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
}

/* `label` may be NULL: there is only the group's. */
static void put(FILE *out, const char *name, const struct topology_group *group, const char *label,
                const char *labelled, uint64_t value)
{
    fprintf(out, "redisproxy_%s{", name);
    put_label(out, "group", group->name);
    if (label) {
        fputc(',', out);
        put_label(out, label, labelled);
    }
    fprintf(out, "} %" PRIu64 "\n", value);
}

/* One gauge a state, as Prometheus has enumerations: exactly one of them is 1. */
static void put_states(FILE *out, const struct topology *topology)
{
    put_head(out, "group_state", "Whether the group is in this state.");
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *g = &topology->groups[i];
        if (g->gone)
            continue;
        for (enum group_state s = GROUP_NONE; s <= GROUP_PROVISIONAL; s++)
            put(out, "group_state", g, "state", group_state_name(s), g->state == s);
    }
}

static void put_groups(FILE *out, const struct topology *topology)
{
    for (int k = 0; k < GROUP_GAUGES; k++) {
        const struct gauge *gauge = &group_gauges[k];
        put_head(out, gauge->name, gauge->help);
        for (size_t i = 0; i < topology->group_count; i++) {
            const struct topology_group *g = &topology->groups[i];
            if (!g->gone)
                put(out, gauge->name, g, NULL, NULL, group_value(g, (enum group_gauge)k));
        }
    }
}

static void put_nodes_of(FILE *out, const struct topology_group *g, enum node_gauge gauge)
{
    for (size_t i = 0; i < g->node_count; i++)
        put(out, node_gauges[gauge].name, g, "node", g->nodes[i].name, node_value(g, i, gauge));
}

static void put_refusals(FILE *out, const struct topology *topology, struct refusals *refusals)
{
    struct refusal refusal;
    put_head(out, "node_refuses", "Whether the node lets no new connection of the proxy in.");
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *g = &topology->groups[i];
        for (size_t k = 0; k < g->node_count; k++)
            put(out, "node_refuses", g, "node", g->nodes[k].name,
                refusals_find(refusals, i, g->nodes[k].id, &refusal) ||
                    credential_refusal(g->own) || g->nodes[k].disagrees);
    }
}

static void put_nodes(FILE *out, const struct topology *topology)
{
    for (int k = 0; k < NODE_GAUGES; k++) {
        put_head(out, node_gauges[k].name, node_gauges[k].help);
        for (size_t i = 0; i < topology->group_count; i++)
            put_nodes_of(out, &topology->groups[i], (enum node_gauge)k);
    }
}

static const struct {
    struct gauge gauge;
    size_t offset;
} worker_gauge_list[] = {
    {{"sessions", "Client connections."}, offsetof(struct worker_gauges, sessions)},
    {{"upstreams", "Connections to nodes that carry clients' commands."},
     offsetof(struct worker_gauges, upstreams)},
    {{"held_sessions", "Client connections whose requests wait for a node."},
     offsetof(struct worker_gauges, held)},
    {{"held_bytes", "Bytes of requests that wait for a node."},
     offsetof(struct worker_gauges, held_bytes)},
    {{"request_bytes",
      "Bytes of requests that are not answered yet, with the memory around them (request_memory)."},
     offsetof(struct worker_gauges, request_bytes)},
    {{"output_bytes",
      "Bytes of replies that wait for clients that have more than output_high of them."},
     offsetof(struct worker_gauges, output_bytes)},
    {{"output_disconnected_total",
      "Client connections that the proxy ended, for they were over output_limit or output_memory."},
     offsetof(struct worker_gauges, over_output)},
    {{"ahead_bytes", "Bytes of requests that were read of clients that read no replies."},
     offsetof(struct worker_gauges, ahead_bytes)},
    {{"disconnected_total", "Client connections that the proxy ended; the log says why."},
     offsetof(struct worker_gauges, disconnected)},
    {{"unrenewed_subscribers", "Client connections whose subscriptions are to be made again."},
     offsetof(struct worker_gauges, unrenewed)},
    {{"early_publish_total",
      "How often held messages went out before all subscriptions were made again."},
     offsetof(struct worker_gauges, early)},
};

static void put_workers(FILE *out, const struct worker_gauges *workers, size_t count)
{
    size_t gauges = count ? sizeof(worker_gauge_list) / sizeof(worker_gauge_list[0]) : 0;
    for (size_t k = 0; k < gauges; k++) {
        const struct gauge *gauge = &worker_gauge_list[k].gauge;
        put_head(out, gauge->name, gauge->help);
        for (size_t i = 0; i < count; i++)
            fprintf(out, "redisproxy_%s{worker=\"%zu\"} %zu\n", gauge->name, i,
                    *(const size_t *)((const char *)&workers[i] + worker_gauge_list[k].offset));
    }
}

static void put_log(FILE *out)
{
    static const char *const reasons[LOG_DROPS] = {
        [LOG_DROP_QUEUE] = "queue", [LOG_DROP_KIND] = "kind"};

    put_head(out, "log_dropped_total",
             "Lines that are not in the log: it was not read fast enough, or too many of a kind.");
    for (int why = 0; why < LOG_DROPS; why++)
        fprintf(out, "redisproxy_log_dropped_total{reason=\"%s\"} %llu\n", reasons[why],
                log_dropped((enum log_drop)why));
}

static void put_end(FILE *out, const char *role, const char *of, int64_t ends_s)
{
    if (ends_s)
        fprintf(
            out,
            "redisproxy_tls_certificate_not_after_timestamp_seconds{role=\"%s\",of=\"%s\"} %lld\n",
            role, of, (long long)ends_s);
}

static void put_certificates(FILE *out, const struct topology *topology,
                             const struct config_tls *tls)
{
    put_head(
        out, "tls_certificate_not_after_timestamp_seconds",
        "When a certificate ends: the proxy's own, its CAs', those that nodes and Sentinels show.");
    for (size_t i = 0; i < tls->count; i++) {
        struct tls_context *context = tls_source_context(tls->sources[i]);
        bool server = tls_source_settings(tls->sources[i])->side == TLS_SERVER;
        const char *of = tls_source_name(tls->sources[i]);
        put_end(out, server ? "listener" : "client", of, tls_context_cert_ends(context));
        put_end(out, server ? "listener_ca" : "ca", of, tls_context_ca_ends(context));
        tls_context_release(context);
    }
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *g = &topology->groups[i];
        for (size_t k = 0; k < g->node_count; k++)
            put_end(out, "node", g->nodes[k].name, g->nodes[k].cert_ends_s);
        put_end(out, "sentinel", g->name, g->sentinel_cert_ends_s);
    }
}

static void put_reloads(FILE *out, const struct config_tls *tls)
{
    put_head(out, "tls_reloads_total",
             "How often changed certificates were read, and with what result.");
    for (size_t i = 0; i < tls->count; i++) {
        struct tls_source_counts counts = tls_source_counts(tls->sources[i]);
        fprintf(out, "redisproxy_tls_reloads_total{of=\"%s\",result=\"used\"} %llu\n",
                tls_source_name(tls->sources[i]), counts.loaded);
        fprintf(out, "redisproxy_tls_reloads_total{of=\"%s\",result=\"refused\"} %llu\n",
                tls_source_name(tls->sources[i]), counts.refused);
    }
}

static void put_handshakes(FILE *out)
{
    static const char *const sides[] = {[TLS_SERVER] = "client", [TLS_CLIENT] = "node"};
    put_head(out, "tls_handshakes_total",
             "TLS handshakes that were done, in full or with the session of an earlier one.");
    for (int side = TLS_SERVER; side <= TLS_CLIENT; side++)
        for (int resumed = 0; resumed < 2; resumed++)
            fprintf(out, "redisproxy_tls_handshakes_total{with=\"%s\",resumed=\"%s\"} %llu\n",
                    sides[side], resumed ? "yes" : "no",
                    tls_handshakes((enum tls_side)side, resumed));
    put_head(out, "tls_handshake_failures_total",
             "TLS handshakes that failed, with clients and with nodes or Sentinels.");
    for (int side = TLS_SERVER; side <= TLS_CLIENT; side++)
        for (int why = 0; why < TLS_FAILURES; why++)
            fprintf(out,
                    "redisproxy_tls_handshake_failures_total{with=\"%s\",reason=\"%s\"} %llu\n",
                    sides[side], tls_failure_name((enum tls_failure)why),
                    tls_failures((enum tls_side)side, (enum tls_failure)why));
}

static void put_tls(FILE *out, const struct topology *topology, const struct config_tls *tls)
{
    if (!tls->count)
        return;
    put_certificates(out, topology, tls);
    put_reloads(out, tls);
    put_handshakes(out);
}

char *metrics_text(const struct topology *topology, struct refusals *refusals,
                   const struct config_tls *tls, const struct worker_gauges *workers,
                   size_t worker_count)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        abort();
    put_states(out, topology);
    put_groups(out, topology);
    put_nodes(out, topology);
    put_refusals(out, topology, refusals);
    put_workers(out, workers, worker_count);
    put_log(out);
    put_tls(out, topology, tls);
    if (fclose(out) != 0)
        abort();
    return text;
}
