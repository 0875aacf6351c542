/*
 * election_state: the inside of an election, shared by its two halves:
 * election.c takes the inputs and keeps house, election_rules.c decides.
 * Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_ELECTION_STATE_H
#define REDISPROXY_TOPOLOGY_ELECTION_STATE_H

#include "topology/election.h"
#include "topology/election_nodes.h"

#define VOTERS_MAX 64

#define ELECTION_PROVISIONAL_MS 2500 /* an unconfirmed promotion is believed for so long */
#define ELECTION_CONTESTED_MS 10000  /* a minority's higher epoch is waited for, for so long */
#define ELECTION_FOREIGN_MS 2000     /* a named master of unknown lineage is doubted for so long */

struct election {
    struct election_options options;
    struct election_view view;
    struct nodes nodes;
    struct voter voters[VOTERS_MAX];
    size_t voter_count;
    struct verdict verdict;

    struct address master; /* the view's; len 0: none */
    int64_t unsteady_ms;   /* since when there is no steady master */
    int64_t settling_until;
    int64_t contested_ms; /* since when a higher epoch contradicts the majority; -1: it does not */
    int64_t minority_ms;  /* since when no majority supports a steady master; -1: one does */
    bool minority_told;
    int64_t lists_ms; /* when a Sentinel that knows the group last answered */

    /* One switch: meaningless while steady. */
    struct address old;       /* who was master before; len 0: nobody */
    struct address confirmed; /* named by a majority, ROLE agrees; waits for good replicas */
    bool promoted;            /* a sign of the promotion was seen: the old master is cut off */
    bool eager_spent;         /* was provisional once in this switch, in vain */
    int64_t hold_ms, promoted_ms, confirmed_ms, provisional_ms;
    int64_t recheck_ms; /* from when on the failover may be found not to have happened */
    bool rechecking;
    uint64_t leader; /* the Sentinel's key; 0: not heard of */
    bool leader_lost;
};

/* Looks at everything that is known, and moves on. */
void election_decide(struct election *e, int64_t now_ms);

/* Holds writes, because a failover of this master is under way. `leader` may be 0. */
void election_hold(struct election *e, const char *why, uint64_t leader, int64_t now_ms);
/* The first sign of a promotion: from here on no answer of the old master counts. */
void election_promotion_seen(struct election *e, const struct election_node *candidate,
                             const char *why, int64_t now_ms);
void election_leader_lost(struct election *e, int64_t now_ms);
/* The failover may have ended without a promotion: find out from this instant's answers. */
void election_recheck(struct election *e, int64_t now_ms);

void election_story(struct election *e, enum log_level level, const char *msg, const char *pairs,
                    ...) __attribute__((format(printf, 4, 5)));
const char *election_voter_name(const struct election *e, uint64_t key);

#endif
