/*
 * client_state: a session's client: its connection, what it sent that is no request yet, what it is to get, and what
 * it said about itself.
 */
#ifndef REDISPROXY_SESSION_CLIENT_STATE_H
#define REDISPROXY_SESSION_CLIENT_STATE_H

#include "base/buf.h"
#include "base/list.h"
#include "net/stream.h"
#include "redis/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct partial;
struct upstream;

/* May the request that has not come wholly grow (login_bound.h)? */
enum growth {
    GROWTH_FREE,
    GROWTH_HELD,           /* as long as the hold has room for it (held_partial.h) */
    GROWTH_AWAITS_ANSWERS, /* not before what was sent before it is answered */
    GROWTH_AWAITS_NODE,    /* not before the node has said whether the client has to log in */
};

/* Why it is not read, whatever room there is. */
enum {
    UNREAD_ENDED = 1, /* what was read ahead is followed by the end of its side */
    UNREAD_MOVES = 2, /* another process will read it (mover.h) */
};

struct session_client {
    struct stream stream;
    int64_t opened_ms,
        read_ms; /* for CLIENT LIST: since when it is here, and last said something */
    const struct command *last; /* its newest request's; its name may be NULL */
    /* what it said */
    char *name; /* CLIENT SETNAME */
    char *library
        [2]; /* CLIENT SETINFO: LIB-NAME, LIB-VER; cut to CLIENT_LIB_SIZE bytes; NULL: it has not said */
    char *hello_name; /* HELLO's SETNAME, until Redis has let it in */
    bool reply_off, reply_skip;
    /* what it sent */
    struct partial *partial; /* a request that has not arrived wholly (input.h) */
    enum growth growth;      /* and whether more of it is read */
    int64_t let_in_until_ms; /* until then that is not asked, but of who has logged in */
    struct list in_starved; /* it is not read, for the worker's part of request_memory is used up */
    struct list ahead;      /* bytes behind it, not looked at yet */
    size_t ahead_bytes;
    bool served;      /* a node has answered it, and did not ask for a password */
    bool reads_ahead; /* the client takes no replies: what it sends is kept as bytes */
    uint8_t unread;   /* a set of UNREAD_... */
    /* what it is to get */
    struct buf out;
    size_t
        output_bytes; /* of that, and of replies that are kept, as counted last (output_bound.h) */
    size_t waiting_bytes; /* the same, as shown last: also of who costs no more (output_bytes.h) */
    struct upstream *paused; /* not read because this client does not read */
    struct upstream *early;  /* not read because other replies have to come first */
    struct list in_stalled;  /* its replies wait, and it is not read for that */
    int64_t taken_ms;        /* since when, or when it last took some */
};

#endif
