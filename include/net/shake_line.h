/*
 * shake_line: whose TLS handshake goes on next. A signature takes a good part of a millisecond, in which a thread serves
 * nobody. As long as a thread serves others, handshakes of clients get half of its time and wait in line for it, in the
 * order in which they came; with nothing else to do it goes on with them at once.
 *
 *     readable -> shake_line_ask() -> true: go on now, then shake_line_took()
 *                                  -> false: its go_on() is called when its turn has come
 *
 * Waiting in line does not count against the handshake's timeout: that is for peers that say nothing. There is one line a
 * thread, made by itself; all calls for a shaker come from the thread of its loop.
 */
#ifndef REDISPROXY_NET_SHAKE_LINE_H
#define REDISPROXY_NET_SHAKE_LINE_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct shaker;

/* May close the shaker's connection, and others'. */
typedef void shaker_called(struct shaker *shaker);

/* Lives in its connection. */
struct shaker {
    uv_timer_t timer; /* the timeout; the owner closes it */
    uv_idle_t *idle;  /* the owner's; runs while it is the first in line */
    struct list link;
    uint64_t left_ms; /* of the timeout, while it is in line */
    shaker_called *go_on, *timed_out;
};

/* `idle`: an idle handle of the connection's loop, which nobody else uses until the handshake is over. timeout_ms 0: none. */
void shake_line_init(struct shaker *shaker, uv_idle_t *idle, int64_t timeout_ms,
                     shaker_called *go_on, shaker_called *timed_out);

/* Whether the handshake may go on now. If not, the shaker waits: its owner must not ask again until go_on(). */
bool shake_line_ask(struct shaker *shaker);

/* A step of a handshake has taken so many nanoseconds. */
void shake_line_took(uint64_t ns);

/* The handshake is over, or its connection is: neither callback comes any more. Twice is harmless. */
void shake_line_leave(struct shaker *shaker);

extern _Thread_local unsigned shake_line_others;

/* This thread serves somebody whose handshake is behind them. */
static inline void shake_line_serves_others(void)
{
    shake_line_others++;
}

#endif
