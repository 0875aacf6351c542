/*
 * switchover: the promise of the whole program. A trio with the redis-ha chart's settings is
 * switched over by SENTINEL FAILOVER under load, three times a variant (once with a sanitizer), and no client notices: no
 * error, no disconnect, no acknowledged write lost, none doubled, no stray write accepted, and the
 * first acknowledged write of the new master close to the floor (observer.h).
 *
 * The distance is asserted generously, for a busy machine; it is printed, so that it can be read.
 */
#include "harness/client.h"
#include "harness/load.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { SWITCHOVERS_MAX = 3, FLOOR_SLACK_US = 250 * 1000, LOADS_MAX = 3 };

const struct suite suite = {.trio = {.min_replicas = 1}};

/* Of one variant: a sanitizer finds what it finds in one. */
static int switchovers(void)
{
    const char *sanitize = getenv("SANITIZE");
    return sanitize && *sanitize ? 1 : SWITCHOVERS_MAX;
}

static struct load_options plain_load(const struct proxy *p)
{
    return (struct load_options){
        .host = p->host,
        .name = "plain",
        .write_port = PROXY_MASTER,
        .writers = 16,
        .read_port = PROXY_REPLICA,
        .readers = 8,
        .stray_port = PROXY_REPLICA,
        .strays = 6,
    };
}

/* Asks for a failover and waits until the trio is whole again, all the while under load. */
static void switch_over(struct trio *trio, struct observer *observer, struct switchover *out)
{
    int before = trio_master(trio);
    int64_t asked = now_us();
    cr_assert(trio_failover(trio) == 0);
    cr_assert(observer_switchover(observer, asked, out) == 0, "the switchover does not end");
    cr_assert(out->master != before, "the old master is the new one");
    cr_assert(trio_wait_whole(trio) == 0);
}

static void check_report(struct load *load, struct trio *trio)
{
    struct load_report r;
    cr_assert(load_report(load, trio, &r) == 0);
    load_report_print(stderr, &r);
    cr_expect(r.acknowledged > 100, "only %ld writes acknowledged", r.acknowledged);
    cr_expect(r.errors + r.unknown + r.disconnects == 0, "write errors: %s", r.first_error);
    cr_expect(r.lost == 0, "%ld acknowledged writes lost", r.lost);
    cr_expect(r.doubled + r.out_of_order + r.refused_done == 0, "doubled or out of order");
    cr_expect(r.read_errors + r.read_disconnects == 0, "read errors: %s", r.first_error);
    cr_expect(r.strays_accepted + r.stray_errors + r.stray_disconnects == 0, "strays: %s",
              r.first_error);
}

/* `until`: when the next one was asked for, or the load ended. */
static void check_gap(struct load *load, const struct load_options *options,
                      const struct switchover *s, int64_t until, int number)
{
    int64_t first, gap = load_gap(load, s->asked, until, &first);
    fprintf(
        stderr,
        "%s, switchover %d: gap %.1f ms; after the request: elected %.1f, promoted %.1f, writable "
        "%.1f, switched %.1f, first write %.1f ms: floor %+.1f ms\n",
        options->name, number + 1, (double)gap / 1000, (double)(s->elected - s->asked) / 1000,
        (double)(s->promoted - s->asked) / 1000, (double)(s->writable - s->asked) / 1000,
        (double)(s->switched - s->asked) / 1000, (double)(first - s->asked) / 1000,
        (double)(first - s->floor) / 1000);
    cr_expect(first - s->floor <= FLOOR_SLACK_US, "first write %.1f ms after the floor",
              (double)(first - s->floor) / 1000);
}

/* The switchovers of one variant, under all these loads at once. */
static void run(struct shared *s, const struct load_options *options, int loads)
{
    struct observer *observer = observer_start(&s->trio);
    struct load *load[LOADS_MAX];
    struct switchover switchover[SWITCHOVERS_MAX];
    int count = switchovers();
    for (int i = 0; i < loads; i++)
        load[i] = load_start(&options[i]);
    for (int i = 0; i < count; i++)
        switch_over(&s->trio, observer, &switchover[i]);
    for (int i = 0; i < loads; i++) {
        load_finish(load[i]);
        for (int k = 0; k < count; k++)
            check_gap(load[i], &options[i], &switchover[k],
                      k + 1 < count ? switchover[k + 1].asked : now_us(), k);
        check_report(load[i], &s->trio);
        load_free(load[i]);
    }
    observer_stop(observer);
}

static void set_min_replicas(struct trio *trio, int count)
{
    char command[48];
    snprintf(command, sizeof(command), "CONFIG SET min-replicas-to-write %d", count);
    cr_assert(trio_tell_all(trio, command));
    trio->options.min_replicas = count;
}

Test(switchover, min_replicas_1, .timeout = 200)
{
    struct shared s = shared();
    struct load_options load = plain_load(&s.proxy);
    run(&s, &load, 1);
}

Test(switchover, min_replicas_0, .timeout = 200)
{
    struct shared s = shared();
    struct load_options load = plain_load(&s.proxy);
    set_min_replicas(&s.trio, 0);
    run(&s, &load, 1);
    set_min_replicas(&s.trio, 1);
}

Test(switchover, pipelines_and_split, .timeout = 200)
{
    struct shared s = shared();
    struct load_options pipelines = plain_load(&s.proxy), split = pipelines, both;
    pipelines.name = "pipelines";
    pipelines.pipeline = 50;
    pipelines.writers = 8;
    pipelines.readers = pipelines.strays = 0;
    split.name = "split";
    split.write_port = split.read_port = PROXY_SPLIT;
    both = split;
    both.name = "split-pipelines";
    both.pipeline = 50;
    both.writers = 4;
    both.readers = both.strays = 0;
    run(&s, (const struct load_options[]){pipelines, split, both}, 3);
}
