/*
 * main: wiring, signals.
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
#include "net/tls_watch.h"
#include "ops/admin.h"
#include "ops/bind.h"
#include "ops/check.h"
#include "ops/command_line.h"
#include "ops/config.h"
#include "ops/ctl.h"
#include "ops/doctor.h"
#include "ops/handed_sockets.h"
#include "ops/history_file.h"
#include "ops/http.h"
#include "ops/log_setup.h"
#include "ops/manual.h"
#include "ops/open_files.h"
#include "ops/reload.h"
#include "ops/supervisor.h"
#include "ops/takeover.h"
#include "topology/control.h"
#include "topology/topology.h"
#include "worker/workers.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_LOOK_MS 10

struct app {
    struct reload_parts; /* what runs; a reload replaces some of it */
    struct reload *reload;
    struct handed_sockets *handed; /* until all sockets are there */
    int *listen_fds;               /* one for each listener; the workers's once it is started */
    size_t listen_count;
    int http_fd; /* -1: none, or the web server's */
    struct supervisor supervisor;
    struct history_file *history_file;
    struct admin_socket admin_socket;
    char **argv;
    bool takes_over; /* --takeover */
};

/* ---- sockets ---- */

/* The socket that was handed in, or a new one. Returns the descriptor, or -1 after logging why. */
static int take_or_bind(const struct app *app, const struct address *address, const char *use,
                        const char *name)
{
    char why[BIND_TEXT_MAX];
    int fd = takeover_socket(app->takeover, address);

    if (fd < 0)
        fd = handed_sockets_take(app->handed, address, name);
    return fd >= 0 ? fd : bind_address(address, use, why, sizeof(why));
}

/* Tries all of them, so that every taken address is reported. Returns 0 or -1. */
static int bind_all(struct app *app)
{
    const struct traffic_options *options = &app->config->traffic;
    int result = 0;

    app->handed = handed_sockets_new();
    app->listen_count = options->listener_count;
    app->listen_fds = calloc(options->listener_count, sizeof(int));
    if (!app->listen_fds)
        abort();
    if (app->config->http.len) { /* first: what is named http is not for clients */
        app->http_fd = take_or_bind(app, &app->config->http, "http", "http");
        if (app->http_fd < 0)
            result = -1;
    }
    for (size_t i = 0; i < options->listener_count; i++) {
        app->listen_fds[i] = take_or_bind(app, &options->listeners[i].address, "clients", NULL);
        if (app->listen_fds[i] < 0)
            result = -1;
    }
    handed_sockets_free(app->handed);
    app->handed = NULL;
    if (admin_bind(&app->admin_socket, app->config, app->takeover != NULL) != 0)
        result = -1;
    return result;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- starting and stopping ---- */

/* "ctl drain" was told, and no signal has followed yet. */
static atomic_bool drained_by_ctl;

/* The main thread takes it as if it came from outside. */
static void drain_by_signal(void)
{
    atomic_store(&drained_by_ctl, true);
    kill(getpid(), SIGTERM);
}

static int start_admin(struct app *app)
{
    if (app->admin_socket.fd < 0)
        return 0;
    return reload_start_admin(app->reload, &app->admin_socket,
                              &(struct admin_sources){.config = app->config,
                                                      .reload = app->reload,
                                                      .run = reload_run,
                                                      .preview = reload_preview,
                                                      .board = app->board,
                                                      .control = app->control,
                                                      .workers = app->workers,
                                                      .drain = drain_by_signal});
}

/* Returns 0, or -1 after the part that failed has logged why. */
static int start(struct app *app)
{
    const struct traffic_options *options = &app->config->traffic;

    if (app->config->tls.count) {
        app->tls_watch = tls_watch_start(app->config->tls.sources, app->config->tls.count);
        if (!app->tls_watch)
            return -1;
    }
    app->succession =
        succession_new(&(struct succession_options){.takeover = app->config->takeover,
                                                    .listener_count = app->listen_count,
                                                    .listen_fds = app->listen_fds,
                                                    .http_fd = app->http_fd,
                                                    .argv = app->argv});
    app->config->traffic.clients_before = takeover_clients_before(app->takeover);
    app->reload = reload_new((struct reload_parts *)app);
    app->board = board_new(traffic_group_room(options));
    if (app->config->history_file)
        app->history_file =
            history_file_start(board_history(app->board), app->config->history_file);
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
        if (reload_start_http(app->reload, fd) != 0)
            return -1;
    }
    if (start_admin(app) != 0)
        return -1;
    succession_start(app->succession, app->workers);
    if (app->takeover)
        takeover_serve(app->takeover, app->workers, app->board, app->succession);
    else
        succession_open(app->succession, false);
    return 0;
}

/* The way back, from wherever start() came to. */
static void stop(struct app *app)
{
    takeover_stop(app->takeover);
    succession_stop(app->succession, false);
    http_stop(app->http);
    admin_stop(app->admin);
    if (app->workers)
        workers_stop(app->workers);
    if (app->control)
        control_stop(app->control);
    history_file_stop(app->history_file);
    admin_free(app->admin);
    admin_unbind(&app->admin_socket);
    if (app->board)
        board_free(app->board);
    tls_watch_stop(app->tls_watch);
    for (size_t i = 0; app->listen_fds && i < app->listen_count; i++)
        close_fd(&app->listen_fds[i]);
    close_fd(&app->http_fd);
    takeover_free(app->takeover);
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

/* SIGUSR1 would end the process, undrained: until it means something it does nothing. */
static void block_signals(sigset_t *taken)
{
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SUCCESSION_SIGNAL};

    sigemptyset(taken);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(taken, numbers[i]);
    pthread_sigmask(SIG_BLOCK, taken, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Waits for a signal for at most `ms` (-1: for ever). Returns its number, 0: none came. */
static int wait_signal(const sigset_t *taken, int64_t ms)
{
    const struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    int number = ms < 0 ? sigwaitinfo(taken, NULL) : sigtimedwait(taken, NULL, &limit);

    return number > 0 ? number : 0;
}

/* One that does not end the process. */
static void take_signal(struct app *app, int number)
{
    char *text;

    if (number == SIGUSR2) {
        succession_spawn(app->succession);
        return;
    }
    if (number != SIGHUP) {
        log_event(LOG_INFO, "a signal without a meaning is ignored", "signal=\"%s\"",
                  strsignal(number));
        return;
    }
    supervisor_reloading(&app->supervisor);
    log_event(LOG_INFO, "reloading the configuration", "signal=SIGHUP file=%s",
              config_name(app->path));
    (void)reload_run(app->reload, &text); /* the log has it */
    free(text);
    supervisor_ready(&app->supervisor);
}

/* Returns the number of a signal that ends the process, 0: none came in `ms` (-1: for ever). */
static int live_on(struct app *app, const sigset_t *taken, int64_t ms)
{
    int64_t until = ms < 0 ? INT64_MAX : clock_ms() + ms, left = ms;

    for (;;) {
        int number = wait_signal(taken, supervisor_sleep(&app->supervisor, left));
        if (number == SIGTERM || number == SIGINT ||
            (number == SUCCESSION_SIGNAL && app->succession))
            return number;
        if (number && number != SUCCESSION_SIGNAL)
            take_signal(app, number);
        supervisor_turn(&app->supervisor);
        left = ms < 0 ? -1 : until - clock_ms();
        if (ms >= 0 && left <= 0)
            return 0;
    }
}

static void exit_undrained(void)
{
    log_event(LOG_WARN, "a second signal: stopped without draining", "");
    log_stop();
    _exit(EXIT_FAILURE);
}

/* Another process takes over. Returns whether everything is there; otherwise that one has gone, and all goes on here. */
static bool hand_over(struct app *app, const sigset_t *taken)
{
    int64_t since = clock_ms();
    int finished = 0; /* twice: a client may be on its way from one worker to another */

    supervisor_succeeded(&app->supervisor, succession_pid(app->succession));
    reload_refuse(app->reload, "another process takes over: reload that one");
    http_stop(app->http);
    app->http = NULL;
    while (succession_state(app->succession) == SUCCESSION_GOING) {
        int number = live_on(app, taken, DRAIN_LOOK_MS);
        if (number == SIGTERM || number == SIGINT)
            exit_undrained();
        finished = workers_finished(app->workers) ? finished + 1 : 0;
        if (finished == 2) {
            log_event(LOG_INFO, "handed over", "ms=%" PRId64, clock_ms() - since);
            takeover_stop(app->takeover);
            succession_stop(app->succession, true);
            app->succession = NULL;
            return true;
        }
    }
    int fd = succession_http_socket(app->succession);
    reload_refuse(app->reload, NULL);
    if (fd >= 0 && reload_start_http(app->reload, fd) != 0)
        log_event(LOG_ERROR, "there is no web server any more", "");
    supervisor_succeeded(&app->supervisor, getpid());
    return false;
}

/* Waits for ms while it drains. A second signal ends the process; the one that follows "ctl drain" asks for the same once more:
 * Kubernetes sends it when the preStop hook has returned. */
static void drain_on(struct app *app, const sigset_t *taken, int64_t ms)
{
    int64_t until = clock_ms() + ms, left = ms;

    while (live_on(app, taken, left)) {
        if (!atomic_exchange(&drained_by_ctl, false))
            exit_undrained();
        left = until > clock_ms() ? until - clock_ms() : 0;
    }
}

static void run_until_told(struct app *app, const sigset_t *taken)
{
    int number;
    while ((number = live_on(app, taken, -1)) == SUCCESSION_SIGNAL)
        if (hand_over(app, taken))
            return;
    int64_t since = clock_ms();

    reload_end(app->reload);
    takeover_stop(app->takeover);
    succession_stop(app->succession, false);
    app->succession = NULL;
    const struct traffic_options *options = &app->config->traffic;
    log_event(LOG_INFO, "stopping",
              "signal=%s drain_delay_ms=%" PRId64 " drain_timeout_ms=%" PRId64, strsignal(number),
              options->drain_delay_ms, options->drain_timeout_ms);
    supervisor_stopping(&app->supervisor, options->drain_delay_ms + options->drain_timeout_ms);
    if (app->http)
        http_draining(app->http);
    admin_draining(app->admin);
    if (options->drain_delay_ms)
        drain_on(app, taken, options->drain_delay_ms);
    workers_drain(app->workers);
    while (!workers_finished(app->workers))
        drain_on(app, taken, DRAIN_LOOK_MS);
    log_event(LOG_INFO, "drained", "ms=%" PRId64, clock_ms() - since);
}

static int run(const char *path, struct config *config, char **argv, bool takes_over)
{
    struct app app = {.path = path,
                      .config = config,
                      .http_fd = -1,
                      .admin_socket = {.fd = -1},
                      .argv = argv,
                      .takes_over = takes_over};
    sigset_t taken;
    int result = EXIT_FAILURE;

    block_signals(&taken);
    log_start();
    memory_install_last_words(); /* again: they come before what the log does when the program aborts */
    open_files_share_out(&config->traffic);
    if (takeover_begin(&app.takeover, config, app.takes_over) == 0 && bind_all(&app) == 0) {
        announce(config);
        if (start(&app) == 0) {
            supervisor_init(&app.supervisor, app.board, app.control, app.workers);
            supervisor_ready(&app.supervisor);
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

/* Loads the configuration, and runs with it, or only says that it is good. */
static int run_or_test(const struct command_line *line, char **argv)
{
    struct config *config = config_load(line->path, stderr);

    if (!config)
        return EXIT_FAILURE;
    if (line->command == COMMAND_TEST) {
        printf("%s: good\n", config_name(line->path));
        config_free(config);
        return EXIT_SUCCESS;
    }
    log_set_level(config->log);
    log_setup_apply(&config->log_setup);
    return run(line->path, config, argv, line->takes_over);
}

int main(int argc, char **argv)
{
    struct command_line line;

    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return doctor_main(argc - 1, argv + 1);

    if (argc > 1 && strcmp(argv[1], "ctl") == 0)
        return ctl_main(argc - 1, argv + 1);
    if (argc == 3 && strcmp(argv[1], "--print") == 0)
        return manual_print(stdout, argv[2]) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    command_line_read(&line, argc, argv);

    memory_install_last_words();

    switch (line.command) {
    case COMMAND_DONE:
        return EXIT_SUCCESS;
    case COMMAND_WRONG:
        return EXIT_FAILURE;
    case COMMAND_CHECK:
        return check_main(line.path, line.alive);
    default:
        return run_or_test(&line, argv);
    }
}
