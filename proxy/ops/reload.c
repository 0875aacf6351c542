/*
 * reload: see the header. What can fail, the file and the sockets, comes before the first thing that is changed.
 */
#include "ops/reload.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/tls_watch.h"
#include "ops/admin.h"
#include "ops/bind.h"
#include "ops/config_diff.h"
#include "ops/metrics.h"
#include "ops/open_files.h"
#include "ops/takeover.h"
#include "worker/workers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* All follow within a turn of their loops. One that does not in so many looks is stuck, and so is what it has of the old
 * options. (A process that was stopped for a while has not looked meanwhile.) */
#define LOOKS 10000
#define LOOK_MS 1
#define LINE_TEXT 1024

struct reload {
    struct reload_parts *parts;
    pthread_mutex_t lock; /* of a reload */
    const char *refused;  /* NULL: it is not */
    bool ended, stuck;
};

/* One of them: what it makes, and what it says. */
struct attempt {
    struct reload_parts *parts;
    struct config *next;
    int *listen_fds; /* one for each listener of next; -1: it is open */
    int http_fd;     /* -1: it stays where it is, or is off */
    FILE *said;
};

/* ---- what can fail ---- */

static void log_lines(enum log_level level, const char *msg, char *text)
{
    char quoted[LINE_TEXT], *rest = text, *line;
    while ((line = strsep(&rest, "\n")))
        if (*line)
            log_event(level, msg, "line=%s", log_quote(quoted, sizeof(quoted), line));
}

static bool read_file(struct attempt *attempt)
{
    const struct reload_parts *parts = attempt->parts;
    attempt->next = config_load_next(parts->path, parts->config, attempt->said);
    return attempt->next != NULL;
}

static bool bind_new(struct attempt *attempt)
{
    const struct traffic_options *before = &attempt->parts->config->traffic;
    const struct traffic_options *after = &attempt->next->traffic;
    const struct address *http = &attempt->next->http;
    char why[BIND_TEXT_MAX];
    bool good = true;
    attempt->listen_fds = calloc(after->listener_count + 1, sizeof(int));
    if (!attempt->listen_fds)
        out_of_memory(0);
    for (size_t i = 0; i < after->listener_count; i++) {
        attempt->listen_fds[i] = -1;
        if (traffic_listener_at(before, &after->listeners[i].address))
            continue;
        attempt->listen_fds[i] =
            bind_address(&after->listeners[i].address, "clients", why, sizeof(why));
        if (attempt->listen_fds[i] < 0)
            fprintf(attempt->said, "%s\n", why);
        good = good && attempt->listen_fds[i] >= 0;
    }
    if (http->len && !address_equal(http, &attempt->parts->config->http)) {
        attempt->http_fd = bind_address(http, "http", why, sizeof(why));
        if (attempt->http_fd < 0)
            fprintf(attempt->said, "%s\n", why);
        good = good && attempt->http_fd >= 0;
    }
    return good;
}

/* Nothing has changed. */
static void give_up(struct attempt *attempt)
{
    for (size_t i = 0; attempt->listen_fds && i < attempt->next->traffic.listener_count; i++)
        if (attempt->listen_fds[i] >= 0)
            close(attempt->listen_fds[i]);
    if (attempt->http_fd >= 0)
        close(attempt->http_fd);
    config_discard(attempt->next, attempt->parts->config);
}

/* ---- what follows ---- */

static bool wait_for(bool (*follows)(const struct attempt *attempt), const struct attempt *attempt)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    for (int i = 0; i < LOOKS; i++) {
        if (follows(attempt))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool control_has(const struct attempt *attempt)
{
    return control_follows(attempt->parts->control, attempt->next->topology);
}

static bool admin_has(const struct attempt *attempt)
{
    return admin_follows(attempt->parts->admin, attempt->next);
}

static bool workers_have(const struct attempt *attempt)
{
    return workers_follow(attempt->parts->workers, &attempt->next->traffic);
}

/* Who watches the files watches other ones. */
static void follow_files(struct attempt *attempt)
{
    struct reload_parts *parts = attempt->parts;
    const struct config_tls *tls = &attempt->next->tls;
    tls_watch_stop(parts->tls_watch);
    parts->tls_watch = tls->count ? tls_watch_start(tls->sources, tls->count) : NULL;
}

static struct http *start_http(const struct reload_parts *parts, const struct config *config,
                               int fd)
{
    return http_start(fd, &(struct http_sources){.board = parts->board,
                                                 .control = parts->control,
                                                 .workers = parts->workers,
                                                 .options = &config->traffic,
                                                 .tls = &config->tls});
}

/* Its address, or how it speaks TLS, is another one: it begins anew. */
static void restart_http(struct attempt *attempt)
{
    struct reload_parts *parts = attempt->parts;
    const struct config *before = parts->config, *next = attempt->next;
    int fd = attempt->http_fd;
    int old = parts->http ? http_hand_back(parts->http) : -1;
    parts->http = NULL;
    if (fd < 0 && next->http.len && address_equal(&next->http, &before->http))
        fd = old;
    else if (old >= 0)
        close(old);
    if (fd < 0)
        return;
    parts->http = start_http(parts, next, fd);
    if (!parts->http)
        fputs("the web server did not start: the log says why\n", attempt->said);
}

static void follow_http(struct attempt *attempt)
{
    const struct config *before = attempt->parts->config, *next = attempt->next;
    bool same = before->http.len == next->http.len &&
                (!next->http.len || address_equal(&before->http, &next->http)) &&
                before->tls.http == next->tls.http;
    if (!same)
        restart_http(attempt);
    else if (attempt->parts->http)
        http_reload(attempt->parts->http, &next->traffic, &next->tls);
}

/* Returns whether all have followed: only then the old ones may go. */
static bool follow(struct attempt *attempt)
{
    struct reload_parts *parts = attempt->parts;
    struct config *next = attempt->next;
    open_files_share_out(&next->traffic);
    if (next->log != parts->config->log) /* one that the administrator has set otherwise stays */
        log_set_level(next->log);
    follow_files(attempt);
    control_reload(parts->control, next->topology, next->traffic.group_count);
    if (!wait_for(control_has, attempt))
        return false;
    admin_follow(parts->admin, next); /* before there are sessions of new groups, which it shows */
    if (!wait_for(admin_has, attempt))
        return false;
    succession_follow(parts->succession, next, attempt->listen_fds, attempt->http_fd);
    workers_reload(parts->workers, &next->traffic, attempt->listen_fds);
    if (!wait_for(workers_have, attempt))
        return false;
    follow_http(attempt);
    return true;
}

/* ---- what is said ---- */

static void say_change(void *data, const struct config_change *change)
{
    struct attempt *attempt = data;
    config_change_print(attempt->said, change);
}

static void say_changes(struct attempt *attempt)
{
    (void)config_diff(attempt->parts->config->sections, attempt->next->sections, say_change,
                      attempt);
}

static void log_change(void *data, const struct config_change *change)
{
    bool later = change->kind == CHANGE_SETTING && change->option->reload == RELOAD_RESTART;
    char *text, quoted[LINE_TEXT];
    size_t len;
    FILE *out = open_memstream(&text, &len);
    (void)data;
    if (!out)
        out_of_memory(0);
    config_change_print(out, change);
    if (fclose(out) != 0)
        out_of_memory(0);
    text[strcspn(text, "\n")] = '\0';
    log_event(later ? LOG_WARN : LOG_INFO,
              later ? "a changed setting takes effect at the next start only"
                    : "a setting has changed",
              "change=%s", log_quote(quoted, sizeof(quoted), text));
    free(text);
}

/* ---- a reload ---- */

static bool begin(struct attempt *attempt, struct reload *reload, char **text, size_t *len)
{
    *attempt = (struct attempt){.parts = reload->parts, .http_fd = -1};
    attempt->said = open_memstream(text, len);
    if (!attempt->said)
        out_of_memory(0);
    if (reload->ended)
        fputs("the proxy is stopping: nothing is reloaded any more\n", attempt->said);
    else if (reload->stuck)
        fputs("the reload before has not come to its end: restart the proxy\n", attempt->said);
    else if (reload->refused)
        fprintf(attempt->said, "%s\n", reload->refused);
    else if (takeover_goes_on(reload->parts->takeover))
        fputs("the sessions of another process are being taken over: try again in a moment\n",
              attempt->said);
    else
        return true;
    return false;
}

/* The lock is held. */
static bool run(struct reload *reload, struct attempt *attempt)
{
    struct reload_parts *parts = reload->parts;
    if (!read_file(attempt))
        return false;
    if (!bind_new(attempt)) {
        give_up(attempt);
        return false;
    }
    say_changes(attempt);
    size_t changes =
        config_diff(parts->config->sections, attempt->next->sections, log_change, NULL);
    if (!follow(attempt)) {
        reload->stuck = true;
        log_event(LOG_ERROR, "a reload does not come to its end: restart the proxy", "");
        fputs("a thread does not take it up: restart the proxy\n", attempt->said);
        return false;
    }
    config_free(parts->config);
    parts->config = attempt->next;
    log_event(LOG_INFO, "the configuration was reloaded", "file=%s changes=%zu",
              config_name(parts->path), changes);
    return true;
}

bool reload_run(struct reload *reload, char **text)
{
    struct attempt attempt;
    size_t len;
    pthread_mutex_lock(&reload->lock);
    bool good = begin(&attempt, reload, text, &len) && run(reload, &attempt);
    free(reload->stuck ? NULL : attempt.listen_fds);
    if (fclose(attempt.said) != 0)
        out_of_memory(0);
    if (!good) {
        char *copy = strdup(*text);
        if (!copy)
            out_of_memory(len);
        log_lines(LOG_ERROR, "the configuration was not reloaded, all stays as it was", copy);
        free(copy);
    }
    metrics_note_reload(good);
    pthread_mutex_unlock(&reload->lock);
    return good;
}

bool reload_preview(struct reload *reload, char **text)
{
    struct attempt attempt;
    size_t len;
    pthread_mutex_lock(&reload->lock);
    bool good = begin(&attempt, reload, text, &len) && read_file(&attempt);
    if (good) {
        say_changes(&attempt);
        config_discard(attempt.next, reload->parts->config);
    }
    pthread_mutex_unlock(&reload->lock);
    if (fclose(attempt.said) != 0)
        out_of_memory(0);
    return good;
}

/* ---- life ---- */

struct reload *reload_new(struct reload_parts *parts)
{
    struct reload *reload = calloc(1, sizeof(*reload));
    if (!reload)
        out_of_memory(sizeof(*reload));
    reload->parts = parts;
    pthread_mutex_init(&reload->lock, NULL);
    return reload;
}

int reload_start_http(struct reload *reload, int fd)
{
    struct reload_parts *parts = reload->parts;
    parts->http = start_http(parts, parts->config, fd);
    return parts->http ? 0 : -1;
}

void reload_refuse(struct reload *reload, const char *why)
{
    pthread_mutex_lock(&reload->lock);
    reload->refused = why;
    pthread_mutex_unlock(&reload->lock);
}

int reload_start_admin(struct reload *reload, struct admin_socket *listening,
                       const struct admin_sources *sources)
{
    pthread_mutex_lock(&reload->lock);
    reload->parts->admin = admin_start(listening, sources);
    bool good = reload->parts->admin != NULL;
    pthread_mutex_unlock(&reload->lock);
    return good ? 0 : -1;
}

void reload_end(struct reload *reload)
{
    pthread_mutex_lock(&reload->lock);
    reload->ended = true;
    pthread_mutex_unlock(&reload->lock);
}

void reload_free(struct reload *reload)
{
    if (!reload)
        return;
    pthread_mutex_destroy(&reload->lock);
    free(reload);
}
