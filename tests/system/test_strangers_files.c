/*
 * strangers_files: few descriptors, and more clients than those are enough for: some are refused, and those who are in
 * are served, also on connections that are new; probes are answered, and nobody spins.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILES = 256, CLIENTS = 400, FRIENDS = 10, WATCH_MS = 2000 };

const struct suite suite = {.alone = true};

static struct trio trio;
static struct proxy proxy;

/* Of the process, so far. */
static long cpu_ms(void)
{
    char path[64];
    long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)proxy.pid);
    FILE *file = fopen(path, "r");
    cr_assert(file);
    (void)!fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
                  &system);
    fclose(file);
    return (user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

static bool is_healthy(void)
{
    char body[4096];
    int64_t since = now_ms();
    int status = http_get(proxy.host, PROXY_HTTP, "/healthz", body, sizeof(body));
    return status == 200 && now_ms() - since < 2000;
}

/* Told that there are too many, or just ended. */
static int refused(const int *fds)
{
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        count += recv(fds[i], (char[1]){0}, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
    return count;
}

Test(strangers_files, clients_do_not_take_the_last_descriptor, .timeout = 120)
{
    redisContext *friends[FRIENDS];
    static int fds[CLIENTS];
    char *log;

    cr_assert(trio_start(&trio, &(struct trio_options){.fast = true}) == 0);
    cr_assert(proxy_start(&proxy, &trio, &(struct proxy_options){.open_files = FILES}) == 0);
    for (int i = 0; i < FRIENDS; i++)
        friends[i] = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(friends[0], "+OK", "SET k v");
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = raw_open(proxy.host, i % 2 ? PROXY_MASTER : PROXY_REPLICA);
    cr_assert(wait_until(5000, refused(fds) > CLIENTS - FILES));
    int out = refused(fds);
    long before = cpu_ms();
    int64_t since = now_ms();
    for (int probes = 0; now_ms() - since < WATCH_MS; pause_ms(50), probes++)
        cr_assert(is_healthy(), "probe %d", probes);
    long spent = cpu_ms() - before;
    fprintf(stderr, "%d of %d refused, %ld ms of CPU in %d ms\n", out, CLIENTS, spent, WATCH_MS);
    cr_expect_lt(spent, WATCH_MS / 2, "it spins");
    for (int i = 0; i < FRIENDS; i++) { /* each on a connection of its own */
        EXPECT(friends[i], "+OK", "WATCH k");
        EXPECT(friends[i], "+OK", "MULTI");
        EXPECT(friends[i], "+QUEUED", "GET k");
        EXPECT(friends[i], "[v]", "EXEC");
    }
    cr_assert(trio_failover(&trio) == 0);
    cr_assert(wait_until(30000, trio_master(&trio) > 0));
    EXPECT(friends[0], "+OK", "SET k w");
    cr_expect(is_healthy());
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    for (int i = 0; i < FRIENDS; i++)
        redisFree(friends[i]);
    log = file_text(proxy.log);
    cr_expect(strstr(log, "too few open files for max_clients"), "it says so at its start");
    free(log);
    cr_expect(proxy_stop(&proxy) == 0);
    trio_stop(&trio);
}
