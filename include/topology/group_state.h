/*
 * group_state: the inside of a group, shared by its two halves: group.c runs the probes and does what the election
 * asks for, group_sentinels.c runs the Sentinels. group.c calls the other half; what that wants of group.c it
 * reaches through `group_wiring`, so that neither file calls the other in a circle. Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_GROUP_STATE_H
#define REDISPROXY_TOPOLOGY_GROUP_STATE_H

#include "topology/election.h"
#include "topology/group.h"
#include "topology/keyring.h"
#include "topology/probe.h"
#include "topology/sentinel.h"

struct seat {
    struct sentinel *sentinel;
    uint64_t key;
    bool configured, reachable;
    char runid[RUNID_SIZE];  /* its own word */
    char listed[RUNID_SIZE]; /* a discovered one: whom others know under this address */
    struct endpoint endpoint;
    struct endpoint
        seed; /* the configured name that leads here, too (group_seeds.c); host "": none does */
    /* A configured one: different Sentinels answer there, at the same time. It tells of them, and has the voice of whoever
     * answers at the moment; each has a seat of its own besides. */
    bool several;
    bool vague;      /* it names a master at an address that means itself */
    int64_t seen_ms; /* a discovered one: when enough others were last known to list it */
    struct sentinel_peer *peers; /* whom it listed last */
    size_t peer_count;
    /* What it said last, for people. */
    struct {
        bool known;
        struct address named;
        uint64_t epoch;
        enum failover_step step;
        int64_t answered_ms;
    } said;
    int64_t doubtful_ms; /* since when it lists some that too few others do; 0: it does not */
    bool doubt_logged;
    /* Its events: how many more are heard now, since when that was counted, and how many were not. */
    int events_left;
    int64_t events_ms;
    unsigned events_dropped;
};

struct watch {
    struct probe *probe;
    uint32_t seq; /* the election_node.probe_seq that was obeyed */
};

/* What the Sentinels' half has group.c do. */
struct group_wiring {
    /* The election was told something: carry out what it asks for. */
    void (*follow)(struct group *group);
    /* See where the configured names lead by now: before somebody's list is believed all who have a voice have a seat. */
    void (*look)(struct group *group);
    /* Ask the node at this address at once, if there is a probe for it. */
    void (*probe_now)(struct group *group, const struct address *address);
    /* One of the group's handles (open_handles) is closed. The group may be freed when this returns. */
    void (*handle_closed)(struct group *group);
};

struct group {
    uv_loop_t *loop;
    const struct topology_options *options;
    struct topology_options kept; /* its own, once it lingers */
    struct names *names;
    struct keyring own, sentinels_own; /* for the nodes, for the Sentinels */
    struct group_callbacks callbacks;
    void *owner;
    struct group_wiring wiring;
    struct election *election;
    uv_timer_t timer;
    struct seat seats[SENTINEL_LIST_MAX];
    size_t seat_count;
    struct watch *watches;
    size_t watch_count, watch_room;
    uint64_t next_key;
    uint32_t poll_seq;
    struct election_request obeyed; /* what was carried out */
    uint32_t shown_hold;            /* the election's newest hold that was published, */
    uint64_t hold_seq;              /* and in which snapshot */
    bool had_master;
    size_t open_handles;
    bool closing;
};

/* ---- group.c ---- */

/* What the election is told of the group's options. */
struct election_options group_election_options(struct group *group);

/* ---- group_sentinels.c ---- */

/* A connection to a Sentinel, by the group's options; it counts as a handle. `seed`: the name that is in its certificate, when
 * the endpoint is an address of it; host "": the endpoint's own. */
struct sentinel *group_connect_sentinel(struct group *group, const struct endpoint *endpoint,
                                        const struct endpoint *seed);
/* A seat more (`runid` "": not known), as long as there is room; one less. `seed`: the configured name that leads there: the
 * endpoint itself of a configured one; NULL: others list it. */
void group_seat_add(struct group *group, const struct endpoint *endpoint,
                    const struct endpoint *seed, const char *runid);
void group_seat_remove(struct group *group, struct seat *seat);

/* Takes up the configured Sentinels. */
void group_seat_configured(struct group *group);
/* NULL: there is none. */
struct seat *group_seat_by_key(struct group *group, uint64_t key);
/* Forgets discovered Sentinels that are of no use any more. */
void group_unseat(struct group *group);
/* When the first certificate of theirs ends, in seconds since 1970; 0: they showed none. */
int64_t group_sentinels_cert_ends(const struct group *group);
/* Closes and forgets all of them. */
void group_forget_seats(struct group *group);

/* ---- group_disagreement.c ---- */

/* Fills what the snapshot says of TLS that cannot be agreed on: of each node, and whether that is why there is no
 * master. */
void group_show_disagreement(const struct group *group, struct topology_group *out);

/* ---- group_events.c ---- */

/* A failover is some 40 events, in a few seconds; who tells more than this is polled, as ever, and not listened to. */
#define GROUP_EVENTS_MAX 400

/* What one of the seats, which is no stranger's, has told on a channel. */
void group_take_event(struct group *group, struct seat *seat, const char *channel,
                      const char *payload);

/* ---- group_seeds.c ---- */

/* Seats for all addresses of the configured names, as they resolve now. */
void group_seeds_look(struct group *group);

/* ---- group_vouch.c ---- */

/* Remembers whom this Sentinel lists. */
void group_take_list(struct seat *seat, const struct sentinel_report *report);
/* Whether enough Sentinels list this one: a majority of the configured ones; of a configured one that
 * has moved, a majority of all. */
bool group_is_vouched(const struct group *group, const struct sentinel_peer *peer);
/* Says so when this Sentinel goes on listing some that are not vouched for. */
void group_log_doubt(const struct group *group, struct seat *seat);
/* Whether a Sentinel that tells this address can only mean its own host: it stands on another one, and waits to be told
 * of a master, as operators start them. */
bool group_means_itself(const struct seat *seat, const struct endpoint *told);
/* Whether both are the same words; whether they lead to one place, by these or once resolved. */
bool group_same_text(const struct endpoint *a, const struct endpoint *b);
bool group_same_place(const struct group *group, const struct endpoint *a,
                      const struct endpoint *b);

#endif
