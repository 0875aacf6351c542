/*
 * http: the web server for /healthz, /readyz and /metrics.
 *
 * libmicrohttpd's own thread does the serving: a probe is answered even when a
 * loop is stuck, which is what /healthz is there to tell. It reads the board and the
 * loops' turn counters, and changes nothing.
 */
#include "ops/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/health.h"
#include "ops/metrics.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 64
#define IDLE_SECONDS 10

struct http {
    struct MHD_Daemon *daemon;
    struct http_sources sources;
    atomic_bool draining;
};

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               char *text, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, mode);

    if (!response) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, char *text)
{
    return respond(connection, status, "text/plain", text, MHD_RESPMEM_PERSISTENT);
}

static struct health_loop *look_at_loops(const struct http_sources *sources)
{
    struct health_loop *loops = calloc(workers_size(sources->workers) + 1, sizeof(*loops));

    if (!loops)
        abort();
    loops[0] = (struct health_loop){"the control plane", control_last_turn(sources->control)};
    for (size_t i = 0; i < workers_size(sources->workers); i++)
        loops[i + 1] = (struct health_loop){"a worker", workers_last_turn(sources->workers, i)};
    return loops;
}

typedef unsigned health_question(const struct health_view *view, char **json);

static enum MHD_Result ask(struct http *http, struct MHD_Connection *connection,
                           health_question *question)
{
    char *json;
    const struct http_sources *sources = &http->sources;
    struct topology *topology = board_acquire(sources->board);
    struct health_loop *loops = look_at_loops(sources);
    const struct health_view view = {
        .now = clock_ms(),
        .wall = clock_wall_ms(),
        .loops = loops,
        .loop_count = workers_size(sources->workers) + 1,
        .topology = topology,
        .groups = sources->options->groups,
        .refusals = board_refusals(sources->board),
        .draining = atomic_load(&http->draining),
    };
    unsigned status = question(&view, &json);

    free(loops);
    topology_release(topology);
    return respond(connection, status, "application/json", json, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result show_metrics(struct http *http, struct MHD_Connection *connection)
{
    const struct http_sources *sources = &http->sources;
    struct topology *topology = board_acquire(sources->board);
    size_t count = workers_size(sources->workers);
    struct worker_gauges *workers = calloc(count, sizeof(*workers));

    if (!workers)
        abort();
    for (size_t i = 0; i < count; i++)
        workers_gauges(sources->workers, i, &workers[i]);
    char *text = metrics_text(topology, board_refusals(sources->board), workers, count);
    free(workers);
    topology_release(topology);
    return respond(connection, MHD_HTTP_OK, METRICS_TYPE, text, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    struct http *http = owner;

    (void)version;
    (void)upload;
    /* The first call only announces a request: answering it would close the connection. What
     * somebody uploads is thrown away piece by piece. */
    if (!*request || *upload_size) {
        *request = http;
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET\n");
    if (strcmp(url, "/healthz") == 0)
        return ask(http, connection, health_alive);
    if (strcmp(url, "/readyz") == 0)
        return ask(http, connection, health_ready);
    if (strcmp(url, "/metrics") == 0)
        return show_metrics(http, connection);
    return refuse(connection, MHD_HTTP_NOT_FOUND, "there are /healthz, /readyz and /metrics\n");
}

struct http *http_start(int fd, const struct http_sources *sources)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http)
        abort();
    http->sources = *sources;
    http->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL, on_request,
        http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (!http->daemon) {
        log_event(LOG_ERROR, "the web server does not start", "");
        free(http);
        return NULL;
    }
    return http;
}

void http_draining(struct http *http)
{
    atomic_store(&http->draining, true);
}

void http_stop(struct http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}
