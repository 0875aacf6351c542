/*
 * election_nodes: what each node says, and what follows from it for readers.
 *
 * A replica of a steady master is readable while it says so itself: slave of
 * exactly that master, link connected, the group's replication id. "Link
 * down" alone does not end it: when the master dies, every replica says so,
 * and their data is as good as before. It ends only once the master has
 * answered after the replica said it. Without a steady master everybody keeps
 * what he had, except candidates: their connections are about to be killed.
 * A replica that has not reached what its master had written some time ago (replica_lag) is behind,
 * whatever its link says.
 */
#include "topology/election_nodes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A group has a handful; a Sentinel that lists more than this is not believed. */
#define NODES_MAX 256

/* The id is made from the address, so that it stays the same without remembering who was forgotten:
 * exact for IPv4, a 63-bit hash for IPv6. */
static uint64_t id_of(const struct address *address)
{
    if (address->sa.any.sa_family == AF_INET)
        return (uint64_t)ntohl(address->sa.v4.sin_addr.s_addr) << 16 |
               ntohs(address->sa.v4.sin_port);
    uint64_t hash = 14695981039346656037ULL;
    const unsigned char *bytes = address->sa.v6.sin6_addr.s6_addr;
    for (size_t i = 0; i < sizeof(address->sa.v6.sin6_addr.s6_addr); i++)
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    hash = (hash ^ address->sa.v6.sin6_port) * 1099511628211ULL;
    return hash | 1ULL << 63;
}

void nodes_free(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        free(nodes->at[i]);
    free(nodes->at);
    *nodes = (struct nodes){.at = NULL};
}

struct election_node *nodes_find(const struct nodes *nodes, const struct address *address)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (address_equal(&nodes->at[i]->shown.address, address))
            return nodes->at[i];
    }
    return NULL;
}

static struct election_node *node_new(const struct address *address, int64_t now_ms)
{
    struct election_node *node = calloc(1, sizeof(*node));
    if (!node)
        abort();
    node->shown.id = id_of(address);
    node->shown.address = *address;
    address_format(node->shown.name, sizeof(node->shown.name), address);
    node->answered_ms = -1;
    node->unwell_ms = -1;
    node->asked_ms = -1;
    node->refused_ms = -1;
    node->foreign_ms = -1;
    node->listed_ms = now_ms;
    return node;
}

/* Makes room. Nobody can fill the table with what he alone names. */
static bool forget_unnamed(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        struct election_node *node = nodes->at[i];
        assert(node);
        if (node->named)
            continue;
        free(node);
        nodes->at[i] = nodes->at[--nodes->count];
        return true;
    }
    return false;
}

struct election_node *nodes_add(struct nodes *nodes, const struct address *address,
                                const char *name, int64_t now_ms)
{
    struct election_node *node = nodes_find(nodes, address);
    if (!node) {
        if (nodes->count == NODES_MAX && !forget_unnamed(nodes))
            return NULL;
        if (nodes->count == nodes->room) {
            nodes->room = nodes->room ? nodes->room * 2 : 8;
            nodes->at = realloc(nodes->at, nodes->room * sizeof(struct election_node *));
            if (!nodes->at)
                abort();
        }
        node = node_new(address, now_ms);
        nodes->at[nodes->count++] = node;
    }
    if (name) {
        strncpy(node->shown.name, name, sizeof(node->shown.name) - 1);
        node->shown.name[sizeof(node->shown.name) - 1] = '\0';
    }
    return node;
}

void nodes_sweep(struct nodes *nodes)
{
    size_t kept = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->at[i]->gone)
            free(nodes->at[i]);
        else
            nodes->at[kept++] = nodes->at[i];
    }
    nodes->count = kept;
}

/* Is it in office as it was? `runid`: its last known one. */
static void note_tenure(struct election_node *node, const char *runid)
{
    const struct node_answer *says = &node->says;
    if (strcmp(says->runid, runid) != 0 || says->role != node->last_role ||
        (says->role == ROLE_REPLICA && !address_equal(&says->master, &node->last_master)))
        node->shown.tenure++;
    node->last_role = says->role;
    node->last_master = says->master;
}

void node_take_answer(struct election_node *node, const struct node_answer *answer,
                      int64_t asked_ms, int64_t now_ms)
{
    char runid[RUNID_SIZE];
    memcpy(runid, node->says.runid, sizeof(runid));
    node->says = *answer;
    if (!node->says.runid[0])
        memcpy(node->says.runid, runid, sizeof(runid));
    else if (strcmp(node->says.runid, runid) != 0)
        node->member = false;
    node->shown.process = topology_process(node->says.runid);
    note_tenure(node, runid);
    node->asked_ms = asked_ms;
    node->answered_ms = now_ms;
    node->unwell_ms = -1;
    node->down = false;
    node->silent = false;
    node->refused_ms = -1;
    if (node->was_master && answer->role == ROLE_REPLICA)
        node->turned_ms = now_ms;
    node->was_master = answer->role == ROLE_MASTER;
    node->link_lost = answer->role == ROLE_REPLICA && !answer->link_connected;
    if (answer->role == ROLE_REPLICA) {
        memcpy(node->replica_runid, node->says.runid, sizeof(node->replica_runid));
        node->dismissed = false;
    }
}

bool node_says_master(const struct election_node *node)
{
    return node->says.role == ROLE_MASTER;
}

static bool same_replid(const char *a, const char *b)
{
    return a[0] && strcmp(a, b) == 0;
}

bool node_in_lineage(const struct election_node *node, const char (*replid)[REPLID_SIZE])
{
    if (!replid[0][0])
        return true;
    for (int i = 0; i < 2; i++) {
        if (same_replid(node->says.replid[i], replid[0]) ||
            same_replid(node->says.replid[i], replid[1]))
            return true;
    }
    return false;
}

bool node_was_promoted(const struct election_node *node, const char (*replid)[REPLID_SIZE])
{
    return node_says_master(node) && same_replid(node->says.replid[1], replid[0]) &&
           same_replid(node->says.runid, node->replica_runid);
}

/* A replica of a master that was restarted empty says whom it follows seconds before its link
 * stands again, so the link does not matter here: it will take that master's data. */
enum nodes_opinion nodes_think(const struct nodes *nodes, const struct election_node *master)
{
    enum nodes_opinion opinion = NODES_ABSENT;
    for (size_t i = 0; i < nodes->count; i++) {
        const struct election_node *node = nodes->at[i];
        if (node == master || !node->named || !node->member || node->says.role != ROLE_REPLICA ||
            node->shown.suspect)
            continue;
        if (address_equal(&node->says.master, &master->shown.address))
            return NODES_FOLLOW;
        opinion = NODES_DISSENT;
    }
    return opinion;
}

void node_update_up(struct election_node *node, int64_t now_ms)
{
    if ((node->down || node->silent) && node->unwell_ms < 0)
        node->unwell_ms = now_ms;
    node->shown.up = node->answered_ms >= 0 && node->unwell_ms < 0;
}

int64_t node_unwell_since(const struct election_node *node)
{
    return node->shown.up ? node->suspect_ms : node->unwell_ms;
}

bool node_update_suspect(struct election_node *node, int64_t now_ms)
{
    bool suspect = node->silent || node->refused_ms >= 0;
    if (node->shown.suspect == suspect)
        return false;
    node->shown.suspect = suspect;
    node->suspect_ms = now_ms;
    return true;
}

/* ---- lag ---- */

void marks_clear(struct marks *marks)
{
    marks->count = 0;
}

void marks_take(struct marks *marks, int64_t offset, int64_t every_ms, int64_t now_ms)
{
    if (marks->count && now_ms - marks->at[(marks->count - 1) % MARKS_MAX].ms < every_ms)
        return;
    marks->at[marks->count % MARKS_MAX].ms = now_ms;
    marks->at[marks->count++ % MARKS_MAX].offset = offset;
}

int64_t marks_before(const struct marks *marks, int64_t age_ms, int64_t now_ms)
{
    unsigned kept = marks->count < MARKS_MAX ? marks->count : MARKS_MAX;
    for (unsigned i = 1; i <= kept; i++) {
        if (now_ms - marks->at[(marks->count - i) % MARKS_MAX].ms >= age_ms)
            return marks->at[(marks->count - i) % MARKS_MAX].offset;
    }
    return 0;
}

/* Whether the master is known to be well since the replica said that its link is down. */
static bool master_answered_since(const struct election_node *master,
                                  const struct election_node *replica)
{
    return master->says.role != ROLE_UNKNOWN && master->asked_ms > replica->answered_ms;
}

static bool readable_now(const struct election_node *node, const struct election_node *master,
                         const struct nodes_context *context)
{
    const char(*replid)[REPLID_SIZE] = context->replid;
    if (node->says.role == ROLE_UNKNOWN) /* the connection broke: it reconnects, or it is `down` */
        return node->shown.readable;
    if (node->says.role != ROLE_REPLICA || !node_in_lineage(node, replid))
        return false;
    if (!address_equal(&node->says.master, &master->shown.address))
        return false;
    if (node->link_lost)
        return node->shown.readable && !master_answered_since(master, node);
    return !node->says.offset || node->says.offset >= context->behind;
}

static bool keeps_readable(const struct election_node *node, const struct nodes_context *context)
{
    return node->shown.readable && context->stale_allowed && !node->candidate &&
           !node_says_master(node) &&
           (node->says.role == ROLE_UNKNOWN || node_in_lineage(node, context->replid));
}

bool node_answers_reads(const struct election_node *node)
{
    return node->named && !node->down && !node->shown.suspect && !node->says.unready;
}

void nodes_update_readable(struct nodes *nodes, const struct nodes_context *context)
{
    for (size_t i = 0; i < nodes->count; i++) {
        struct election_node *node = nodes->at[i];
        bool readable = false;
        assert(node);
        if (node == context->master || !node->named || node->down || node->says.unready)
            readable = false;
        else if (context->master)
            readable = readable_now(node, context->master, context);
        else
            readable = keeps_readable(node, context);
        node->shown.readable = readable;
    }
}
