/*
 * metrics_process: of the process itself, under the names that every Prometheus client library gives them, from /proc and
 * getrusage(); what became of its configuration and of its log.
 */
#include "base/clock.h"
#include "base/log.h"
#include "ops/metrics_parts.h"

#include <dirent.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the configuration's reload ---- */

/* The time is in milliseconds since 1970; 0: there was no reload yet, the start counts. */
static atomic_bool reload_failed;
static atomic_llong reloaded_ms;

void metrics_note_reload(bool taken)
{
    atomic_store(&reload_failed, !taken);
    if (taken)
        atomic_store(&reloaded_ms, clock_wall_ms());
}

/* ---- /proc ---- */

struct process {
    double start_s;
    uint64_t virtual_bytes, rss_bytes, threads;
};

/* Seconds since 1970 when the system started. */
static double boot_s(void)
{
    struct timespec wall, up;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)(wall.tv_sec - up.tv_sec) + (double)(wall.tv_nsec - up.tv_nsec) / 1e9;
}

/* Fields 20, 22, 23, 24 of /proc/self/stat (proc(5)); the name, in field 2, may hold spaces. */
static bool read_stat(struct process *out)
{
    char text[1024], *at;
    unsigned long long start = 0, bytes = 0;
    long threads = 0, pages = 0;
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    at = strrchr(text, ')');
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld "
                      "%*d %llu %llu %ld",
                      &threads, &start, &bytes, &pages) != 4)
        return false;
    *out = (struct process){.start_s = boot_s() + (double)start / (double)sysconf(_SC_CLK_TCK),
                            .virtual_bytes = bytes,
                            .rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE),
                            .threads = (uint64_t)threads};
    return true;
}

static uint64_t count_fds(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", "..", and the folder itself */
}

static double cpu_s(void)
{
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static uint64_t max_fds(void)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

int64_t metrics_started_ms(void)
{
    struct process process = {.start_s = (double)clock_wall_ms() / 1000};
    (void)read_stat(&process);
    return (int64_t)(process.start_s * 1000);
}

/* ---- */

static void put_one(struct metrics_out *out, enum metric family, double value)
{
    metrics_begin(out, family);
    metrics_put_number(out, NULL, value);
}

static void put_process(struct metrics_out *out)
{
    struct process process = {0};
    bool known = read_stat(&process);
    long long reloaded = atomic_load(&reloaded_ms);
    metrics_begin(out, METRIC_BUILD_INFO);
    metrics_put(out, LABELS({"version", REDISPROXY_VERSION}), 1);
    put_one(out, METRIC_PROCESS_CPU, cpu_s());
    if (known) {
        put_one(out, METRIC_PROCESS_RSS, (double)process.rss_bytes);
        put_one(out, METRIC_PROCESS_VIRTUAL, (double)process.virtual_bytes);
    }
    put_one(out, METRIC_PROCESS_FDS, (double)count_fds());
    put_one(out, METRIC_PROCESS_MAX_FDS, (double)max_fds());
    if (known) {
        put_one(out, METRIC_PROCESS_THREADS, (double)process.threads);
        put_one(out, METRIC_PROCESS_START, process.start_s);
    }
    put_one(out, METRIC_RELOAD_OK, !atomic_load(&reload_failed));
    put_one(out, METRIC_RELOAD_TIME, reloaded ? (double)reloaded / 1000 : process.start_s);
}

static void put_log(struct metrics_out *out)
{
    static const char *const reasons[LOG_DROPS] = {
        [LOG_DROP_QUEUE] = "queue", [LOG_DROP_KIND] = "kind"};

    metrics_begin(out, METRIC_LOG_DROPPED);
    for (int why = 0; why < LOG_DROPS; why++)
        metrics_put(out, LABELS({"reason", reasons[why]}), log_dropped((enum log_drop)why));
}

void metrics_process(struct metrics_out *out, const struct metrics_view *view)
{
    if (view->process)
        put_process(out);
    put_log(out);
}
