/*
 * barrier: while one stands, nothing of the session is dispatched. There is one at most: whatever raises one is
 * dispatched itself, and so only where none stands.
 */
#ifndef REDISPROXY_SESSION_BARRIER_H
#define REDISPROXY_SESSION_BARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_request;
struct learn_question;
struct session;
struct upstream;

enum barrier_kind {
    BARRIER_NONE,
    BARRIER_LOGIN, /* AUTH, HELLO, SELECT, EXEC with one of them: who the session is, is not known */
    BARRIER_BLOCKED,  /* a blocking command */
    BARRIER_COPIES,   /* SCRIPT LOAD and kin: copies of it are on other nodes (copies.h) */
    BARRIER_LEARNING, /* what is the command of this request? (nodes/learn.h) */
    BARRIER_QUESTION, /* a question of the session's own (question.h): it is the barrier's request */
};

struct barrier {
    uint8_t kind; /* enum barrier_kind */
    struct session_request *request;
};

static inline bool barrier_stands(const struct barrier *barrier)
{
    return barrier->kind != BARRIER_NONE;
}

/* The request that a barrier of this kind stands for; NULL: there is none. */
static inline struct session_request *barrier_of(const struct barrier *barrier,
                                                 enum barrier_kind kind)
{
    return barrier->kind == kind ? barrier->request : NULL;
}

/* Another one must not stand: that is a fault of the program, which aborts. */
void barrier_raise(struct barrier *barrier, enum barrier_kind kind,
                   struct session_request *request);

/* Lowers it, if it is of this kind and stands for this request. */
static inline void barrier_lower(struct barrier *barrier, enum barrier_kind kind,
                                 const struct session_request *request)
{
    if (barrier->kind == kind && barrier->request == request)
        *barrier = (struct barrier){BARRIER_NONE, NULL};
}

#endif
