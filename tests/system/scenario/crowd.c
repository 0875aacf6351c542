/*
 * crowd: thousands of clients when the master changes: all of them are connected, and many have a write that is held.
 * Each write adds an element to a list, so what is lost or done twice shows in its length.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CROWD = 8000,
    WRITES = 2000, /* by the first of them */
    FILES = CROWD + 500,
    FAST_SWITCHES = 1,
    SWITCHES = 5,
    STALLED_MS = 100, /* who waits that long for an answer is held */
    HELD_WITHIN_MS = 20000,
    ANSWER_MS = 20000,
    OVER_FLOOR_MS = 150, /* what the others may take, and 100 ms */
};

static const char write_one[] = "*3\r\n$5\r\nRPUSH\r\n$5\r\ncrowd\r\n$1\r\nx\r\n";

struct crowd {
    struct pollfd client[CROWD];
    int answered, errors;
    int64_t last_us;
};

static const char *too_few_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < FILES)
        return "it needs 8,500 open files: ulimit -Hn is lower";
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? NULL
                                                 : "the limit of open files cannot be raised";
}

static void gather(struct stage *s, struct crowd *crowd)
{
    for (int i = 0; i < CROWD; i++) {
        int fd = raw_open(s->target.proxy.host, PROXY_MASTER);
        crowd->client[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        if (fd < 0 || !raw_send_text(fd, "PING\r\n") || !raw_expect(fd, "+PONG\r\n")) {
            stage_wrong(s, "client %d of %d is not served", i + 1, CROWD);
            return;
        }
    }
}

static void leave(struct crowd *crowd)
{
    for (int i = 0; i < CROWD; i++)
        if (crowd->client[i].fd >= 0)
            close(crowd->client[i].fd);
}

/* Writes until one is not answered: from now on they are held. False: they never are. */
static bool await_hold(struct crowd *crowd)
{
    int64_t until = now_ms() + HELD_WITHIN_MS;
    char answer[64];
    while (now_ms() < until) {
        (void)raw_send(crowd->client[0].fd, write_one, sizeof(write_one) - 1);
        if (poll(crowd->client, 1, STALLED_MS) == 0)
            return true;
        if (read(crowd->client[0].fd, answer, sizeof(answer)) <= 0)
            return false;
        crowd->answered++;
    }
    return false;
}

/* Of all that have written; a client that was answered is not polled any more. */
static void hear_all(struct crowd *crowd)
{
    int64_t until = now_ms() + ANSWER_MS;
    int waiting = WRITES;
    char answer[200];
    while (waiting > 0 && now_ms() < until) {
        if (poll(crowd->client, WRITES, 100) <= 0)
            continue;
        for (int i = 0; i < WRITES; i++) {
            struct pollfd *client = &crowd->client[i];
            if (!(client->events & client->revents))
                continue;
            ssize_t n = read(client->fd, answer, sizeof(answer));
            crowd->answered += n > 0 && answer[0] == ':';
            crowd->errors += n <= 0 || answer[0] != ':';
            crowd->last_us = now_us();
            client->events = 0;
            waiting--;
        }
    }
    for (int i = 0; i < WRITES; i++)
        crowd->client[i].events = POLLIN;
    crowd->errors += waiting;
}

static void switch_with(struct stage *s, struct crowd *crowd)
{
    int64_t asked = now_us();
    int64_t floor;
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    if (!await_hold(crowd))
        stage_wrong(s, "writes were never held");
    for (int i = 1; i < WRITES; i++)
        (void)raw_send(crowd->client[i].fd, write_one, sizeof(write_one) - 1);
    hear_all(crowd);
    stage_switch(s, asked);
    floor = s->moment[s->moments - 1].floor;
    stage_note(s, "%s%+lld", s->note[0] ? ", " : "the last held write, ms after the floor: ",
               (long long)(crowd->last_us - floor) / 1000);
    if (crowd->last_us < floor)
        stage_wrong(s, "all were answered before the switch: none was held");
    if (crowd->last_us > floor + OVER_FLOOR_MS * 1000)
        stage_wrong(s, "the last held write came %lld ms after the floor",
                    (long long)(crowd->last_us - floor) / 1000);
    stage_whole(s);
}

static void run_crowd(struct stage *s)
{
    static struct crowd crowd;
    memset(&crowd, 0, sizeof(crowd));
    for (int i = 0; i < CROWD; i++)
        crowd.client[i].fd = -1;
    gather(s, &crowd);
    for (int i = 0; i < (s->fast ? FAST_SWITCHES : SWITCHES); i++) {
        stage_flow(s, 500);
        switch_with(s, &crowd);
    }
    if (crowd.errors > 0)
        stage_wrong(s, "%d held writes were not answered well", crowd.errors);
    redisContext *c = proxy_client(&s->target.proxy, PROXY_MASTER);
    const char *length = ask(c, "LLEN crowd");
    if (atoi(length + 1) != crowd.answered) /* ":2001" */
        stage_wrong(s, "%d were acknowledged, and %s executed", crowd.answered, length);
    redisFree(c);
    leave(&crowd);
}

const struct scenario scenario_crowd = {
    .name = "crowd",
    .title = "8,000 clients, 2,000 held writes",
    .run = run_crowd,
    .refused = too_few_files,
    .trio = {.min_replicas = 1},
    .limits = {.over_floor_ms = OVER_FLOOR_MS},
    .ours = true,
};
