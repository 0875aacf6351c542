/*
 * describe: a session in plain values, for an operator: they may go to another thread. On the thread of its worker.
 */
#ifndef REDISPROXY_SESSION_DESCRIBE_H
#define REDISPROXY_SESSION_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* What it does now; of several, the last one that is true. */
enum session_mood {
    MOOD_IDLE,        /* nothing of it is unanswered */
    MOOD_BUSY,        /* a node has yet to answer */
    MOOD_TRANSACTION, /* MULTI or WATCH */
    MOOD_SUBSCRIBED,  /* it hears messages, MONITOR's lines or invalidations */
    MOOD_BLOCKED,     /* its command waits at the node: BLPOP, ... */
    MOOD_REPLICATES,  /* it reads the replication stream */
    MOOD_HELD,        /* its requests wait for a node */
    MOOD_LEAVING,     /* it ends when everything is answered */
    MOODS
};

#define SESSION_TEXT 64

/* Texts are cut to fit. */
struct session_row {
    uint64_t id;
    size_t worker, group;
    char address[SESSION_TEXT]; /* the client's */
    char listener[SESSION_TEXT];
    char user[SESSION_TEXT];
    char name[SESSION_TEXT];    /* CLIENT SETNAME; "": none */
    char library[SESSION_TEXT]; /* CLIENT SETINFO: "name/version"; "": it has not said */
    char command[32];           /* its newest one; "": none */
    enum session_mood mood;
    bool tls;
    int db;
    int64_t age_ms, idle_ms;
    unsigned in_flight, waiting; /* requests: sent, and not sent yet */
    size_t request_bytes;        /* of these, with the memory around them */
    size_t output_bytes;         /* replies that wait for the client */
};

void session_describe(const struct session *s, struct session_row *row);

/* "idle", "busy", "transaction", "subscribed", "blocked", "replication", "held", "leaving". */
const char *session_mood_name(enum session_mood mood);

#endif
