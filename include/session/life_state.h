/*
 * life_state: how far a session is on its way to its end. A session only goes on, never back: whoever wants it to
 * end sooner wins. Apart from that, its client may have left.
 */
#ifndef REDISPROXY_SESSION_LIFE_STATE_H
#define REDISPROXY_SESSION_LIFE_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum life_stage {
    LIFE_OPEN,
    LIFE_LEAVING, /* the proxy stops: it is served on up to its next boundary (boundary.h), and closes there */
    LIFE_DRAINING, /* it came to none: nothing more is read, and it closes when nothing is unfinished */
    LIFE_LAST_WORDS, /* after a protocol error: the same, and what stands behind it does not count */
    LIFE_QUITTING,   /* nothing more is dispatched either: a reply is on its way that ends it */
    LIFE_SAID_ALL,   /* that reply was delivered: closes when it is written */
    LIFE_CLOSING,    /* terminal */
};

enum client_side {
    CLIENT_SENDS,
    CLIENT_GONE, /* it ended its side, as the stream says: what it sent before may not be read yet */
    CLIENT_ENDED, /* it ended its side, and all was read: what it sent is still answered */
};

struct life {
    uint8_t stage;  /* enum life_stage */
    uint8_t client; /* enum client_side */
};

/* Goes on to `stage`, unless the session is there, or further. */
static inline void life_advance(struct life *life, enum life_stage stage)
{
    if (life->stage < stage)
        life->stage = (uint8_t)stage;
}

static inline void life_client_left(struct life *life, enum client_side how)
{
    if (life->client < how)
        life->client = (uint8_t)how;
}

/* Whether what the client sends is read. */
static inline bool life_reads(const struct life *life)
{
    return life->stage <= LIFE_LEAVING && life->client != CLIENT_ENDED;
}

/* Whether what was read is framed: not behind a protocol error, or what ends the session. */
static inline bool life_frames(const struct life *life)
{
    return life->stage < LIFE_LAST_WORDS;
}

static inline bool life_dispatches(const struct life *life)
{
    return life->stage < LIFE_QUITTING;
}

static inline bool life_closing(const struct life *life)
{
    return life->stage == LIFE_CLOSING;
}

/* Whether it closes when everything is answered and written; one that leaves does so at a boundary only. */
static inline bool life_ends_when_finished(const struct life *life)
{
    return life->stage > LIFE_OPEN || life->client == CLIENT_ENDED;
}

static inline bool life_ends_at_boundary(const struct life *life)
{
    return life->stage == LIFE_LEAVING && life->client != CLIENT_ENDED;
}

#endif
