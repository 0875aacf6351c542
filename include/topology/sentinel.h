/*
 * sentinel: one Sentinel, watched for one group. A command connection polls
 * it, a second one is subscribed to its events. It keeps both alive by itself
 * and only reports; what a report means is the election's business.
 * The loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_SENTINEL_H
#define REDISPROXY_TOPOLOGY_SENTINEL_H

#include "net/address.h"
#include "topology/credential.h"
#include "topology/sentinel_parse.h"
#include "topology/votes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct sentinel;

#define SENTINEL_LIST_MAX 64

struct sentinel_peer {
    struct endpoint endpoint;
    char runid[RUNID_SIZE];
};

/* What one poll brought; valid during the callback. */
struct sentinel_report {
    bool known; /* it watches a master of this name */
    struct endpoint named;
    uint64_t epoch;
    enum failover_step step;
    int64_t failover_timeout_ms; /* 0: it does not tell */
    int64_t down_after_ms;       /* the same */
    int64_t asked_ms;
    char runid[RUNID_SIZE]; /* its own; "": it does not tell */
    struct endpoint replicas[SENTINEL_LIST_MAX];
    size_t replica_count;
    struct sentinel_peer peers[SENTINEL_LIST_MAX];
    size_t peer_count;
};

struct sentinel_callbacks {
    void (*report)(void *owner, struct sentinel *sentinel, const struct sentinel_report *report);
    void (*event)(void *owner, struct sentinel *sentinel, const char *channel, const char *payload);
    void (*lost)(void *owner, struct sentinel *sentinel);    /* the command connection */
    void (*deaf)(void *owner, struct sentinel *sentinel);    /* the subscription */
    void (*refused)(void *owner, struct sentinel *sentinel); /* nobody listens there */
    void (*failed)(void *owner, struct sentinel *sentinel);  /* nor comes about otherwise */
    void (*quorum)(void *owner, struct sentinel *sentinel, bool good); /* CKQUORUM's answer */
    /* Another Sentinel, with this run id, answers on one of the two connections than on the other. */
    void (*other)(void *owner, struct sentinel *sentinel, const char *runid);
    /* After sentinel_close(): it is freed when this returns. */
    void (*closed)(void *owner, struct sentinel *sentinel);
};

struct sentinel_options {
    struct endpoint endpoint;
    const char *group;             /* the Sentinel master name */
    struct credential *credential; /* NULL: none */
    int64_t connect_timeout_ms;
    struct tls_source *tls; /* NULL: it speaks plainly */
    const char *tls_host;   /* by which its certificate knows it; NULL: the endpoint's host */
    const struct sentinel_callbacks *callbacks;
    void *owner;
};

struct sentinel *sentinel_new(uv_loop_t *loop, const struct sentinel_options *options);
void sentinel_close(struct sentinel *sentinel);

/* Another credential: for the connections to come, and tried on the present one for commands. */
void sentinel_set_credential(struct sentinel *sentinel, struct credential *credential);
/* For the connections to come. */
void sentinel_set_connect_timeout(struct sentinel *sentinel, int64_t connect_timeout_ms);
/* Polls at once, or again when a poll is under way. */
void sentinel_poll(struct sentinel *sentinel);
/* Sends SENTINEL CKQUORUM; SENTINEL FAILOVER, whose answer is logged. Nothing when not connected. */
void sentinel_ask_quorum(struct sentinel *sentinel);
void sentinel_ask_failover(struct sentinel *sentinel);
/* While urgent: polls ten times a second, and reconnects within 200 ms. */
void sentinel_set_urgent(struct sentinel *sentinel, bool urgent);

/* When the certificate ends that it showed last, in seconds since 1970; 0: none. */
int64_t sentinel_cert_ends(const struct sentinel *sentinel);
/* Why TLS cannot be agreed on with it; NULL: no such thing. Whether anything is known yet. */
const char *sentinel_disagreement(const struct sentinel *sentinel);
bool sentinel_has_tried(const struct sentinel *sentinel);
/* Where the command connection goes; len 0 before it first stood. */
const struct address *sentinel_address(const struct sentinel *sentinel);
const char *sentinel_name(const struct sentinel *sentinel);

#endif
