/* status: see the header. */
#include "ops/status.h"

#include "base/log_recent.h"
#include "ops/json_text.h"
#include "ops/metrics_parts.h"
#include "ops/show_names.h"
#include "ops/status_parts.h"

#include <unistd.h>

static void add_number(cJSON *object, const char *name, uint64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}

/* ---- the proxy itself ---- */

/* As /healthz and /readyz say it: "status", and "reason" where it is not well. */
static void add_health(cJSON *proxy, const struct health_view *view)
{
    char *alive, *ready;
    bool turns = health_alive(view, &alive) == 200;
    (void)health_ready(view, &ready);
    cJSON *json = cJSON_Parse(turns ? ready : alive);
    const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(json, "status"));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(json, "reason"));
    json_add_text(proxy, "status", status ? status : "");
    json_add_text(proxy, "reason", reason ? reason : "");
    cJSON_Delete(json);
    free(alive);
    free(ready);
}

static void add_gauges(cJSON *proxy, const struct metrics_view *view)
{
    struct worker_gauges all = {0};
    for (size_t i = 0; i < view->worker_count; i++) {
        all.sessions += view->gauges[i].sessions;
        all.upstreams += view->gauges[i].upstreams;
        all.held += view->gauges[i].held;
        all.held_bytes += view->gauges[i].held_bytes;
    }
    add_number(proxy, "workers", view->worker_count);
    add_number(proxy, "sessions", all.sessions);
    add_number(proxy, "max_clients", view->options->max_clients);
    add_number(proxy, "upstreams", all.upstreams);
    add_number(proxy, "held_sessions", all.held);
    add_number(proxy, "held_bytes", all.held_bytes);
}

static cJSON *proxy_object(const struct http_look *look)
{
    cJSON *proxy = cJSON_CreateObject();
    json_add_text(proxy, "version", REDISPROXY_VERSION);
    json_add_time(proxy, "now", look->metrics.wall_ms);
    add_number(proxy, "pid", (uint64_t)getpid());
    add_number(proxy, "uptime_ms", (uint64_t)(look->metrics.wall_ms - metrics_started_ms()));
    add_health(proxy, &look->health);
    add_gauges(proxy, &look->metrics);
    return proxy;
}

/* ---- the newest sample ---- */

static void add_latency(cJSON *traffic, const char *name, double ms)
{
    if (ms >= 0)
        json_add_rounded(traffic, name, ms);
    else
        cJSON_AddNullToObject(traffic, name);
}

static cJSON *traffic_object(const struct samples *samples)
{
    const struct sample *last = samples_at(samples, samples_newest(samples));
    const struct sample none = {.latency_ms = {-1, -1, -1}};
    cJSON *traffic = cJSON_CreateObject();
    last = last ? last : &none;
    json_add_rounded(traffic, "requests_per_s", last->requests_per_s);
    json_add_rounded(traffic, "errors_per_s", last->errors_per_s);
    add_latency(traffic, "p50_ms", last->latency_ms[SAMPLE_P50]);
    add_latency(traffic, "p99_ms", last->latency_ms[SAMPLE_P99]);
    add_latency(traffic, "p999_ms", last->latency_ms[SAMPLE_P999]);
    return traffic;
}

/* ---- listeners ---- */

static cJSON *listener_object(const struct metrics_view *view, size_t index)
{
    const struct traffic_listener_options *listener = &view->options->listeners[index];
    size_t number = listener->number;
    char name[ENDPOINT_TEXT_MAX];
    uint64_t opened = METRICS_SUM(view, listeners[number].opened), closed = 0;
    cJSON *row = cJSON_CreateObject();
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        closed += METRICS_SUM(view, listeners[number].closed[reason]);
    json_add_text(row, "listener", metrics_listener(view, index, name, sizeof(name)));
    json_add_text(row, "group", view->options->groups[listener->group].name);
    json_add_text(row, "route", show_route(listener->route));
    cJSON_AddBoolToObject(row, "tls", listener->tls != NULL);
    add_number(row, "sessions", opened > closed ? opened - closed : 0);
    add_number(row, "opened_total", opened);
    add_number(row, "received_bytes_total", METRICS_SUM(view, listeners[number].received));
    add_number(row, "sent_bytes_total", METRICS_SUM(view, listeners[number].sent));
    return row;
}

static cJSON *listeners_array(const struct metrics_view *view)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < view->options->listener_count; i++)
        cJSON_AddItemToArray(list, listener_object(view, i));
    return list;
}

/* ---- all of it ---- */

struct status_mark status_mark_now(const struct status_sources *sources)
{
    struct status_mark mark = {.sample = samples_newest(sources->samples),
                               .line = log_recent_newest()};
    (void)history_read(sources->history, NULL, 0, &mark.switchover);
    return mark;
}

cJSON *status_document(const struct status_sources *sources, const struct status_mark *from,
                       const struct status_mark *to)
{
    const struct http_look *look = sources->look;
    cJSON *root = cJSON_CreateObject();
    add_number(root, "version", STATUS_VERSION);
    cJSON_AddItemToObject(root, "proxy", proxy_object(look));
    cJSON_AddItemToObject(root, "traffic", traffic_object(sources->samples));
    cJSON_AddItemToObject(root, "groups", status_groups(look));
    cJSON_AddItemToObject(root, "nodes", status_nodes(look));
    cJSON_AddItemToObject(root, "sentinels", status_sentinels(look));
    cJSON_AddItemToObject(root, "listeners", listeners_array(&look->metrics));
    cJSON_AddItemToObject(root, "samples",
                          status_samples(sources->samples, from->sample, to->sample));
    cJSON_AddItemToObject(root, "switchovers",
                          status_switchovers(sources->history, from->switchover, to->switchover));
    cJSON_AddItemToObject(root, "log", status_log(from->line, to->line));
    return root;
}
