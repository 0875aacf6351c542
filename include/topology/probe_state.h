/*
 * probe_state: the inside of a probe, shared by its parts: probe.c has the connection, the time and the owner's wishes,
 * probe_round.c asks and reads the answers, probe_fence.c carries out the orders of the fence. probe.c calls the other
 * two, which call neither it nor each other. Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_PROBE_STATE_H
#define REDISPROXY_TOPOLOGY_PROBE_STATE_H

#include "topology/control_conn.h"
#include "topology/poll.h"
#include "topology/probe.h"

/* What a reply answers. */
enum probe_tag {
    TAG_NEEDED,    /* CONFIG GET min-replicas-to-write */
    TAG_SERVER,    /* INFO server, of a new connection: the process' run id */
    TAG_PING,      /* the round: is it loading? */
    TAG_ROLE,      /* ... what is it? */
    TAG_INFO,      /* ... whose data has it? The round's last */
    TAG_BEAT,      /* ROLE, between two rounds */
    TAG_LEAVING,   /* INFO server, between two rounds: is it shutting down? */
    TAG_REPLICAOF, /* reconfigure_assist */
    TAG_EXEMPT,    /* MONITOR: no pause stops this connection any more */
    TAG_RESET,     /* ... and the end of that */
    TAG_FENCE,     /* an order's command */
    TAG_LIFTED, /* the last pause was taken back, so that everybody has a turn before the next one */
    TAG_DEMOTE, /* REPLICAOF, and what goes with it */
};

/* Whether this connection has shown the node the proxy's password. */
enum probe_password {
    PASSWORD_KEPT,   /* no, and it answers */
    PASSWORD_WANTED, /* no, and it refuses to answer */
    PASSWORD_SHOWN,
};

struct probe {
    struct probe_options options;
    struct control_conn conn;
    uv_timer_t timer; /* the next round, or a look at the open one */
    char name[ENDPOINT_TEXT_MAX];
    char logged[160];
    struct poll round;
    int64_t period_ms, asked_ms, beat_ms;
    int64_t silent_since; /* 0: nothing is owed */
    unsigned failures;
    unsigned breaks; /* of connections that answered, and did not stand long */
    int64_t up_ms;   /* since when the connection stands */
    bool beating, closely, leaving, suspect, closing, up_logged, refusal_logged;
    bool answered;          /* on this connection */
    bool asked_for, freely; /* where the password is shown, says the owner */
    uint8_t password;       /* probe_round.c has the table of transitions and the setter */
    struct {
        struct fence_order cut;    /* the next one, when the last one is lifted */
        int64_t sent_ms, until_ms; /* 0: nothing is owed, nothing is paused */
        bool exempt;               /* this connection */
        bool refused;
    } fence;
    int open_handles;
    int needed; /* min-replicas-to-write; -1: it does not tell */
    char runid[RUNID_SIZE];
    bool role_known;
    struct node_answer answer;
    /* ROLE's answer in the last round; a beat that differs from it calls for another round. */
    struct {
        enum node_role role;
        bool link;
        struct endpoint master;
    } last;
};

struct redisReply;

static inline int64_t probe_clock(const struct probe *p)
{
    return (int64_t)uv_now(p->timer.loop);
}

/* ---- probe_round.c ---- */

/* The first questions of a connection, and a round. */
void probe_round_first(struct probe *p);
/* The connection is gone: what was asked is not answered, and the next one has shown no password. */
void probe_round_forget(struct probe *p);
/* Begins a round; or, while one is open, has it repeated. Nothing without a connection. Returns whether one began. */
bool probe_round_ask(struct probe *p);
/* Asks for the role alone; and, closely watched, whether it is shutting down. Only with a connection. */
void probe_beat(struct probe *p);
/* Shows the password, if it is time to. Returns whether it did: on_up will be called again. */
bool probe_show_password(struct probe *p);
/* Tells the owner when that changes; false: nothing is owed any more. */
void probe_set_suspect(struct probe *p, bool suspect);
/* Takes the reply to one of the round's and the beat's questions. Returns whether it was the last one of its kind: then
 * it is time to see when the next is due. */
bool probe_round_take(struct probe *p, int tag, const struct redisReply *reply);

/* ---- probe_fence.c ---- */

/* Whether the connection only hears here what others do (it monitors). */
bool probe_fence_overhears(const struct probe *p, const struct redisReply *reply);
/* Takes the reply to an order's command. */
void probe_fence_take(struct probe *p, int tag, const struct redisReply *reply);
/* To be called often: the pause is over, or the order stands behind somebody else's, and the connection is renewed. */
void probe_fence_look(struct probe *p);
/* The connection is new, or gone: nothing is owed on it, and it is not exempt. The pause itself goes on. */
void probe_fence_forget(struct probe *p);

#endif
