/*
 * request: one command on its way. It owns its bytes from the moment the
 * client's are read until it completes, so that it can be sent again
 * (decision 3), and it completes exactly once: with a whole reply or with a
 * failure, through the two callbacks of whoever it belongs to.
 *
 *     WAITING --send--> QUEUED --first byte in the kernel--> SENT --> ANSWERED --> delivered, freed
 *        ^                 |                                   | `--> REJECTED: not executed
 *        |              UNSENT                               LOST       (READONLY, LOADING, ...)
 *        +---- the session sends it again, if it may ----------+-----------+
 *
 * WAITING, REJECTED and ANSWERED are the session's states, QUEUED and SENT the
 * upstream's. A request without an owner is swallowed: its reply goes nowhere.
 *
 * Here is the part that goes over the wire, and what the upstream goes by. What a session knows of its client's
 * requests besides stands behind it in the same object: session/session_request.h.
 */
#ifndef REDISPROXY_NODES_REQUEST_H
#define REDISPROXY_NODES_REQUEST_H

#include "base/buf.h"
#include "base/list.h"
#include "base/state.h"
#include "redis/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;
struct upstream;

enum request_state {
    REQUEST_WAITING,
    REQUEST_QUEUED,
    REQUEST_SENT,
    REQUEST_REJECTED,
    REQUEST_ANSWERED,
};

enum request_failure {
    REQUEST_UNSENT,  /* no byte reached the kernel: send it elsewhere */
    REQUEST_LOST,    /* sent, and the connection died before the whole reply came */
    REQUEST_REFUSED, /* the node did not let the identity in; `text` is its own error */
};

struct request_owner {
    /* Bytes of the reply, in order; `first` and `last` mark its borders. An error's first piece
     * holds at least its first word. After `last` the upstream has forgotten the request. */
    void (*on_reply)(struct request *request, const char *data, size_t len, bool first, bool last);
    /* The upstream has forgotten the request. `text` is an error line without the line end, or
     * NULL. */
    void (*on_failed)(struct request *request, enum request_failure why, const char *text);
    /* Of a read that was sent: whether nothing that its owner sent behind it may change what it reads, so that it may be
     * sent again elsewhere. NULL: nothing does. */
    bool (*may_be_sent_again)(const struct request *request);
};

/* Bytes of a request that need no allocation of their own. */
#define REQUEST_INLINE 112

struct request {
    struct list in_upstream; /* the upstream's queue */
    char *data;              /* own_data or the heap */
    size_t cap;
    /* Up to own_data a new one is zero: request_new() */
    size_t len;
    const struct request_owner *owner; /* NULL: swallow the reply */
    void *owner_data;
    struct request_pool *pool;     /* which counts what it takes */
    struct upstream *upstream;     /* while QUEUED or SENT, and in the callbacks */
    const struct command *command; /* NULL in many of the proxy's own */
    struct buf reply;              /* what its owner keeps of it */
    int32_t parts_left;            /* SUBSCRIBE and kin: confirmations still to come */
    uint8_t state;
    uint8_t ends;      /* how often its node ended the connection when its reply came next */
    char reply_type;   /* the first byte of the reply */
    bool own : 1;      /* the proxy's own, request_own(): its reply has a bound */
    bool secret : 1;   /* holds a credential: wipe the bytes */
    bool write : 1;    /* may change data: never sent twice */
    bool blocking : 1; /* may wait for other clients' writes */
    char own_data[REQUEST_INLINE];
};

/* What it takes of memory besides the object itself. */
static inline size_t request_heap(const struct request *request)
{
    return request->data == request->own_data ? 0 : request->cap;
}

/* Which states may follow which. ANSWERED is also where a request is that failed, until its session has decided
 * whether it is answered with an error or waits again. */
static const struct state_row request_rows[] = {
    [REQUEST_WAITING] = {"waiting", STATE_BIT(REQUEST_QUEUED) | STATE_BIT(REQUEST_ANSWERED)},
    [REQUEST_QUEUED] = {"queued", STATE_BIT(REQUEST_WAITING) | STATE_BIT(REQUEST_SENT) |
                                      STATE_BIT(REQUEST_ANSWERED)},
    [REQUEST_SENT] = {"sent", STATE_BIT(REQUEST_SENT) | STATE_BIT(REQUEST_REJECTED) |
                                  STATE_BIT(REQUEST_ANSWERED)},
    [REQUEST_REJECTED] = {"rejected", STATE_BIT(REQUEST_WAITING) | STATE_BIT(REQUEST_ANSWERED)},
    [REQUEST_ANSWERED] = {"answered", STATE_BIT(REQUEST_WAITING) | STATE_BIT(REQUEST_ANSWERED)},
};
static const struct state_table request_states = STATE_TABLE("request", request_rows);

/* Logs the two states and aborts. */
__attribute__((cold, noreturn)) void request_forbidden(const struct request *request,
                                                       enum request_state to);

/* The only way in which a request's state changes; aborts at a change that the table does not have. Every request
 * goes through it three times: so this is the table's check (state.h) in a form of which, where `to` is known, the
 * compiler leaves one comparison or two. */
static inline void request_move(struct request *request, enum request_state to)
{
    unsigned from = request->state;
#define FROM(state) (from == (state) && request_rows[state].next & STATE_BIT(to))
    if (__builtin_expect(!(FROM(REQUEST_WAITING) || FROM(REQUEST_QUEUED) || FROM(REQUEST_SENT) ||
                           FROM(REQUEST_REJECTED) || FROM(REQUEST_ANSWERED)),
                         0))
        request_forbidden(request, to);
#undef FROM
    request->state = (uint8_t)to;
}

/* A worker's recycled requests: no allocation for each request in steady state. */
struct request_pool {
    size_t size;       /* of each object: a struct request, and what its owners put behind that */
    struct list free;  /* with nothing but themselves */
    struct list roomy; /* with memory for longer requests */
    size_t kept, kept_bytes;
    size_t live, live_heap; /* handed out: requests, and the heap behind them */
};

/* Hands out objects of this size, which begin with a struct request. What is behind that the pool leaves as it was: whoever
 * asks for an object and knows of more clears it. */
void request_pool_init(struct request_pool *pool, size_t size);

/* What those take that are handed out: request_cost() of all. */
static inline size_t request_pool_cost(const struct request_pool *pool)
{
    return pool->live * pool->size + pool->live_heap;
}

void request_pool_free(struct request_pool *pool);

/* A request in state WAITING, zeroed, with room for `len` bytes. */
struct request *request_new(struct request_pool *pool, size_t len);
/* The same, for as many bytes as somebody else likes. NULL: there is no memory for so much. */
struct request *request_try_new(struct request_pool *pool, size_t len);

/* A command of the proxy's own, WAITING, to be given to upstream_submit(): with a copy of these bytes. Its reply goes
 * to `owner`, who finds `owner_data` in it and frees the request; NULL: the reply is swallowed. The caller sets
 * whatever else the upstream goes by: `secret`, `write`. */
struct request *request_own(struct request_pool *pool, struct slice bytes,
                            const struct request_owner *owner, void *owner_data);
/* The same, of the command's words. */
struct request *request_own_words(struct request_pool *pool, int argc, const struct slice *argv,
                                  const struct request_owner *owner, void *owner_data);

/* Makes room for `len` bytes in all; what is there stays. */
void request_reserve(struct request *request, size_t len);
/* The same, for as many as somebody else likes. Returns false when there is no memory for so much. */
bool request_try_reserve(struct request *request, size_t len) __attribute__((warn_unused_result));

/* Replaces the bytes. */
void request_set_bytes(struct request *request, const void *bytes, size_t len);

/* Gives the request back; it must be in no queue. */
void request_free(struct request_pool *pool, struct request *request);

/* The upstream is done with it: calls the owner, or frees a swallowed one with the last byte. */
void request_deliver(struct request_pool *pool, struct request *request, const char *data,
                     size_t len, bool first, bool last);
void request_fail(struct request_pool *pool, struct request *request, enum request_failure why,
                  const char *text);

#endif
