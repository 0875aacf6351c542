/*
 * soak: the course of a soak (soak.h): one trio, one proxy, one load, event after event, and the
 * look at what is left in the proxy when the load is over.
 */
#include "scenario/soak.h"

#include "harness/client.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GONE_MS = 5000,    /* for the proxy to see that its clients left */
    EXPIRE_MS = 40000, /* ... and to close the leases that nobody takes any more (30 s) */
    IDENTITIES = 2,    /* the clients' one, the proxy's own */
    FILES_SLACK = 8    /* the control plane's connections come and go */
};

void soak_wrong(struct soak *soak, const char *format, ...)
{
    va_list args;
    fprintf(soak->out, "WRONG: ");
    va_start(args, format);
    vfprintf(soak->out, format, args);
    va_end(args);
    fputc('\n', soak->out);
    soak->wrong++;
}

/* ---- what the proxy holds ---- */

static long open_files(const struct soak *soak)
{
    char path[40];
    long count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", soak->stage.target.proxy.pid);
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static long gauge(const struct soak *soak, const char *name)
{
    return proxy_gauge(&soak->stage.target.proxy, name, -1);
}

/* Descriptors that belong neither to a client nor to an upstream. */
static long other_files(const struct soak *soak)
{
    return open_files(soak) - gauge(soak, "redisproxy_sessions") -
           gauge(soak, "redisproxy_upstreams");
}

/* The least of many: clients come and go between two looks. */
static void measure_before(struct soak *soak)
{
    soak->files_before = other_files(soak);
    for (int i = 0; i < 100; i++) {
        long files = other_files(soak);
        if (files < soak->files_before)
            soak->files_before = files;
        pause_ms(5);
    }
    soak->memory_before = proxy_memory(&soak->stage.target.proxy);
}

/* When the clients are gone, nothing of theirs is left: no session, nothing held, and of the
 * upstreams only the shared ones. */
static void check_leaks(struct soak *soak)
{
    int nodes = soak->stage.trio.options.nodes;
    if (!wait_until(GONE_MS, gauge(soak, "redisproxy_sessions") == 0))
        soak_wrong(soak, "%ld sessions are left", gauge(soak, "redisproxy_sessions"));
    if (!wait_until(GONE_MS, gauge(soak, "redisproxy_held_sessions") == 0 &&
                                 gauge(soak, "redisproxy_held_bytes") == 0))
        soak_wrong(soak, "%ld sessions with %ld bytes are still held",
                   gauge(soak, "redisproxy_held_sessions"), gauge(soak, "redisproxy_held_bytes"));
    if (!wait_until(EXPIRE_MS,
                    gauge(soak, "redisproxy_upstreams") <= IDENTITIES * nodes * proxy_workers()))
        soak_wrong(soak, "%ld upstreams are left", gauge(soak, "redisproxy_upstreams"));
    long files = other_files(soak), memory = proxy_memory(&soak->stage.target.proxy);
    fprintf(soak->out,
            "left in the proxy: %ld sessions, %ld held, %ld upstreams, %ld other files (%ld at the "
            "beginning), %ld KB (%ld)\n",
            gauge(soak, "redisproxy_sessions"), gauge(soak, "redisproxy_held_sessions"),
            gauge(soak, "redisproxy_upstreams"), files, soak->files_before, memory / 1024,
            soak->memory_before / 1024);
    if (files > soak->files_before + FILES_SLACK)
        soak_wrong(soak, "%ld other files are open, %ld were at the beginning", files,
                   soak->files_before);
}

/* ---- the course ---- */

static void print_event(struct soak *soak, const struct soak_event *e)
{
    char text[300];
    soak_describe(e, text, sizeof(text));
    fprintf(soak->out, "[%d/%d %4.0f s] %s ... ", e->number,
            soak->options.first + soak->options.events - 1, (double)(e->began - soak->began) / 1e6,
            text);
    fflush(soak->out);
}

static void count_trouble(void *user, const struct trouble *t)
{
    ((long *)user)[t->kind]++;
}

static void print_outcome(struct soak *soak, const struct soak_event *e)
{
    long count[TROUBLES] = {0};
    if (e->master_after != e->master_before)
        fprintf(soak->out, "node %d to %d, ", e->master_before + 1, e->master_after + 1);
    fprintf(soak->out, "%.0f ms without a write", (double)e->write_gap / 1000);
    load_troubles(soak->stage.load, e->began, now_us(), count_trouble, count);
    for (int i = 0; i < TROUBLES; i++)
        if (count[i])
            fprintf(soak->out, ", %ld %s", count[i], trouble_name((enum trouble_kind)i));
    fprintf(soak->out, "%s\n", e->whole ? "" : "; THE TRIO DOES NOT HEAL");
    fflush(soak->out);
}

static void run_events(struct soak *soak)
{
    for (int i = 0; i < soak->options.events && !soak->stage.wrong[0]; i++) {
        struct soak_event *e = &soak->event[soak->count++];
        soak_draw(soak->options.seed, soak->options.first + i, e);
        e->began = now_us();
        print_event(soak, e);
        soak_happen(soak, e);
        print_outcome(soak, e);
        if (!e->whole)
            stage_wrong(&soak->stage, "the trio does not heal");
    }
}

static const struct scenario *scenario_of(const struct soak_options *options)
{
    static const struct scenario with_journal = {
        .name = "soak",
        .trio = {.min_replicas = 1, .journal = true},
    };
    static const struct scenario with_snapshots = {
        .name = "soak",
        .trio = {.min_replicas = 1, .persistent = true},
    };
    return options->seed % 2 ? &with_journal : &with_snapshots;
}

/* The wall clock is for the proxy's log. */
static int64_t wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void account(struct soak *soak)
{
    struct stage *s = &soak->stage;
    struct load_report report;
    load_finish(s->load);
    if (s->wrong[0])
        soak_wrong(soak, "%s", s->wrong);
    soak_excuse(soak);
    if (load_report(s->load, &s->trio, &report) < 0)
        soak_wrong(soak, "the final master cannot be read");
    load_report_print(soak->out, &report);
    if (report.strays_accepted)
        soak_wrong(soak, "%ld writes accepted on the read port", report.strays_accepted);
    if (!report.acknowledged || !report.reads || !report.strays)
        soak_wrong(soak, "there was no load");
    soak_judge(soak);
    check_leaks(soak);
}

int soak_play(const struct soak_options *options, FILE *out)
{
    struct soak *soak = calloc(1, sizeof(*soak));
    struct stage *s = &soak->stage;
    int wrong = -1;
    soak->options = *options;
    soak->out = out;
    s->scenario = scenario_of(options);
    s->fast = true;
    s->guests = SOAK_GUESTS;
    s->seed = (unsigned)options->seed;
    fprintf(out, "seed %lu, events %d to %d, %s\n", options->seed, options->first,
            options->first + options->events - 1,
            s->scenario->trio.journal ? "nodes with a journal" : "nodes with snapshots");
    if (stage_open(s, TARGET_REDISPROXY) == 0) {
        for (int i = 0; i < s->trio.options.sentinels; i++)
            soak_tell_sentinel(s, i);
        soak->began = now_us();
        soak->wall_began = wall_us();
        measure_before(soak);
        run_events(soak);
        account(soak);
        if (target_stop(&s->target) < 0)
            soak_wrong(soak, "the proxy did not end well");
        wrong = soak->wrong;
    }
    stage_close(s);
    free(soak);
    return wrong;
}
