/*
 * loop: a libuv loop that a test turns by hand until something has happened,
 * or a deadline that no healthy machine reaches is over.
 */
#ifndef REDISPROXY_TESTS_LOOP_H
#define REDISPROXY_TESTS_LOOP_H

#include "base/clock.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define LOOP_DEADLINE_MS 10000

/* Turns that would deliver an event that must not come. */
#define LOOP_QUIET_TURNS 5

/* Runs `turn` again and again until `condition` holds. */
#define until(condition, turn)                                                                     \
    do {                                                                                           \
        int64_t until_deadline = clock_ms() + LOOP_DEADLINE_MS;                                    \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_ms(), until_deadline, "still not: %s", #condition);                 \
            turn;                                                                                  \
        }                                                                                          \
    } while (0)

static inline void loop_turns(uv_loop_t *loop, int turns)
{
    for (int i = 0; i < turns; i++)
        uv_run(loop, UV_RUN_NOWAIT);
}

/* What nobody has read yet of what has arrived. */
static inline int bytes_waiting(int fd)
{
    int waiting = 0;
    cr_assert_eq(ioctl(fd, FIONREAD, &waiting), 0);
    return waiting;
}

/* Runs the last callbacks; fails when a handle was left open. */
static inline void loop_end(uv_loop_t *loop)
{
    until(!uv_loop_alive(loop), uv_run(loop, UV_RUN_NOWAIT));
    cr_assert_eq(uv_loop_close(loop), 0);
}

/* A socket bound to a free port of 127.0.2.2; not listening, so that connecting is refused. */
static inline int bound_socket(struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000202)};
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)at, &len), 0);
    return fd;
}

#endif
