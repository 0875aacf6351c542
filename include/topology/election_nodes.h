/*
 * election_nodes: the election's table of nodes: which exist, what each last
 * said, whether it belongs to the group, and who may be read. The half of the
 * election that knows nothing of states and majorities. Pure, like the rest.
 */
#ifndef REDISPROXY_TOPOLOGY_ELECTION_NODES_H
#define REDISPROXY_TOPOLOGY_ELECTION_NODES_H

#include "topology/election.h"

struct nodes {
    struct election_node **at;
    size_t count, room;
};

/* Where the master's replication stream was, and when: the last eight times. */
#define MARKS_MAX 8
struct marks {
    struct {
        int64_t ms, offset;
    } at[MARKS_MAX];
    unsigned count; /* taken so far */
};

/* What readability depends on. */
struct nodes_context {
    const struct election_node *master; /* of a steady group; NULL: there is none */
    const char (*replid)[REPLID_SIZE];  /* the group's two */
    bool stale_allowed;                 /* without a master, what was readable stays so */
    int64_t behind; /* replicas that have not come this far lag; 0: nobody is found to lag */
};

void nodes_free(struct nodes *nodes);
struct election_node *nodes_find(const struct nodes *nodes, const struct address *address);
/* Finds it, or adds it. NULL: the table is full. `name` may be NULL. */
struct election_node *nodes_add(struct nodes *nodes, const struct address *address,
                                const char *name, int64_t now_ms);
/* Frees the nodes that are marked `gone`. */
void nodes_sweep(struct nodes *nodes);

void node_take_answer(struct election_node *node, const struct node_answer *answer,
                      int64_t asked_ms, int64_t now_ms);

bool node_says_master(const struct election_node *node);
/* Its data continues the group's: its replication id, or the one before, is one of the group's. */
bool node_in_lineage(const struct election_node *node, const char (*replid)[REPLID_SIZE]);
/* It was promoted just now: it was seen as a replica in the same life of its process, and its
 * replication id before is the group's present one. */
bool node_was_promoted(const struct election_node *node, const char (*replid)[REPLID_SIZE]);
/* What the group's own nodes, apart from `master`, think of it. */
enum nodes_opinion {
    NODES_ABSENT,  /* none of them answers as a replica */
    NODES_FOLLOW,  /* at least one is its replica, linked or trying to be */
    NODES_DISSENT, /* those that answer are all replicas of somebody else */
};
enum nodes_opinion nodes_think(const struct nodes *nodes, const struct election_node *master);

/* The election's word on silence and refusal; returns whether `shown.suspect` changed. */
bool node_update_suspect(struct election_node *node, int64_t now_ms);

/* Whether it answers: once it was found down, or silent, only an answer makes it so again. A front that takes connections for
 * a dead node, and closes them, is none. */
void node_update_up(struct election_node *node, int64_t now_ms);
/* Since when it is not well, or is well again. */
int64_t node_unwell_since(const struct election_node *node);

/* Takes a mark when the last one is old enough, `every_ms`. */
void marks_take(struct marks *marks, int64_t offset, int64_t every_ms, int64_t now_ms);
/* The offset at least `age_ms` ago; 0: not known. */
int64_t marks_before(const struct marks *marks, int64_t age_ms, int64_t now_ms);
void marks_clear(struct marks *marks);

/* Whether a read that is sent to it would be answered. */
bool node_answers_reads(const struct election_node *node);

void nodes_update_readable(struct nodes *nodes, const struct nodes_context *context);

#endif
