/*
 * election_state: the inside of an election, shared by its parts. Calls go down only:
 *
 *     election, election_sentinels           take the inputs
 *       settle                               what follows from a decision
 *         rules                              which state next?
 *           confirm, release                 how a switch ends
 *             switch                         how it begins; a steady master
 *               assist, fence, readers       what is done about it; who may be read
 *                 trust                      who is believed
 *                   state, nodes, votes      what all of them call
 *                   facts                    what is counted and shown
 *
 * Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_ELECTION_STATE_H
#define REDISPROXY_TOPOLOGY_ELECTION_STATE_H

#include "topology/election.h"
#include "topology/election_nodes.h"

/* Two minutes, where it moves between all answers. */
#define OFFSETS_MAX 128
#define VOTERS_MAX 64 /* election_node.named_by has a bit for each */

#define ELECTION_PROVISIONAL_MS 2500 /* an unconfirmed promotion is believed for so long */
#define ELECTION_CONTESTED_MS 10000  /* a minority's higher epoch is waited for, for so long */
#define ELECTION_FOREIGN_MS 2000     /* a named master of unknown lineage is doubted for so long, */
#define ELECTION_ALONE_MS 500        /* or only so long when no node of the group can be asked */
#define ELECTION_RECHECK_MS 3000     /* a hold without a promotion is doubted after this */
#define ELECTION_ASK_MS 200          /* so long the Sentinels are asked who promoted a node */
#define ELECTION_ARRIVED_MS 150      /* what a process sent before it died has arrived after that */
#define ELECTION_RETURN_MS 10000     /* a dead leader that recorded its promotion may come back */

/* One change of master, from the hold to the release: what was heard of it, and what was done about it. Whatever
 * stands here of the last one means nothing while the group is steady. */
struct change {
    struct address from; /* who was master when writes were held; */
    struct address old;  /* the same, or the new one that is failed over as well; len 0: nobody */
    struct address selected;  /* as its leader published; len 0: not yet */
    struct address confirmed; /* named by a majority, ROLE agrees; waits for good replicas */
    int64_t hold_ms; /* when writes were held; stays when the new master is failed over as well */
    const char *why; /* a constant */
    int64_t selected_ms; /* when a candidate was first known; -1: none is */

    /* The promotion. */
    bool promoted;    /* a sign of it was seen: the old master is cut off */
    bool unannounced; /* it began with a node that said master, not with a Sentinel's word; */
    bool asked;       /* all Sentinels were asked about that */
    bool eager_spent; /* was provisional once, in vain */
    bool repointed;   /* a replica was pointed at the candidate by this proxy */
    int64_t promoted_ms, confirmed_ms, provisional_ms; /* when each began; -1: it has not */

    /* The Sentinel that leads. */
    uint64_t leader;               /* its key; 0: not heard of */
    char leader_runid[RUNID_SIZE]; /* another one may come to answer under that key */
    bool leader_lost;              /* nothing is heard of it any more */
    bool leader_refused;           /* its process is gone */
    bool inquired;                 /* ... and all were asked what it has done */
    bool leader_promoted; /* it has recorded the promotion, and will stand by it when it returns */
    bool rivals;          /* a second Sentinel led one meanwhile */
    int64_t leader_heard_ms;   /* the last word of one that is lost; -1: it is not */
    int64_t leader_refused_ms; /* since when its process is gone */

    /* Whether it happens at all. */
    int64_t recheck_ms; /* from when on the failover may be found not to have happened */
    bool rechecking;    /* everybody was asked for that */

    struct {
        enum { FENCE_NONE, FENCE_PAUSED, FENCE_IS_CUT } step;
        int64_t until_ms; /* what was sent last ends by itself then */
        int64_t begun_ms; /* since when nobody was let through */
        bool refused;     /* by the node */
        bool spared;      /* a client's pause stands in the way */
    } fence;
};

struct election {
    struct election_options options;
    struct election_options next; /* as soon as no switch is under way, */
    bool has_next;                /* if there are others */
    struct election_view view;
    struct nodes nodes;
    struct voter voters[VOTERS_MAX];
    size_t voter_count;
    struct verdict verdict;

    struct address master; /* the view's; len 0: none */
    struct address reader; /* the same */
    int64_t
        unreadable_ms;   /* since when nobody who is up to date can be read; -1: somebody can be */
    int64_t unsteady_ms; /* since when there is no steady master */
    int64_t settling_until;
    int64_t contested_ms; /* since when a higher epoch contradicts the majority; -1: it does not */
    int64_t minority_ms;  /* since when no majority supports a steady master; -1: one does */
    int64_t majority_ms;  /* when a majority last named any master */
    bool minority_logged, quorum_logged;
    int64_t quorum_ms;     /* when a majority last stood behind the steady master */
    const char *objection; /* what speaks against writing to the steady master; NULL: nothing */
    char master_runid[RUNID_SIZE];
    /* Since when a master that was restarted, or that no failover followed after all, may miss its
     * replicas; -1: it does not. */
    int64_t missing_ms;
    struct marks marks;
    /* A master that made itself a replica of the present one, while a majority still names it. */
    struct address handed_over;
    uint64_t handed_over_epoch;
    int64_t changed_ms; /* the last sign of any switch, or the start */
    struct {
        enum { ASSIST_IDLE, ASSIST_QUORUM, ASSIST_REREAD } step;
        int64_t since_ms, not_before_ms;
    } assist;
    int64_t lists_ms;       /* when a Sentinel that knows the group last answered */
    struct address demoted; /* demote = yes: the old master, until it is a replica; len 0: none */
    int64_t demote_ms, demote_sent_ms;

    struct switch_times switches;
    struct offsets {
        struct offset_mark {
            int64_t ms, offset;
        } at[OFFSETS_MAX];
        unsigned count; /* taken so far */
    } offsets;          /* where the master's replication stream was, for people */

    struct change change;
};

/* ---- election_state.c: called by all parts, calls none ---- */

/* The only place where the group's state changes. Aborts when the table of transitions has no such one. */
void election_enter(struct election *e, enum group_state state, const struct address *master,
                    int64_t now_ms);
/* Why the state is what it is, for people; copied. */
void election_reason(struct election *e, const char *reason);
/* A line for the log, in the group's name; `pairs` as log_event() takes them. */
void election_story(struct election *e, enum log_level level, const char *msg, const char *pairs,
                    ...) __attribute__((format(printf, 4, 5)));
/* For the log; "-": there is no such Sentinel. */
const char *election_voter_name(const struct election *e, uint64_t key);
/* Asks every node at once what it is. */
void election_probe_all(struct election *e);
/* No node is a candidate any more. */
void election_clear_candidates(struct election *e);

/* ---- election_facts.c ---- */

/* How long each phase took, until now where the last one has not ended; one of which no sign was seen took 0. */
void election_measure_phases(const struct change *change, bool provisional, int64_t now_ms,
                             int64_t out[SWITCH_PHASES]);

/* A switch has ended: at another master, or at the old one. */
void election_count_switch(struct election *e, bool promotion, int64_t now_ms);

/* ---- election_settle.c ---- */

/* Ends every input: has the rules decide, and derives what follows. */
void election_settle(struct election *e, int64_t now_ms);

/* ---- election_rules.c ---- */

/* Looks at everything that is known, and moves on. */
void election_decide(struct election *e, int64_t now_ms);

/* ---- election_switch.c: beginning a switch, and what is heard of its leader ---- */

/* Holds writes, because a failover of this master is under way. `leader` may be 0. */
void election_hold(struct election *e, const char *why, uint64_t leader, int64_t now_ms);
/* The first sign of a promotion: from here on no answer of the old master counts. */
void election_promotion_seen(struct election *e, const struct election_node *candidate,
                             const char *why, int64_t now_ms);
/* The new master is failed over before it took a write. */
void election_hold_again(struct election *e, uint64_t leader, int64_t now_ms);
void election_leader_lost(struct election *e, int64_t now_ms);
void election_leader_refused(struct election *e, int64_t now_ms);
/* The failover may have ended without a promotion: find out from this instant's answers. */
void election_recheck(struct election *e, int64_t now_ms);

/* A steady master was found: the end of every switch, and of the search at the start. */
void election_become_steady(struct election *e, struct election_node *master, int64_t now_ms);
void election_start_with(struct election *e, struct election_node *master, int64_t now_ms);

/* Tells the owner of the switch that has just ended. `provisional`: writes have gone on for a while. */
void election_report_switch(struct election *e, const struct election_node *master,
                            bool provisional, int64_t now_ms);

/* ---- election_confirm.c: each ends the switch at a new master if it may ---- */

void election_try_confirm(struct election *e, const struct address *named, int64_t now_ms);
void election_try_successor(struct election *e, struct election_node *node, int64_t now_ms);
void election_try_provisional(struct election *e, int64_t now_ms);

/* ---- election_release.c: each ends the switch at the old master if it may ---- */

void election_try_release(struct election *e, int64_t now_ms);
void election_try_return(struct election *e, struct election_node *old, int64_t now_ms);
/* Finds the Sentinels that wait for a promotion in vain. */
void election_note_undone(struct election *e, int64_t now_ms);

/* ---- election_trust.c ---- */

bool election_trusted(const struct election *e, int64_t now_ms);
const char *election_distrust(const struct election *e);
/* A majority that is to be believed names another master. */
bool election_named_otherwise(const struct election *e, const struct address *than, int64_t now_ms);
/* Every Sentinel that is present was asked at `since_ms` or later. */
bool election_all_answered_since(const struct election *e, int64_t since_ms, int64_t now_ms);
bool election_quorum_lost(const struct election *e, int64_t now_ms);
void election_note_majority(struct election *e, int64_t now_ms);
void election_note_quorum(struct election *e, int64_t now_ms);
bool election_acceptable(struct election *e, struct election_node *node, int64_t now_ms);
void election_remember_replids(struct election *e, const struct election_node *master);
/* `key` leads this failover, 0: nobody does; and whether this is the Sentinel that does. */
void election_set_leader(struct election *e, uint64_t key);
bool election_leads(const struct election *e, const struct voter *voter);
/* A node other than `master` that became master within this failover; the first of so many. */
struct election_node *election_promoted_node(const struct election *e, const struct address *master,
                                             size_t *how_many);
/* The master whose linked replica the old master says that it is; NULL: it does not. */
struct election_node *election_successor(const struct election *e);
/* The old master, when the node that a majority names was made its replica again right after the promotion;
 * NULL: it was not. */
struct election_node *election_turned_back(const struct election *e);

/* ---- election_readers.c ---- */

/* Finds who may be read. */
void election_update_readers(struct election *e, int64_t now_ms);
/* When that may change by time alone; INT64_MAX: it will not. */
int64_t election_readers_deadline(const struct election *e);

/* ---- election_assist.c ---- */

/* What the proxy does to help, where it is allowed to. */
void election_assist(struct election *e, int64_t now_ms);
/* The promotion came to nothing: a replica that was pointed at the candidate goes back. */
void election_assist_undo(struct election *e, const struct election_node *old);
void election_assist_quorum(struct election *e, uint64_t key, bool good, int64_t now_ms);
/* A steady group was found at the start. */
void election_assist_start(struct election *e, int64_t now_ms);

/* ---- election_fence.c ---- */

void election_fence(struct election *e, int64_t now_ms);
int64_t election_fence_deadline(const struct election *e, int64_t now_ms);
/* The old master stays in office. */
void election_fence_lift(struct election *e, const struct election_node *old, int64_t now_ms);
/* A majority names another master. */
void election_demote_begin(struct election *e, int64_t now_ms);
void election_demote(struct election *e, int64_t now_ms);

#endif
