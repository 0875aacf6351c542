/*
 * live_redis: a redis-server for a test that compares us with the real thing.
 * It listens on a random port of 127.0.2.1, saves nothing, and dies with the
 * test.
 */
#ifndef REDISPROXY_TESTS_LIVE_REDIS_H
#define REDISPROXY_TESTS_LIVE_REDIS_H

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVE_HOST "127.0.2.1"

struct live_redis {
    pid_t pid;
    int port;
    redisContext *context; /* connected */
};

static inline void live_exec(int port)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("redis-server", "redis-server", "--bind", LIVE_HOST, "--port", text, "--save", "",
           "--appendonly", "no", "--logfile", "/dev/null", (char *)NULL);
    _exit(127);
}

/* Whether the server answers as the process that was started. */
static inline int live_answers(struct live_redis *live)
{
    char expected[32];
    live->context = redisConnectWithTimeout(LIVE_HOST, live->port, (struct timeval){2, 0});
    if (live->context && !live->context->err) {
        redisReply *reply = redisCommand(live->context, "INFO server");
        snprintf(expected, sizeof(expected), "process_id:%d\r", (int)live->pid);
        int ours = reply && reply->type == REDIS_REPLY_STRING && strstr(reply->str, expected);
        freeReplyObject(reply);
        if (ours)
            return 1;
    }
    redisFree(live->context);
    live->context = NULL;
    return 0;
}

/* Starts a server, on another port when one is taken, and connects to it. */
static inline void live_start(struct live_redis *live)
{
    time_t deadline = time(NULL) + 20;
    unsigned seed = (unsigned)getpid();
    while (time(NULL) < deadline) {
        live->port = 20000 + (int)((unsigned)rand_r(&seed) % 10000);
        live->pid = fork();
        cr_assert_geq(live->pid, 0);
        if (live->pid == 0)
            live_exec(live->port);
        while (waitpid(live->pid, NULL, WNOHANG) == 0 && time(NULL) < deadline) {
            if (live_answers(live))
                return;
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
    cr_assert_fail("redis-server does not start");
}

static inline void live_stop(struct live_redis *live)
{
    redisFree(live->context);
    kill(live->pid, SIGKILL);
    waitpid(live->pid, NULL, 0);
}

#endif
