/*
 * sentinel_state: the inside of a watched Sentinel, shared by its parts: sentinel.c has its life and the time,
 * sentinel_poll.c asks on the command connection, sentinel_events.c listens on the other one, sentinel_channel.c has
 * what both connections need. Calls go down that list only. Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_SENTINEL_STATE_H
#define REDISPROXY_TOPOLOGY_SENTINEL_STATE_H

#include "base/list.h"
#include "topology/control_conn.h"
#include "topology/poll.h"
#include "topology/sentinel.h"

/* What a reply answers. */
enum sentinel_tag {
    TAG_MYID,    /* on both connections */
    TAG_MASTER,  /* the poll, in its order, with TAG_MYID before it */
    TAG_ADDRESS, /* ... GET-MASTER-ADDR-BY-NAME */
    TAG_REPLICAS,
    TAG_PEERS,  /* ... SENTINEL SENTINELS: the poll's last */
    TAG_LISTEN, /* SUBSCRIBE */
    TAG_PING,   /* of the subscription */
    TAG_QUORUM, /* SENTINEL CKQUORUM */
    TAG_FAILOVER
};

/* One of the two connections. */
struct channel {
    struct control_conn conn;
    struct sentinel *sentinel;
    const char *what; /* for logs */
    unsigned failures;
    int64_t up_ms;      /* since when it answers; 0: it does not */
    int64_t hurried_ms; /* the last time */
    char logged[160];   /* the last trouble that was logged; "": none */
    bool up_logged;
};

struct sentinel {
    struct sentinel_options options;
    char name[ENDPOINT_TEXT_MAX];
    uv_timer_t timer;
    struct channel commands, events;
    bool urgent, closing;
    struct poll poll;
    int open_handles;
    uint64_t seed;
    char heard_runid[RUNID_SIZE]; /* of the one that answers on `events`; "": it does not tell */
    struct sentinel_report report;
};

struct redisReply;

static inline struct channel *channel_of(struct control_conn *conn)
{
    return container_of(conn, struct channel, conn);
}

/* ---- sentinel_poll.c, sentinel_events.c: each sets its connection's callbacks, and opens it ---- */

void sentinel_poll_start(struct sentinel *s, void (*closed)(struct control_conn *conn));
void sentinel_events_start(struct sentinel *s, void (*closed)(struct control_conn *conn));
/* The subscription is asked for a sign of life. */
void sentinel_events_ping(struct sentinel *s);

/* ---- sentinel_channel.c ---- */

/* Opens one whose other callbacks are set; `closed` is its last. */
void sentinel_channel_start(struct sentinel *s, struct channel *channel, const char *what,
                            void (*closed)(struct control_conn *conn));
/* It answers: says so, and forgets its failures. */
void sentinel_channel_up(struct channel *channel);
/* It broke, or did not come about: says so once, and tries again in a while. */
void sentinel_channel_down(struct channel *channel, const char *why);
/* Tries again at once, if it waits to. */
void sentinel_channel_hurry(struct channel *channel);
/* Takes the answer to MYID, of the command connection or (`runid` is heard_runid) of the subscription. */
void sentinel_take_identity(struct sentinel *s, char runid[RUNID_SIZE],
                            const struct redisReply *reply);

#endif
