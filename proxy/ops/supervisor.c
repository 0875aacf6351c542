/* supervisor: see the header. */
#include "ops/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/health.h"
#include "ops/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* How old the status may be. */
#define STATUS_MS 1000
/* The watchdog is fed this many times in its time, as sd_watchdog_enabled(3) asks for; one may come late. */
#define FEEDS 3
/* A stop may take so much longer than what it waits for. */
#define STOP_MARGIN_MS 5000

static void tell(const struct supervisor *supervisor, const char *message)
{
    if (supervisor->listens)
        (void)sd_notify(0, message); /* nobody who could be told that it does not work */
}

void supervisor_init(struct supervisor *supervisor, struct board *board,
                     const struct control *control, const struct workers *workers)
{
    uint64_t watchdog_us = 0;
    int watches = sd_watchdog_enabled(0, &watchdog_us);

    *supervisor = (struct supervisor){.listens = getenv("NOTIFY_SOCKET") != NULL,
                                      .every_ms = STATUS_MS,
                                      .board = board,
                                      .control = control,
                                      .workers = workers};
    if (watches < 0)
        log_event(LOG_ERROR, "WATCHDOG_USEC or WATCHDOG_PID is no number: there is no watchdog",
                  "error=\"%s\"", strerror(-watches));
    supervisor->watches = supervisor->listens && watches > 0;
    if (supervisor->watches && (int64_t)(watchdog_us / 1000 / FEEDS) < supervisor->every_ms)
        supervisor->every_ms = (int64_t)(watchdog_us / 1000 / FEEDS);
    if (supervisor->every_ms < 1)
        supervisor->every_ms = 1;
}

/* ---- what it does ---- */

static size_t readable(const struct topology_group *group)
{
    size_t count = 0;

    for (size_t i = 0; i < group->node_count; i++)
        count += group->nodes[i].readable && (int)i != group->master;
    return count;
}

static void write_group(FILE *out, const struct topology_group *group)
{
    const char *master = group->master >= 0 ? group->nodes[group->master].name : "none";

    fprintf(out, "%s: %s, master %s%s, %zu replicas are read", group->name,
            group_state_name(group->state), master, group->writable ? "" : " (writes wait)",
            readable(group));
    if (*group->reason)
        fprintf(out, " (%s)", group->reason);
}

/* One line. */
static void write_status(char *out, size_t size, const struct topology *topology)
{
    FILE *text = fmemopen(out, size, "w");

    if (!text)
        return;
    setvbuf(text, NULL, _IONBF, 0); /* what does not fit is left out, without an error at the end */
    fputs("STATUS=", text);
    for (size_t i = 0; i < topology->group_count; i++) {
        if (topology->groups[i].gone)
            continue;
        fputs(i ? "; " : "", text);
        write_group(text, &topology->groups[i]);
    }
    fclose(text);
    out[size - 1] = '\0';
    for (char *at = out; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' '; /* a node's own words may be in it */
}

static void tell_status(struct supervisor *supervisor)
{
    char status[sizeof(supervisor->status)] = "";
    struct topology *topology = board_acquire(supervisor->board);

    if (!topology)
        return;
    write_status(status, sizeof(status), topology);
    topology_release(topology);
    if (strcmp(status, supervisor->status) == 0)
        return;
    memcpy(supervisor->status, status, sizeof(status));
    tell(supervisor, status);
}

/* ---- the watchdog ---- */

static void feed(const struct supervisor *supervisor)
{
    size_t count;
    struct health_loop *loops = loops_look(supervisor->control, supervisor->workers, &count);
    char reason[128];

    if (health_loops_turn(loops, count, clock_ms(), reason, sizeof(reason)))
        tell(supervisor, "WATCHDOG=1");
    else
        log_event(LOG_ERROR, "the watchdog is not fed", "reason=\"%s\"", reason);
    free(loops);
}

/* ---- from main ---- */

void supervisor_ready(struct supervisor *supervisor)
{
    tell(supervisor, "READY=1");
    supervisor_turn(supervisor);
}

void supervisor_succeeded(const struct supervisor *supervisor, pid_t pid)
{
    char text[32];

    snprintf(text, sizeof(text), "MAINPID=%d", (int)pid);
    tell(supervisor, text);
}

void supervisor_reloading(struct supervisor *supervisor)
{
    char text[64];
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(supervisor, text);
}

void supervisor_stopping(struct supervisor *supervisor, int64_t ms)
{
    char text[128];

    snprintf(text, sizeof(text),
             "STOPPING=1\nSTATUS=draining, for at most %" PRId64
             " ms\nEXTEND_TIMEOUT_USEC=%" PRId64,
             ms, (ms + STOP_MARGIN_MS) * 1000);
    tell(supervisor, text);
    supervisor->status[0] = '\0';
    supervisor->stopping = true;
}

void supervisor_turn(struct supervisor *supervisor)
{
    int64_t now = clock_ms();

    if (!supervisor->listens || now < supervisor->next_ms)
        return;
    supervisor->next_ms = now + supervisor->every_ms;
    if (supervisor->watches)
        feed(supervisor);
    if (!supervisor->stopping)
        tell_status(supervisor);
}

int64_t supervisor_sleep(const struct supervisor *supervisor, int64_t ms)
{
    if (!supervisor->listens || (ms >= 0 && ms < supervisor->every_ms))
        return ms;
    return supervisor->every_ms;
}
