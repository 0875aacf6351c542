/*
 * series: planned switchovers back and forth, for as long as one likes, each one's stall beside its
 * floor; and everything that was logged when one stalls longer than Redis makes it.
 *
 *   series [-n SWITCHOVERS] [-a APART_S] [-m MIN_REPLICAS] [-c LINE]... FOLDER
 *
 * -c adds a line to the proxy's [master] section. What the nodes, the Sentinels and the proxy had
 * logged is copied to FOLDER/stall-N for each stall that is more than 50 ms over its floor, together
 * with what the observer saw. Exits 1 when there was one, or when a client got an error or a write was
 * lost.
 */
#include "scenario/scenario.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OVER_US = 50 * 1000,
    LONG_US = 8000 * 1000, /* no full resync takes so long, whatever the floor is */
    QUICK_US = 1300 * 1000,
    LINES_MAX = 1024,
    ASK_US = 30 * 1000000
};

struct series {
    int count, apart_s;
    const char *folder;
    int played, quick, stalls;
    long full;
    int64_t longest;
};

static void nothing(struct stage *s)
{
    (void)s;
}

static void note_sight(void *user, int64_t at, int sentinel, const char *event)
{
    fprintf(user, "%lld sentinel %d: %s\n", (long long)at, sentinel + 1, event);
}

static void show_trouble(void *user, const struct trouble *t)
{
    fprintf(user, "%s: client %d, sequence %ld, sent %lld, answered %lld: %s\n",
            trouble_name(t->kind), t->client, t->sequence, (long long)t->sent,
            (long long)t->answered, t->text);
}

static void keep_logs(const struct series *r, struct stage *s, const char *name, int64_t asked)
{
    char command[1024], path[256], events[300];
    snprintf(path, sizeof(path), "%s/%s", r->folder, name);
    snprintf(events, sizeof(events), "%s/events", path);
    snprintf(command, sizeof(command), "mkdir -p '%s' && cp %s/*.log '%s'", path,
             s->trio.scratch.dir, path);
    if (system(command) != 0)
        fprintf(stderr, "the logs cannot be copied to %s\n", path);
    FILE *out = fopen(events, "w");
    if (!out)
        return;
    observer_each(s->observer, asked, note_sight, out);
    load_troubles(s->load, s->began, now_us(), show_trouble, out);
    fclose(out);
}

/* A Sentinel refuses (INPROG, NOGOODSLAVE) as long as the last failover is not over for it: then the
 * next one is asked. */
static int64_t ask_for_one(struct stage *s, struct series *r)
{
    int64_t began = now_us(), asked = began;
    bool taken = false;
    for (int i = r->played; !taken && now_us() < began + ASK_US; i++) {
        asked = now_us();
        taken = trio_failover_by(&s->trio, i % s->trio.options.sentinels);
        if (!taken)
            pause_ms(20);
    }
    return taken ? asked : 0;
}

static void play_one(struct series *r, struct stage *s)
{
    struct switchover seen;
    long full = stage_full_resyncs(s);
    int64_t asked = ask_for_one(s, r), end = 0;
    r->played++;
    if (!asked) {
        printf("%d: no Sentinel takes the request\n", r->played);
        return;
    }
    bool over = observer_switchover(s->observer, asked, &seen) == 0;
    stage_go_on(s, r->apart_s * 1000 - (int)((now_us() - asked) / 1000));
    int64_t gap = load_gap(s->load, asked, now_us(), &end);
    int64_t floor = over ? seen.floor - (end - gap) : 0;
    bool stall = !over || gap < 0 || gap > floor + OVER_US || gap > LONG_US;
    full = stage_full_resyncs(s) - full;
    r->full += full;
    r->quick += gap >= 0 && gap <= QUICK_US;
    r->stalls += stall;
    r->longest = gap > r->longest ? gap : r->longest;
    printf("%d: stall %.0f ms, floor %.0f ms, promoted after %.0f ms, writable after %.0f ms, full "
           "resyncs "
           "%ld%s\n",
           r->played, (double)gap / 1000, (double)floor / 1000,
           (double)(seen.promoted - seen.asked) / 1000, (double)(seen.writable - seen.asked) / 1000,
           full,
           !over   ? ", NOT OVER"
           : stall ? ", STALL"
                   : "");
    fflush(stdout);
    char name[32];
    snprintf(name, sizeof(name), "stall-%d", r->played);
    if (stall)
        keep_logs(r, s, name, asked);
}

static int play(struct series *r, const struct scenario *scenario)
{
    static struct stage stage;
    struct load_report report = {0};
    stage = (struct stage){.scenario = scenario};
    if (stage_open(&stage, TARGET_REDISPROXY) < 0)
        return -1;
    while (r->played < r->count)
        play_one(r, &stage);
    stage_whole(&stage);
    load_finish(stage.load);
    if (load_report(stage.load, &stage.trio, &report) < 0)
        stage_wrong(&stage, "the final master cannot be read");
    load_report_print(stdout, &report);
    keep_logs(r, &stage, "all", stage.began);
    printf("%d switchovers, %d of them within 1300 ms, the longest %.0f ms, %ld full resyncs, %d "
           "stalls over "
           "their floor; %s\n",
           r->played, r->quick, (double)r->longest / 1000, r->full, r->stalls, stage.wrong);
    bool good = !r->stalls && !stage.wrong[0] && !report.errors && !report.unknown &&
                !report.refused && !report.lost && !report.doubled;
    if (target_stop(&stage.target) < 0)
        good = false;
    stage_close(&stage);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static char lines[LINES_MAX];
    struct series r = {.count = 50, .apart_s = 20};
    struct scenario scenario = {.name = "series", .title = "series", .run = nothing};
    int option;
    signal(SIGPIPE, SIG_IGN);
    scenario.trio.min_replicas = 1;
    while ((option = getopt(argc, argv, "n:a:m:c:")) != -1) {
        if (option == 'n')
            r.count = atoi(optarg);
        else if (option == 'a')
            r.apart_s = atoi(optarg);
        else if (option == 'm')
            scenario.trio.min_replicas = atoi(optarg);
        else if (option == 'c')
            snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "%s\n", optarg);
        else
            return 2;
    }
    if (optind + 1 != argc || mkdir(argv[optind], 0755) < 0) {
        fprintf(stderr,
                "usage: series [-n SWITCHOVERS] [-a APART_S] [-m MIN_REPLICAS] [-c LINE]... "
                "FOLDER (a new one)\n");
        return 2;
    }
    r.folder = argv[optind];
    scenario.proxy.master_lines = lines;
    scenario.proxy.proxy_lines = "log = debug\n";
    return play(&r, &scenario) == 0 ? 0 : 1;
}
