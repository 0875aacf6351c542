/*
 * router: from what a session needs ("the master", "a replica") to an upstream.
 * Sessions get upstreams here, compare them (two requests on the same one execute in order), submit requests to them,
 * and ask the rest with the functions of upstream.h: the struct's fields are none of their business.
 *
 *     session --router_shared/router_lease--> pool --> upstream
 *     board   --router_adopt--> cut, take back, and tell who may go on
 *
 * One worker's thread only.
 */
#ifndef REDISPROXY_NODES_ROUTER_H
#define REDISPROXY_NODES_ROUTER_H

#include "nodes/place.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate;
struct hold;
struct identities;
struct identity;
struct request;
struct request_owner;
struct router;
struct shared;
struct topology;
struct topology_group;
struct turn;

/* What the router tells the worker. */
struct router_events {
    void (*wake)(struct held *held);           /* this session may try again */
    void (*on_hold)(void *data, size_t group); /* writing to the group's master has to stop */
    /* A connection to the node ended unasked, or was the last one: it may have been restarted. */
    void (*on_gone)(void *data, size_t group, uint64_t node);
};

/* `number`: which of the shared's workers it is for. */
struct router *router_new(struct turn *turn, const struct traffic_options *options,
                          struct shared *shared, size_t number, const struct router_events *events,
                          void *data);
/* Other options, in which each group has the index that it had. The snapshot that was adopted last has all of these. */
void router_reload(struct router *router, const struct traffic_options *options);
/* Where the worker's identities are interned. */
struct identities *router_identities(struct router *router);
void router_close(struct router *router); /* cuts every upstream */
bool router_empty(const struct router *router);
/* How many there are. */
size_t router_upstreams(const struct router *router);
void router_free(struct router *router);

/* Takes over the caller's reference to the newest snapshot and acts on it. */
void router_adopt(struct router *router, struct topology *topology);

/* Whether the newest snapshot has so many groups. */
bool router_has_groups(const struct router *router, size_t count);

/* Why a request for the group's master need not wait any longer: the master refuses the proxy. Returns
 * its text, in `out`, or NULL. */
const char *router_refusal(const struct router *router, size_t group, char *out, size_t size);

/* Whether the newest snapshot is carried out: where writes to a master are held, none that was sent to
 * it before is unanswered any more. */
bool router_is_quiet(const struct router *router);

/* Every 100 ms: timeouts. */
void router_tick(struct router *router, int64_t now_ms);

/* Once each turn: wakes what publishes, if it may go on now. */
void router_let_publish(struct router *router);
const struct gate *router_gate(const struct router *router, size_t group);

/* ---- for sessions ---- */

/* The shared upstream for the role; NULL: there is none now, and the request has to wait (place->entry says for what). */
struct upstream *router_shared(struct router *router, struct place *place, enum target_role role,
                               struct identity *identity);
/* The shared upstream to the node where this process is (topology_process()), if what goes to it by the
 * place's route may be read there now; otherwise NULL. place->entry says whether the session has yet to be
 * let in there: ENTRY_NONE, it need not wait for that. */
struct upstream *router_shared_of(struct router *router, struct place *place, uint32_t process,
                                  struct identity *identity);
/* As router_shared(), for AUTH; see pool_auth_upstream(). `proves`: the request itself asks the node whether this
 * identity is let in. */
struct upstream *router_auth_upstream(struct router *router, struct place *place,
                                      enum target_role role, struct identity *identity,
                                      bool proves);
/* Whether the session may try now whether the node lets it in with another identity (AUTH, SELECT, ...). If not,
 * place->entry is ENTRY_WAITS, and it is woken when it may. What came of it is told afterwards. */
bool router_login_turn(struct router *router, struct place *place, enum target_role role,
                       struct identity *identity);
void router_login_ended(struct router *router, struct place *place, bool admitted);
/* Whether a session of this identity has to log in at the node where its requests go: ENTRY_OTHER. ENTRY_FREE: it need
 * not. Otherwise that is not known now, and its session is woken when it may be (admission_login()). */
enum entrance router_login_needed(struct router *router, struct place *place,
                                  struct identity *identity);
/* Whether a session of this identity has yet to log in, as far as that is known without asking: some node has asked for
 * a password, or only those were let in that had one, and none has let anybody in without. */
bool router_is_outside(const struct router *router, const struct place *place,
                       const struct identity *identity);
/* A lease, as above; see pool_lease(). */
struct upstream *router_lease(struct router *router, struct place *place, enum target_role role,
                              struct identity *identity, void (*on_lost)(void *lease_data),
                              void *lease_data);
void router_return(struct router *router, struct upstream *lease, bool clean);
/* As pool_park(). */
bool router_park(struct upstream *lease);

/* Begins a place. */
void router_place(struct place *place, const struct traffic_listener_options *listener,
                  struct held *held);
/* The session has another identity now, which only the node of `by` has admitted (NULL: none has; admission.h). */
void router_entered(struct place *place, const struct upstream *by);

/* What others may do may have changed, or somebody was refused: see rights.h. */
void router_rights_changed(struct router *router, size_t group);
void router_rights_refused(struct router *router, size_t group);

/* Whether something may be written to this upstream now (a lease that was taken before a switch
 * began may not). */
bool router_may_write(const struct router *router, const struct upstream *upstream);

/* The same for a lease that a request is about to be sent on: also false, for a moment, after its
 * node rejected one; then the session is woken. */
bool router_may_send(struct router *router, const struct upstream *lease);

/* Whether the group is well and has been for a while: what its master says then is the answer. */
bool router_is_settled(const struct router *router, size_t group);

/* Whether that node is still what it was, as far as is known by now: the same process in the same role,
 * and nothing in the group has changed since, or shortly before. */
bool router_node_is_unchanged(const struct router *router, size_t group, const struct ended *ended);

/* Tells the ids that the worker's upstreams to a node have there. */
void router_each_client_id(const struct router *router, size_t group, uint64_t node,
                           void (*each)(void *data, uint64_t id), void *data);

/* CLIENT PAUSE: the node keeps writes waiting until `until_ms` (turn_now(); 0: no longer). */
void router_writes_wait(struct router *router, size_t group, uint64_t node, int64_t until_ms);
bool router_do_writes_wait(const struct router *router, size_t group);
/* What is unanswered on shared upstreams to that node may stay so for long: they are retired,
 * and the reads behind it are taken elsewhere. */
void router_stop_sharing(struct router *router, size_t group, uint64_t node);

/* Whether a request that publishes a message may go on: not while subscriptions of this proxy's clients are being
 * made again (gate.h). If not, it has to be held: its session is woken when it may. */
bool router_may_publish(struct router *router, size_t group);
/* A session's subscriptions are lost with their connection; they stand again, or are given up. */
void router_subscriber_lost(struct router *router, size_t group);
void router_subscriber_renewed(struct router *router, size_t group);

/* An operator has the connections to a group's nodes made anew, at boundaries between requests. Adds how many of each
 * sort there were. */
struct renewed {
    size_t shared, idle, leases;
};
void router_renew(struct router *router, size_t group, struct renewed *count);

/* The node rejected a request: it is left alone for a moment; `not_master`: it is no master any
 * more, and the upstream ends when what is in flight there is answered. */
void router_rejected(struct router *router, size_t group, struct upstream *upstream,
                     bool not_master);

/* Sends a copy of `request` for `identity` to every node of the group but `except`, and, with
 * `readers`, the master: owned by `owner` and `owner_data`. Returns how many. */
unsigned router_send_everywhere(struct router *router, size_t group, bool readers,
                                struct identity *identity, const struct upstream *except,
                                const struct request *request, const struct request_owner *owner,
                                void *owner_data);

/* Asks the lease's node, as the proxy, to end the command that blocks there (CLIENT UNBLOCK ERROR).
 */
void router_unblock(struct router *router, const struct upstream *lease);

/* A question of the proxy's own (COMMAND INFO) for any node of this role; false: nobody to
 * ask now. */
bool router_ask(struct router *router, struct place *place, enum target_role role,
                const char *bytes, size_t len, const struct request_owner *owner, void *owner_data);

/* The session, if it has none yet, reads from this replica (0: none); and leaves it. */
void router_join_replica(struct router *router, struct place *place, uint64_t replica);
void router_leave_replica(struct router *router, struct place *place);

/* The snapshot that it goes by; 0: none yet. */
uint64_t router_seq(const struct router *router);
const struct topology_group *router_view(const struct router *router, size_t group);
struct hold *router_hold(struct router *router, size_t group);
const struct traffic_group_options *router_group(const struct router *router, size_t group);

#endif
