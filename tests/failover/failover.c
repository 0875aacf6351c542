/*
 * failover: every way a master can go, played against redisproxy and, where it is installed, against
 * HAProxy with the redis-ha chart's configuration, with the chart's timings; one table at the end.
 *
 *   failover [-f] [-s SCENARIO]... [-p redisproxy|haproxy] TIMELINE
 *
 * -f plays with the short timings of the system tests. Each play runs in a process of its own,
 * because some move into namespaces of their own. TIMELINE gets what timeline.awk draws.
 */
#include "scenario/scenario.h"

#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS_MAX = 200, KINDS = 2 };

struct row {
    const struct scenario *scenario;
    enum target_kind kind;
    bool failed; /* could not be played */
    struct outcome outcome;
};

struct options {
    bool fast;
    const char *scenario[ROWS_MAX]; /* none: all */
    int scenarios;
    const char *proxy, *timeline;
};

static int usage(void)
{
    fprintf(stderr, "usage: failover [-f] [-s SCENARIO]... [-p redisproxy|haproxy] TIMELINE\n"
                    "scenarios:\n");
    for (int i = 0; scenarios[i]; i++)
        fprintf(stderr, "  %-18s %s\n", scenarios[i]->name, scenarios[i]->title);
    return 2;
}

static int read_options(int argc, char **argv, struct options *o)
{
    int option;
    *o = (struct options){0};
    while ((option = getopt(argc, argv, "fs:p:")) != -1) {
        if (option == 'f')
            o->fast = true;
        else if (option == 's' && o->scenarios < ROWS_MAX && scenario_find(optarg))
            o->scenario[o->scenarios++] = optarg;
        else if (option == 'p')
            o->proxy = optarg;
        else
            return -1;
    }
    bool known = !o->proxy || !*o->proxy || strcmp(o->proxy, "redisproxy") == 0 ||
                 strcmp(o->proxy, "haproxy") == 0;
    if (!known || optind + 1 != argc)
        return -1;
    o->timeline = argv[optind];
    return 0;
}

/* In a child: plays, and sends what came of it through the pipe. */
static void play(const struct row *row, const struct options *o, int to)
{
    struct outcome outcome;
    FILE *timeline = fopen(o->timeline, "a");
    if (!timeline || scenario_play(row->scenario, row->kind, o->fast, timeline, &outcome) < 0)
        _exit(1);
    const char *skipped = outcome.skipped;
    if (skipped) /* a pointer means nothing to the parent */
        snprintf(outcome.wrong, sizeof(outcome.wrong), "%s", skipped);
    fclose(timeline);
    _exit(write(to, &outcome, sizeof(outcome)) != sizeof(outcome));
}

static void play_row(struct row *row, const struct options *o)
{
    int ends[2], status = 1;
    row->failed = true;
    if (pipe(ends) < 0)
        return;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        play(row, o, ends[1]);
    close(ends[1]);
    ssize_t got = read(ends[0], &row->outcome, sizeof(row->outcome));
    close(ends[0]);
    waitpid(pid, &status, 0);
    row->failed = got != sizeof(row->outcome) || status != 0;
    if (!row->failed && row->outcome.skipped)
        row->outcome.skipped = row->outcome.wrong;
}

static bool named(const struct options *o, const char *scenario)
{
    for (int i = 0; i < o->scenarios; i++)
        if (strcmp(o->scenario[i], scenario) == 0)
            return true;
    return o->scenarios == 0;
}

static bool chosen(const struct options *o, const struct scenario *scenario, enum target_kind kind)
{
    if (!named(o, scenario->name))
        return false;
    if (kind != TARGET_REDISPROXY && scenario->ours)
        return false;
    return !o->proxy || !*o->proxy || strcmp(o->proxy, target_name(kind)) == 0;
}

static int choose_rows(const struct options *o, struct row *rows)
{
    int count = 0;
    for (int i = 0; scenarios[i] && count + KINDS <= ROWS_MAX; i++)
        for (int k = 0; k < KINDS; k++)
            if (chosen(o, scenarios[i], (enum target_kind)k))
                rows[count++] = (struct row){.scenario = scenarios[i], .kind = (enum target_kind)k};
    return count;
}

static void print_row(const struct row *row)
{
    const struct outcome *o = &row->outcome;
    const struct load_report *r = &o->report;
    printf("%-50s %-10s ", row->scenario->title, target_name(row->kind));
    if (row->failed || o->skipped) {
        printf("%s\n", row->failed ? "could not be played" : o->skipped);
        return;
    }
    char floor[24] = "-", over[24] = "-";
    if (o->floor_gap)
        snprintf(floor, sizeof(floor), "%.0f", (double)o->floor_gap / 1000);
    if (o->distance > INT64_MIN)
        snprintf(over, sizeof(over), "%+.0f", (double)o->distance / 1000);
    printf("%8.0f %8s %8s %7ld %7ld %7ld %9ld %6ld %6ld %7ld %7ld %6ld  %s\n",
           (double)o->gap / 1000, floor, over, r->errors, r->unknown, r->refused,
           r->disconnects + r->read_disconnects + r->stray_disconnects, r->lost, r->lost_by_redis,
           r->doubled, r->strays_accepted, r->read_errors,
           row->kind == TARGET_HAPROXY ? ""
           : o->wrong[0]               ? "WRONG"
                                       : "ok");
}

/* Returns the number of rows of redisproxy's that do not hold. */
static int print_table(const struct row *rows, int count)
{
    int wrong = 0;
    printf("\n%-50s %-10s %8s %8s %8s %7s %7s %7s %9s %6s %6s %7s %7s %6s\n", "scenario", "proxy",
           "gap ms", "floor ms", "over ms", "errors", "unknown", "refused", "reconnect", "lost",
           "redis*", "doubled", "strays", "reads");
    for (int i = 0; i < count; i++)
        print_row(&rows[i]);
    printf("\ngap: the longest time without an acknowledged write; floor: what a client that knows "
           "everything would have had;\nover: the worst first write after a floor; errors: other "
           "than unknown and refused; reads: read errors\n* acknowledged, and lost by Redis: with "
           "a master that died, or was none\n\n");
    for (int i = 0; i < count; i++)
        if (!rows[i].failed && rows[i].outcome.note[0])
            printf("%s (%s): %s\n", rows[i].scenario->name, target_name(rows[i].kind),
                   rows[i].outcome.note);
    for (int i = 0; i < count; i++) {
        bool bad = rows[i].failed || (!rows[i].outcome.skipped && rows[i].outcome.wrong[0]);
        if (bad && rows[i].kind == TARGET_REDISPROXY) {
            wrong++;
            printf("%s: %s\n", rows[i].scenario->name,
                   rows[i].failed ? "could not be played" : rows[i].outcome.wrong);
        }
    }
    return wrong;
}

int main(int argc, char **argv)
{
    static struct row rows[ROWS_MAX];
    struct options o;
    int64_t began = now_ms();
    signal(SIGPIPE, SIG_IGN);
    if (read_options(argc, argv, &o) < 0)
        return usage();
    FILE *timeline = fopen(o.timeline, "w");
    if (!timeline) {
        perror(o.timeline);
        return 1;
    }
    fclose(timeline);
    int count = choose_rows(&o, rows);
    for (int i = 0; i < count; i++) {
        printf("[%d/%d, %ld s] %s (%s) ...\n", i + 1, count, (long)(now_ms() - began) / 1000,
               rows[i].scenario->title, target_name(rows[i].kind));
        play_row(&rows[i], &o);
        if (!rows[i].failed)
            outcome_print(stdout, rows[i].scenario, rows[i].kind, &rows[i].outcome);
    }
    return print_table(rows, count) ? 1 : 0;
}
