/*
 * kubernetes: a rolling upgrade of a redis-ha-like group, pod by pod with new addresses behind names, seen by a proxy
 * as a sidecar: with the configuration of deploy/kubernetes/components/sidecar, and probed by a kubelet, which must never find it not
 * ready. The limits that small memory sets (hold_memory) are its own.
 */
#include "scenario/all.h"

#include "harness/raw.h"
#include "harness/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* The periods and thresholds of the manifests' probes; it is asked each second. */
enum { PERIOD_MS = 1000, LIVE_FAILURES = 3, READY_FAILURES = 2 };

struct kubelet {
    pthread_t thread;
    atomic_bool ends;
    const char *host;
    int asked;
    int live, ready; /* failures in a row */
    int worst_live, worst_ready;
};

static void count(int status, int *row, int *worst)
{
    *row = status == 200 ? 0 : *row + 1;
    if (*row > *worst)
        *worst = *row;
}

/* A probe by TCP connects and says nothing, as those of many manifests do. */
static void connect_and_close(const char *host)
{
    int fd = raw_open_plain(host, PROXY_MASTER);
    if (fd >= 0)
        close(fd);
}

static void *probe(void *arg)
{
    struct kubelet *kubelet = arg;
    char body[8192];

    for (int64_t next = now_ms(); !atomic_load(&kubelet->ends);) {
        count(http_get(kubelet->host, PROXY_HTTP, "/healthz", body, sizeof(body)), &kubelet->live,
              &kubelet->worst_live);
        count(http_get(kubelet->host, PROXY_HTTP, "/readyz", body, sizeof(body)), &kubelet->ready,
              &kubelet->worst_ready);
        connect_and_close(kubelet->host);
        kubelet->asked++;
        next += PERIOD_MS;
        while (now_ms() < next && !atomic_load(&kubelet->ends))
            pause_ms(10);
    }
    return NULL;
}

static void run_kubernetes(struct stage *s)
{
    struct kubelet kubelet = {.host = s->target.proxy.host};
    bool probed = s->target.kind == TARGET_REDISPROXY;

    if (probed && pthread_create(&kubelet.thread, NULL, probe, &kubelet) != 0) {
        stage_wrong(s, "there is no kubelet");
        return;
    }
    scenario_rolling_names.run(s);
    if (!probed)
        return;
    atomic_store(&kubelet.ends, true);
    pthread_join(kubelet.thread, NULL);
    stage_note(s, "%d probes, in a row not live %d, not ready %d", kubelet.asked,
               kubelet.worst_live, kubelet.worst_ready);
    if (kubelet.asked < 5)
        stage_wrong(s, "only %d probes", kubelet.asked);
    if (kubelet.worst_live >= LIVE_FAILURES)
        stage_wrong(s, "the kubelet would have restarted it");
    if (kubelet.worst_ready >= READY_FAILURES)
        stage_wrong(s, "it was not ready in a switchover");
}

const struct scenario scenario_kubernetes = {
    .name = "kubernetes",
    .title = "rolling upgrade, new addresses, a probed sidecar",
    .run = run_kubernetes,
    .trio = {.min_replicas = 1, .persistent = true, .down_after_ms = 4000, .names = true},
    .proxy = {.proxy_lines =
                  "drain_timeout = 1s\nworkers = 1\nrequest_max = 64mb\nrequest_memory = 64mb\n"
                  "output_memory = 64mb\n",
              .master_lines = "hold_memory = 16mb\n"},
    .limits = {.over_read_ms = 600},
};
