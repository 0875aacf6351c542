/*
 * hosts: whole hosts that go, Redis and Sentinel with them, and come back.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_MS 2000

static void end_host(struct stage *s, int host)
{
    trio_kill_sentinel(&s->trio, host);
    trio_end_node(&s->trio, host);
}

static void start_host(struct stage *s, int host)
{
    if (trio_start_node(&s->trio, host) < 0)
        stage_wrong(s, "node %d does not come back", host + 1);
    stage_return_sentinel(s, host);
}

static void run_two_hosts_gone(struct stage *s)
{
    int master = stage_master(s), other = master == 0 ? 1 : 0;
    int64_t gone = now_us();
    end_host(s, other);
    end_host(s, master);
    int64_t last = now_us();
    stage_go_on(s, HOLD_MS + 2000);
    if (load_last_read(s->load) < now_us() - 500 * 1000)
        stage_wrong(s, "reads do not go on");
    if (load_last_write(s->load) > last + 500 * 1000)
        stage_wrong(s, "writes go on without a master");
    start_host(s, master);
    start_host(s, other);
    stage_whole(s);
    int64_t writable = observer_writable(s->observer, master, gone);
    if (writable)
        stage_moment(s, gone, writable);
}

const struct scenario scenario_two_hosts_gone = {
    .name = "two-hosts-gone",
    .title = "two of three hosts gone, and back",
    .run = run_two_hosts_gone,
    .trio = {.persistent = true, .down_after_ms = 10000},
    .proxy = {.master_lines = "hold_timeout = 2s\n"},
    .limits = {.over_floor_ms = 1000, .unknown = 1, .refused = true},
};

/* The answer of /readyz, as far as it fits. */
static void readyz(struct stage *s, char *out, size_t size)
{
    static const char request[] = "GET /readyz HTTP/1.0\r\n\r\n";
    char *answer =
        raw_transcript(s->target.proxy.host, PROXY_HTTP, request, sizeof(request) - 1, 0, true);
    snprintf(out, size, "%s", answer ? answer : "");
    free(answer);
}

static void check_unready(struct stage *s)
{
    char text[1024] = "";
    if (s->target.kind != TARGET_REDISPROXY)
        return;
    if (!wait_until(3000, (readyz(s, text, sizeof(text)), strstr(text, " 503 "))))
        stage_wrong(s, "/readyz answers %.9s ... %s", text,
                    strstr(text, "{") ? strstr(text, "{") : "");
}

static void run_all_gone(struct stage *s)
{
    int master = stage_master(s);
    int64_t gone = now_us(), back = 0;
    for (int i = 0; i < 3; i++)
        if (i != master)
            end_host(s, i);
    end_host(s, master);
    stage_go_on(s, HOLD_MS + 1000);
    check_unready(s);
    for (int i = 0; i < 3; i++) {
        trio_move(&s->trio, i);
        start_host(s, i);
        if (i == 1)
            back = now_us(); /* two Sentinels can say who is master */
        stage_go_on(s, 500);
    }
    stage_whole(s);
    int64_t writable = observer_writable(s->observer, master, gone);
    if (writable)
        stage_moment(s, gone, writable > back ? writable : back);
}

const struct scenario scenario_all_gone = {
    .name = "all-gone",
    .title = "all hosts gone, back with new addresses",
    .run = run_all_gone,
    .trio = {.persistent = true, .down_after_ms = 10000, .names = true},
    .proxy = {.master_lines = "hold_timeout = 2s\n"},
    /* The first one that is back is read once a second Sentinel says where it is now. */
    .limits = {.over_floor_ms = 1000,
               .over_read_ms = 1000,
               .unknown = 1,
               .refused = true,
               .read_errors = true},
};
