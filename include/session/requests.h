/*
 * requests: what a session does with its requests: sends them back to wait, rewrites them, answers them itself.
 */
#ifndef REDISPROXY_SESSION_REQUESTS_H
#define REDISPROXY_SESSION_REQUESTS_H

#include "session/state.h"

/* Where this worker counts what becomes of requests of this session's group. */
static inline struct group_counters *session_group_counters(const struct session *s)
{
    return &s->host->counters->groups[s->place.group];
}
/* Those that wait have not gone in the turn in which they came: this turn, for those of which that is not known yet. */
void requests_wait(struct session *s);
/* Its node has answered it, or never will, and other replies have to be delivered first. */
void request_answered_early(struct session *s, struct session_request *r);
/* When it came, when it was sent last, and when its node had answered, as its session is about to deliver it: in ticks, `now`
 * the last of them. What did not come to a node has `sent` and `answered` at its end; was_sent tells. */
struct request_times {
    uint64_t came, sent, answered;
    bool was_sent;
};
struct request_times request_times(const struct session_request *r, uint64_t now);
/* Of one that waited, or was answered here, out of its turn, or with an error. */
void request_count_other(struct session *s, const struct session_request *r, uint64_t now);
/* It is delivered: counts it, and how long it took. */
static inline void request_count(struct session *s, const struct session_request *r)
{
    uint64_t now = s->host->turn->ticks, ticks = now - r->sent;
    if (__builtin_expect(ticks >= HISTOGRAM_OVER || r->reply_type == '-', 0))
        request_count_other(s, r, now);
    else
        counters_note_at_once(s->commands, r->command->number, ticks);
}
/* What the proxy itself found that it came to. */
static inline void request_conclude(struct session_request *r, enum request_result result)
{
    r->result = result;
    r->concluded = true;
    r->reply_type = '-';
}
/* A request that was on its way waits again, before all that waits. */
void session_wait_again(struct session *s, struct session_request *r, enum retry_cause cause);
/* Replaces a WAITING request's bytes. */
void session_rewrite(struct session *s, struct session_request *r, const struct buf *bytes);
/* What was answered before its turn came, as it could not be held, up to `last`: whether the client wants to hear of
 * it, and which one is to be skipped, is known when all that stands before it has been performed. */
void session_classify_refused(struct session *s, const struct session_request *last);

/* Answers a WAITING request here; `reply` is whole RESP. */
void session_answer(struct session *s, struct session_request *r, const char *reply);
void session_answer_bytes(struct session *s, struct session_request *r, const char *reply,
                          size_t len);
void session_answerf(struct session *s, struct session_request *r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What EXEC and blocking commands answer when there is nothing, in the session's protocol. */
const char *session_null_array(const struct session *s);
/* The answer of a request in flight was replaced by `reply`: it is answered without its node. */
void session_settle(struct session *s, struct session_request *r, const char *reply);
/* A write was sent, and its connection died: what the client gets for it (inflight_writes). */
void session_outcome_unknown(struct session *s, struct session_request *r, const char *error);
/* In a captured reply the number whose digits begin at `at` becomes this one. */
void session_rewrite_number(struct session_request *r, const char *at, uint64_t number);

#endif
