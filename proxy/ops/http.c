/*
 * http: the web server for /healthz, /readyz, /metrics and the page.
 *
 * A thread of its own does the serving: a probe is answered even when a loop is stuck, which is what
 * /healthz is there to tell. It reads the board and the loops' turn counters, and changes nothing.
 * libmicrohttpd is run by that thread, not by one of its own, for the sake of deadlines that it does not have: its
 * timeout begins anew with each byte. http_connections keeps them, and makes room for who comes.
 */
#include "ops/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/health.h"
#include "ops/http_answer.h"
#include "ops/http_connections.h"
#include "ops/http_look.h"
#include "ops/http_tls.h"
#include "ops/metrics.h"
#include "ops/page.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* libmicrohttpd's own limit: it accepts no more, so there is room for those that are cut and not closed yet. */
#define SOCKETS_FACTOR 2
/* Where there is no descriptor for a connection that waits, libmicrohttpd would ask for it without a pause. */
#define NO_FILES_MS 100
/* Of one connection, for the head of a request. */
#define CONNECTION_BYTES ((size_t)16 * 1024)

struct http {
    struct MHD_Daemon *daemon;
    pthread_t thread;
    int stop_fd; /* an eventfd: the thread is to end */
    struct http_connections connections;
    struct page *page;
    pthread_mutex_t lock; /* of sources, which a reload replaces */
    struct http_sources sources;
    atomic_bool draining;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              char *text)
{
    return http_answer(connection, &(struct http_answer){.status = status,
                                                         .type = type,
                                                         .text = text,
                                                         .len = strlen(text),
                                                         .mode = MHD_RESPMEM_MUST_FREE});
}

typedef unsigned health_question(const struct health_view *view, char **json);

static enum MHD_Result ask(struct http *http, struct MHD_Connection *connection,
                           health_question *question)
{
    char *json;
    struct http_look look;
    pthread_mutex_lock(&http->lock);
    http_look_open(&look, &http->sources, atomic_load(&http->draining));
    unsigned status = question(&look.health, &json);
    http_look_close(&look);
    pthread_mutex_unlock(&http->lock);
    return answer(connection, status, "application/json", json);
}

static enum MHD_Result show_metrics(struct http *http, struct MHD_Connection *connection)
{
    bool openmetrics = metrics_wants_openmetrics(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    struct http_look look;

    pthread_mutex_lock(&http->lock);
    http_look_open(&look, &http->sources, atomic_load(&http->draining));
    char *text = metrics_text(&look.metrics, openmetrics);
    http_look_close(&look);
    pthread_mutex_unlock(&http->lock);
    return answer(connection, MHD_HTTP_OK, openmetrics ? METRICS_OPENMETRICS_TYPE : METRICS_TYPE,
                  text);
}

static enum MHD_Result show_page(struct http *http, struct MHD_Connection *connection,
                                 const char *path, bool head)
{
    pthread_mutex_lock(&http->lock);
    enum MHD_Result result = page_answer(http->page, connection, path, head, &http->sources,
                                         atomic_load(&http->draining));
    pthread_mutex_unlock(&http->lock);
    return result;
}

/* What tells more than whether the proxy is well. */
static enum MHD_Result show(struct http *http, struct MHD_Connection *connection, const char *path,
                            bool head)
{
    if (!http_tls_admits(connection))
        return http_refuse(connection, MHD_HTTP_FORBIDDEN,
                           "this is for those with a certificate of one of http_tls_ca\n");
    return page_has(path) ? show_page(http, connection, path, head)
                          : show_metrics(http, connection);
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
    bool head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!head && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return http_refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET\n");
    if (strcmp(url, "/healthz") == 0)
        return ask(http, connection, health_alive);
    if (strcmp(url, "/readyz") == 0)
        return ask(http, connection, health_ready);
    if (page_has(url) || strcmp(url, "/metrics") == 0)
        return show(http, connection, url, head);
    return http_refuse(connection, MHD_HTTP_NOT_FOUND,
                       "there are /, /status, /events, /healthz, /readyz and /metrics\n");
}

/* ---- connections ---- */

static void on_connection(void *owner, struct MHD_Connection *connection, void **ours,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = owner;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_connection_close(&http->connections, *ours);
        return;
    }
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *ours = http_connection_open(&http->connections, fd, clock_ms());
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = owner;

    (void)request;
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        return;
    struct http_connection *ours =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    http_connection_answered(&http->connections, ours, clock_ms());
}

/* ---- the thread ---- */

/* Cuts who is late. Returns when to look again: at the next deadline, or at once, with work left to do. */
static int look_after_connections(struct http *http)
{
    int ms = http_connections_expire(&http->connections, clock_ms());
    MHD_UNSIGNED_LONG_LONG theirs;

    if (MHD_get_timeout(http->daemon, &theirs) == MHD_YES && (ms < 0 || theirs < (unsigned)ms))
        return (int)theirs;
    return ms;
}

static bool has_descriptor(const struct http *http)
{
    int fd = dup(http->stop_fd);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Returns in how many milliseconds to look again, at the latest. */
static int turn_page(struct http *http)
{
    pthread_mutex_lock(&http->lock);
    int ms = page_turn(http->page, &http->sources, atomic_load(&http->draining));
    pthread_mutex_unlock(&http->lock);
    return ms;
}

static void *serve(void *arg)
{
    struct http *http = arg;
    int epoll_fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd fds[] = {{.fd = epoll_fd, .events = POLLIN},
                           {.fd = http->stop_fd, .events = POLLIN}};

    while (!fds[1].revents) {
        if (!has_descriptor(http))
            poll(&fds[1], 1, NO_FILES_MS);
        int page_ms = turn_page(http);
        MHD_run(http->daemon);
        int ms = look_after_connections(http);
        poll(fds, sizeof(fds) / sizeof(fds[0]), ms < 0 || ms > page_ms ? page_ms : ms);
    }
    return NULL;
}

/* Returns 0 or an error. */
static int start_thread(struct http *http)
{
    http->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (http->stop_fd < 0)
        return errno;
    int error = pthread_create(&http->thread, NULL, serve, http);
    if (error)
        close(http->stop_fd);
    return error;
}

struct http *http_start(int fd, const struct http_sources *sources)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http)
        abort();
    http->sources = *sources;
    pthread_mutex_init(&http->lock, NULL);
    http_connections_init(&http->connections, sources->options->http_connections);
    http->page = page_new(&http->connections);
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (sources->tls->http ? MHD_USE_TLS : 0), 0, NULL,
        NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        SOCKETS_FACTOR * sources->options->http_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_ARRAY,
        http_tls_begin(sources->tls->http), MHD_OPTION_END);
    int error = http->daemon ? start_thread(http) : 0;
    if (http->daemon && !error)
        return http;
    log_event(LOG_ERROR, "the web server does not start", "error=\"%s\"",
              error ? strerror(error) : "libmicrohttpd does not say why");
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    page_free(http->page);
    free(http);
    return NULL;
}

void http_draining(struct http *http)
{
    atomic_store(&http->draining, true);
}

void http_reload(struct http *http, const struct traffic_options *options,
                 const struct config_tls *tls)
{
    pthread_mutex_lock(&http->lock);
    http->sources.options = options;
    http->sources.tls = tls;
    pthread_mutex_unlock(&http->lock);
}

/* Returns the listening descriptor. */
static int end(struct http *http)
{
    eventfd_write(http->stop_fd, 1);
    pthread_join(http->thread, NULL);
    page_end(http->page);
    int fd =
        MHD_quiesce_daemon(http->daemon); /* which would be shut down, for other processes, too */
    MHD_stop_daemon(http->daemon);
    page_free(http->page);
    http_tls_end();
    close(http->stop_fd);
    pthread_mutex_destroy(&http->lock);
    free(http);
    return fd;
}

int http_hand_back(struct http *http)
{
    return end(http);
}

void http_stop(struct http *http)
{
    int fd = http ? end(http) : -1;
    if (fd >= 0)
        close(fd);
}
