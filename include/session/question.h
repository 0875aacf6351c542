/* question: what the session answers itself, and yet not without its node, or the other workers. */
#ifndef REDISPROXY_SESSION_QUESTION_H
#define REDISPROXY_SESSION_QUESTION_H

#include "session/state.h"
#include "threads/relay.h"

/* Asks the node something for `r`, the next to be dispatched; returns STEP_WAIT, or STEP_HOLD when
 * there is nobody to ask. `alone`: on a lease that nobody gets afterwards. */
enum step session_ask(struct session *s, struct session_request *r, bool alone,
                      struct slice question, session_told *told);

/* What a session asks the other workers, embedded in what is asked. Its request waits meanwhile. */
struct inquiry {
    struct relay relay;
    struct session_host *host; /* its home */
    struct session_request
        *asking; /* keeps the session waiting; has a copy of its request's bytes */
    /* `r` is to be answered now. */
    void (*told)(struct session *s, struct session_request *r, struct inquiry *inquiry);
    void (*free)(struct inquiry *inquiry);
};

/* The session waits from now on; inquiry->asking has a copy of the
 * request's bytes, which lives as long as the inquiry. */
void session_inquire(struct session *s, struct inquiry *inquiry, const struct session_request *r);
/* All workers, this one first; told() may be called before it returns. */
void session_ask_workers(struct inquiry *inquiry, relay_visit *visit);
/* One of them. */
void session_ask_worker(struct inquiry *inquiry, size_t worker, relay_visit *visit);

#endif
