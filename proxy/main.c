/*
 * main: command line, wiring, signals.
 *
 *     configuration -> sockets -> control plane -> workers -> web server
 *     ... a signal: drain ...  and the same way back
 *
 * All sockets are bound before the first thread runs, so that a configuration that cannot
 * work ends the program before it did anything. Signals are blocked in every
 * thread and taken here with sigtimedwait: nothing runs in a signal handler, but for the last lines of the log
 * when the process aborts (base/log_queue.c).
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/tls_watch.h"
#include "ops/bind.h"
#include "ops/config.h"
#include "ops/config_table.h"
#include "ops/doctor.h"
#include "ops/http.h"
#include "ops/open_files.h"
#include "ops/reload.h"
#include "topology/control.h"
#include "topology/topology.h"
#include "worker/workers.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_LOOK_MS 10

struct app {
    struct reload_parts; /* what runs; a reload replaces some of it */
    struct reload *reload;
    int *listen_fds; /* one for each listener; the workers's once it is started */
    size_t listen_count;
    int http_fd; /* -1: none, or the web server's */
};

/* ---- command line ---- */

enum command { COMMAND_RUN, COMMAND_TEST, COMMAND_DONE, COMMAND_WRONG };

static void print_help(void)
{
    printf("redisproxy %s: a Sentinel-aware proxy in front of Redis groups\n\n"
           "usage: redisproxy -c FILE        run with this configuration\n"
           "       redisproxy -t -c FILE     only check it\n"
           "       redisproxy doctor -c FILE what is wrong with the Sentinels and nodes that it "
           "names\n"
           "       redisproxy --version\n"
           "       redisproxy --help\n\n"
           "Logs go to stderr. SIGTERM or SIGINT drains and exits, a second one exits at once;\n"
           "SIGHUP reloads the configuration; SIGUSR1 and SIGUSR2 do nothing.\n\n"
           "The configuration's sections and settings, with their defaults. A reload applies what "
           "has\n"
           "changed at once; [new connections]: to those that are opened from then on; [restart]: "
           "not\n"
           "before the next start.\n\n",
           REDISPROXY_VERSION);
    config_print_reference(stdout);
}

static enum command read_command_line(int argc, char **argv, const char **path)
{
    static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                          {"test", no_argument, NULL, 't'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    enum command command = COMMAND_RUN;
    int letter;

    while ((letter = getopt_long(argc, argv, "c:th", names, NULL)) != -1) {
        switch (letter) {
        case 'c':
            *path = optarg;
            break;
        case 't':
            command = COMMAND_TEST;
            break;
        case 'v':
            printf("redisproxy %s\n", REDISPROXY_VERSION);
            return COMMAND_DONE;
        case 'h':
            print_help();
            return COMMAND_DONE;
        default:
            return COMMAND_WRONG;
        }
    }
    if (*path && optind == argc)
        return command;
    fprintf(stderr, "%s: %s\n", argv[0], *path ? "too many arguments" : "-c FILE is missing");
    return COMMAND_WRONG;
}

/* ---- sockets ---- */

/* Tries all of them, so that every taken address is reported. Returns 0 or -1. */
static int bind_all(struct app *app)
{
    const struct traffic_options *options = &app->config->traffic;
    char why[BIND_TEXT_MAX];
    int result = 0;

    app->listen_count = options->listener_count;
    app->listen_fds = calloc(options->listener_count, sizeof(int));
    if (!app->listen_fds)
        abort();
    for (size_t i = 0; i < options->listener_count; i++) {
        app->listen_fds[i] =
            bind_address(&options->listeners[i].address, "clients", why, sizeof(why));
        if (app->listen_fds[i] < 0)
            result = -1;
    }
    if (app->config->http.len) {
        app->http_fd = bind_address(&app->config->http, "http", why, sizeof(why));
        if (app->http_fd < 0)
            result = -1;
    }
    return result;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- starting and stopping ---- */

/* Returns 0, or -1 after the part that failed has logged why. */
static int start(struct app *app)
{
    const struct traffic_options *options = &app->config->traffic;

    if (app->config->tls.count) {
        app->tls_watch = tls_watch_start(app->config->tls.sources, app->config->tls.count);
        if (!app->tls_watch)
            return -1;
    }
    app->reload = reload_new((struct reload_parts *)app);
    app->board = board_new();
    app->control = control_start(app->config->topology, options->group_count, app->board);
    if (!app->control)
        return -1;
    app->workers = workers_start(options, app->board, app->listen_fds);
    for (size_t i = 0; i < options->listener_count; i++)
        app->listen_fds[i] = -1;
    if (!app->workers)
        return -1;
    if (app->http_fd >= 0) {
        int fd = app->http_fd;
        app->http_fd = -1;
        return reload_start_http(app->reload, fd);
    }
    return 0;
}

/* The way back, from wherever start() came to. */
static void stop(struct app *app)
{
    http_stop(app->http);
    if (app->workers)
        workers_stop(app->workers);
    if (app->control)
        control_stop(app->control);
    if (app->board)
        board_free(app->board);
    tls_watch_stop(app->tls_watch);
    for (size_t i = 0; app->listen_fds && i < app->listen_count; i++)
        close_fd(&app->listen_fds[i]);
    close_fd(&app->http_fd);
    reload_free(app->reload);
    free(app->listen_fds);
}

static void announce(const struct config *config)
{
    static const char *const routes[] = {
        [ROUTE_MASTER] = "master", [ROUTE_REPLICA] = "replica", [ROUTE_SPLIT] = "split"};
    const struct traffic_options *options = &config->traffic;
    char text[ENDPOINT_TEXT_MAX];

    log_event(LOG_INFO, "redisproxy starts",
              "version=%s pid=%d groups=%zu listeners=%zu workers=%zu http=%s", REDISPROXY_VERSION,
              (int)getpid(), options->group_count, options->listener_count, options->workers,
              config->http.len ? address_format(text, sizeof(text), &config->http) : "off");
    for (size_t i = 0; i < options->listener_count; i++) {
        const struct traffic_listener_options *listener = &options->listeners[i];
        log_event(LOG_INFO, "listening", "address=%s route=%s group=%s",
                  address_format(text, sizeof(text), &listener->address), routes[listener->route],
                  options->groups[listener->group].name);
    }
}

/* ---- signals ---- */

/* SIGUSR1 and SIGUSR2 would end the process, undrained: until they mean something they do nothing. */
static void block_signals(sigset_t *taken)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

    sigemptyset(taken);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(taken, numbers[i]);
    pthread_sigmask(SIG_BLOCK, taken, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void take_hangup(struct app *app)
{
    char *text;

    log_event(LOG_INFO, "reloading the configuration", "signal=SIGHUP file=%s", app->path);
    (void)reload_run(app->reload, &text); /* the log has it */
    free(text);
}

/* Waits for a signal that ends, for at most `ms` (-1: for ever) after the last of the others. Returns its
 * number, 0: none came. */
static int wait_signal(struct app *app, const sigset_t *taken, long ms)
{
    const struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    int number;

    for (;;) {
        number = ms < 0 ? sigwaitinfo(taken, NULL) : sigtimedwait(taken, NULL, &limit);
        if (number == SIGTERM || number == SIGINT)
            return number;
        if (number == SIGHUP)
            take_hangup(app);
        else if (number > 0)
            log_event(LOG_INFO, "a signal without a meaning is ignored", "signal=\"%s\"",
                      strsignal(number));
        else if (errno != EINTR)
            return 0;
    }
}

static void run_until_told(struct app *app, const sigset_t *taken)
{
    int number = wait_signal(app, taken, -1);
    int64_t since = clock_ms();

    reload_end(app->reload);
    log_event(LOG_INFO, "stopping", "signal=%s drain_timeout_ms=%" PRId64, strsignal(number),
              app->config->traffic.drain_timeout_ms);
    if (app->http)
        http_draining(app->http);
    workers_drain(app->workers);
    while (!workers_finished(app->workers)) {
        if (wait_signal(app, taken, DRAIN_LOOK_MS)) {
            log_event(LOG_WARN, "a second signal: stopped without draining", "");
            log_stop();
            _exit(EXIT_FAILURE);
        }
    }
    log_event(LOG_INFO, "drained", "ms=%" PRId64, clock_ms() - since);
}

static int run(const char *path, struct config *config)
{
    struct app app = {.path = path, .config = config, .http_fd = -1};
    sigset_t taken;
    int result = EXIT_FAILURE;

    block_signals(&taken);
    log_start();
    memory_install_last_words(); /* again: they come before what the log does when the program aborts */
    open_files_share_out(&config->traffic);
    if (bind_all(&app) == 0) {
        announce(config);
        if (start(&app) == 0) {
            run_until_told(&app, &taken);
            result = EXIT_SUCCESS;
        }
    }
    stop(&app);
    log_event(LOG_INFO, "redisproxy stopped", "code=%d", result);
    log_stop();
    config_free(app.config);
    return result;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    int result = EXIT_SUCCESS;
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return doctor_main(argc - 1, argv + 1);
    enum command command = read_command_line(argc, argv, &path);

    memory_install_last_words();

    if (command == COMMAND_DONE)
        return EXIT_SUCCESS;
    if (command == COMMAND_WRONG) {
        fprintf(stderr, "usage: redisproxy [-t] -c FILE | --version | --help\n");
        return EXIT_FAILURE;
    }
    struct config *config = config_load(path, stderr);
    if (!config)
        return EXIT_FAILURE;
    if (command == COMMAND_TEST) {
        printf("%s: good\n", path);
        config_free(config);
    } else {
        log_set_level(config->log);
        result = run(path, config);
    }
    return result;
}
