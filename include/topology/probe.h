/*
 * probe: one node, asked again and again what it is: PING (is it loading?),
 * ROLE, INFO replication, on a connection of its own; and between these rounds
 * a ROLE every 100 ms, so that silence and a change of role are noticed soon.
 * Reports each round, and every trouble; judges nothing. A new connection asks without the proxy's
 * password, which is shown only where the owner allows it. The loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_PROBE_H
#define REDISPROXY_TOPOLOGY_PROBE_H

#include "net/address.h"
#include "topology/credential.h"
#include "topology/election.h"
#include "topology/fence.h"
#include "topology/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct probe;

struct probe_callbacks {
    void (*answer)(void *owner, struct probe *probe, const struct node_answer *answer,
                   int64_t asked_ms);
    void (*lost)(void *owner, struct probe *probe); /* the connection broke */
    void (*down)(void *owner, struct probe *probe, enum node_failure why); /* connecting failed */
    /* It has begun to shut down, or has not after all. */
    void (*leaving)(void *owner, struct probe *probe, bool leaving);
    /* A question has been open for 500 ms; or was answered, or refused, at last. */
    void (*suspect)(void *owner, struct probe *probe, bool suspect);
    /* The node answered an order of the fence with this error. */
    void (*unfenced)(void *owner, struct probe *probe, const char *error);
    /* After probe_close(): it is freed when this returns. */
    void (*closed)(void *owner, struct probe *probe);
};

struct probe_options {
    struct address address;
    const char *group;             /* for logs */
    struct credential *credential; /* NULL: none */
    int64_t connect_timeout_ms;
    struct tls_source *tls; /* NULL: the node speaks plainly */
    struct names *names;    /* for a master's name in ROLE */
    const struct probe_callbacks *callbacks;
    void *owner;
};

struct probe *probe_new(uv_loop_t *loop, const struct probe_options *options);
void probe_close(struct probe *probe);

/* How often to ask. */
void probe_set_period(struct probe *probe, int64_t period_ms);
/* To whom the password is shown: `asked`, if the node refuses to answer without it; `freely`, as soon as
 * it has answered without. Neither: never. */
void probe_set_trust(struct probe *probe, bool asked, bool freely);
/* Closely: looks twice as often, and for signs of a shutdown too. */
void probe_set_close(struct probe *probe, bool closely);
/* Another credential: for the connections to come, and tried on the present one. */
void probe_set_credential(struct probe *probe, struct credential *credential);
/* For the connections to come. */
void probe_set_connect_timeout(struct probe *probe, int64_t connect_timeout_ms);
/* Asks at once; or reconnects at once; or, when a round is under way, asks again right after it. */
void probe_now(struct probe *probe);

/* Sends REPLICAOF on its connection; what the node answers is logged. Returns false when there is
 * no connection. */
bool probe_replicaof(struct probe *probe, const struct endpoint *master);

/* Sends an order of the fence on its connection. While everything is paused there the node may be silent,
 * and is not suspect; the connection is exempt if its user may MONITOR. Returns false when there is no
 * connection. */
bool probe_fence(struct probe *probe, const struct fence_order *order);

const struct address *probe_address(const struct probe *probe);
/* When the certificate ends that the node showed last, in seconds since 1970; 0: none. */
int64_t probe_cert_ends(const struct probe *probe);
/* Why TLS cannot be agreed on with the node; NULL: no such thing. */
const char *probe_disagreement(const struct probe *probe);
/* Whether anything is known yet: that it answers, or that it does not. */
bool probe_has_tried(const struct probe *probe);
const char *probe_name(const struct probe *probe);

#endif
