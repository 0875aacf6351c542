/*
 * topology: snapshots, and the board that shows the newest one.
 *
 * The board's mutex protects the pointer and the subscribers, and is held for
 * a few instructions: taking a reference must not race with the publication
 * that gives the board's own away. The sequence is an atomic of its own, so
 * that a worker asks "anything new?" before each flush without the mutex.
 * test_topology.c publishes and acquires on several threads.
 */
#include "topology/topology.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBSCRIBERS_MAX 64
#define PAUSES_MAX 16 /* nodes that clients have paused at a time */

struct subscriber {
    void (*notify)(void *arg); /* NULL: the place is free */
    void *arg;
    atomic_uint_least64_t acknowledged;
};

struct client_pause {
    size_t group;
    uint64_t node;
    int64_t until_ms;
};

struct board {
    pthread_mutex_t mutex;
    atomic_uint_least64_t seq;
    struct topology *newest;
    struct subscriber subscribers[SUBSCRIBERS_MAX];
    size_t subscriber_count; /* places that were ever taken */
    struct client_pause pauses[PAUSES_MAX];
    struct refusals *refusals;
    struct facts *facts;
    struct history *history;
    size_t groups;
    switch_counts_read *counts; /* NULL: nobody counts */
    const void *counted;
};

const char *group_state_name(enum group_state state)
{
    static const char *const names[] = {
        [GROUP_NONE] = "none",
        [GROUP_STEADY] = "steady",
        [GROUP_SWITCHING] = "switching",
        [GROUP_PROVISIONAL] = "provisional",
    };
    return names[state];
}

struct topology *topology_new(size_t group_count)
{
    struct topology *topology = calloc(1, sizeof(*topology));
    if (!topology)
        abort();
    atomic_init(&topology->refs, 1);
    topology->group_count = group_count;
    topology->groups = calloc(group_count ? group_count : 1, sizeof(*topology->groups));
    if (!topology->groups)
        abort();
    for (size_t i = 0; i < group_count; i++)
        topology->groups[i].master = topology->groups[i].reader = -1;
    return topology;
}

void topology_release(struct topology *topology)
{
    unsigned before = atomic_fetch_sub_explicit(&topology->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    for (size_t i = 0; i < topology->group_count; i++) {
        credential_release(topology->groups[i].own);
        free(topology->groups[i].nodes);
    }
    free(topology->groups);
    free(topology);
}

/* Redis draws all 40 digits by chance, so the first ones are as good as a hash of all. */
uint32_t topology_process(const char *runid)
{
    char digits[PROCESS_BITS / 4 + 1];
    uint32_t process;
    if (!runid[0])
        return 0;
    snprintf(digits, sizeof(digits), "%.*s", PROCESS_BITS / 4, runid);
    process = (uint32_t)strtoul(digits, NULL, 16);
    return process ? process : 1;
}

const char *topology_shut_out(const struct topology_group *group, int64_t now_ms,
                              int64_t patience_ms)
{
    const char *refusal = group->master < 0 ? credential_refusal(group->own) : NULL;
    if (refusal && !group->own->owner.file)
        return refusal;
    if (!*group->disagreement || (group->had_master && now_ms - group->since_ms < patience_ms))
        return NULL;
    return group->disagreement;
}

const struct topology_node *topology_node_by_id(const struct topology_group *group, uint64_t id)
{
    for (size_t i = 0; i < group->node_count; i++) {
        if (group->nodes[i].id == id)
            return &group->nodes[i];
    }
    return NULL;
}

struct board *board_new(size_t groups)
{
    struct board *board = calloc(1, sizeof(*board));
    if (!board)
        abort();
    pthread_mutex_init(&board->mutex, NULL);
    atomic_init(&board->seq, 0);
    board->refusals = refusals_new();
    board->history = history_new(groups);
    board->groups = groups;
    board->facts = facts_new();
    return board;
}

size_t board_groups(const struct board *board)
{
    return board->groups;
}

void board_free(struct board *board)
{
    if (board->newest)
        topology_release(board->newest);
    pthread_mutex_destroy(&board->mutex);
    refusals_free(board->refusals);
    history_free(board->history);
    facts_free(board->facts);
    free(board);
}

struct facts *board_facts(const struct board *board)
{
    return board->facts;
}

struct refusals *board_refusals(const struct board *board)
{
    return board->refusals;
}

struct history *board_history(const struct board *board)
{
    return board->history;
}

size_t board_subscribe(struct board *board, void (*notify)(void *arg), void *arg)
{
    size_t number = 0;
    pthread_mutex_lock(&board->mutex);
    while (number < board->subscriber_count && board->subscribers[number].notify)
        number++;
    assert(number < SUBSCRIBERS_MAX);
    board->subscriber_count += number == board->subscriber_count;
    board->subscribers[number].notify = notify;
    board->subscribers[number].arg = arg;
    atomic_store(&board->subscribers[number].acknowledged, 0);
    pthread_mutex_unlock(&board->mutex);
    return number;
}

void board_unsubscribe(struct board *board, void (*notify)(void *arg), void *arg)
{
    pthread_mutex_lock(&board->mutex);
    for (size_t i = 0; i < board->subscriber_count; i++) {
        struct subscriber *at = &board->subscribers[i];
        if (at->notify == notify && at->arg == arg) {
            at->notify = NULL;
            break;
        }
    }
    pthread_mutex_unlock(&board->mutex);
}

/* The subscribers are called under the mutex, so that none is called after board_unsubscribe(). */
void board_publish(struct board *board, struct topology *next)
{
    pthread_mutex_lock(&board->mutex);
    struct topology *old = board->newest;
    next->seq = (old ? old->seq : 0) + 1;
    board->newest = next;
    atomic_store_explicit(&board->seq, next->seq, memory_order_release);
    for (size_t i = 0; i < board->subscriber_count; i++)
        if (board->subscribers[i].notify)
            board->subscribers[i].notify(board->subscribers[i].arg);
    pthread_mutex_unlock(&board->mutex);
    if (old)
        topology_release(old);
}

uint64_t board_seq(const struct board *board)
{
    return atomic_load_explicit(&board->seq, memory_order_acquire);
}

struct topology *board_acquire(struct board *board)
{
    pthread_mutex_lock(&board->mutex);
    struct topology *newest = board->newest;
    if (newest)
        atomic_fetch_add_explicit(&newest->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&board->mutex);
    return newest;
}

/* ---- what the workers tell ---- */

void board_acknowledge(struct board *board, size_t subscriber, uint64_t seq)
{
    atomic_store_explicit(&board->subscribers[subscriber].acknowledged, seq, memory_order_release);
}

uint64_t board_acknowledged(struct board *board)
{
    uint64_t oldest = UINT64_MAX;
    pthread_mutex_lock(&board->mutex);
    for (size_t i = 0; i < board->subscriber_count; i++) {
        const struct subscriber *at = &board->subscribers[i];
        uint64_t seq = atomic_load_explicit(&at->acknowledged, memory_order_acquire);
        if (at->notify && seq < oldest)
            oldest = seq;
    }
    pthread_mutex_unlock(&board->mutex);
    return oldest;
}

void board_count_from(struct board *board, switch_counts_read *read, const void *counted)
{
    pthread_mutex_lock(&board->mutex);
    board->counts = read;
    board->counted = counted;
    pthread_mutex_unlock(&board->mutex);
}

void board_counts(struct board *board, size_t group, uint64_t out[SWITCH_COUNTS])
{
    memset(out, 0, SWITCH_COUNTS * sizeof(*out));
    pthread_mutex_lock(&board->mutex);
    if (board->counts)
        board->counts(board->counted, group, out);
    pthread_mutex_unlock(&board->mutex);
}

/* The node's own entry, or else the one that ends first. */
static struct client_pause *pause_place(struct board *board, size_t group, uint64_t node)
{
    struct client_pause *place = &board->pauses[0];
    for (size_t i = 0; i < PAUSES_MAX; i++) {
        struct client_pause *at = &board->pauses[i];
        if (at->group == group && at->node == node)
            return at;
        if (at->until_ms < place->until_ms)
            place = at;
    }
    return place;
}

/* A later pause does not shorten one that stands; where there is no room for all, the longest count. */
void board_note_pause(struct board *board, size_t group, uint64_t node, int64_t until_ms)
{
    pthread_mutex_lock(&board->mutex);
    struct client_pause *place = pause_place(board, group, node);
    if (until_ms == 0 && place->node == node && place->group == group)
        place->until_ms = 0;
    else if (until_ms > place->until_ms)
        *place = (struct client_pause){group, node, until_ms};
    pthread_mutex_unlock(&board->mutex);
}

int64_t board_paused_until(struct board *board, size_t group, uint64_t node)
{
    pthread_mutex_lock(&board->mutex);
    const struct client_pause *place = pause_place(board, group, node);
    int64_t until_ms = place->group == group && place->node == node ? place->until_ms : 0;
    pthread_mutex_unlock(&board->mutex);
    return until_ms;
}
