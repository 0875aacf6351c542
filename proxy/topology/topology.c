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
#include <stdlib.h>

#define SUBSCRIBERS_MAX 64

struct subscriber {
    void (*notify)(void *arg);
    void *arg;
};

struct board {
    pthread_mutex_t mutex;
    atomic_uint_least64_t seq;
    struct topology *newest;
    struct subscriber subscribers[SUBSCRIBERS_MAX];
    size_t subscriber_count;
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

const struct topology_node *topology_node_by_id(const struct topology_group *group, uint64_t id)
{
    for (size_t i = 0; i < group->node_count; i++) {
        if (group->nodes[i].id == id)
            return &group->nodes[i];
    }
    return NULL;
}

struct board *board_new(void)
{
    struct board *board = calloc(1, sizeof(*board));
    if (!board)
        abort();
    pthread_mutex_init(&board->mutex, NULL);
    atomic_init(&board->seq, 0);
    return board;
}

void board_free(struct board *board)
{
    if (board->newest)
        topology_release(board->newest);
    pthread_mutex_destroy(&board->mutex);
    free(board);
}

void board_subscribe(struct board *board, void (*notify)(void *arg), void *arg)
{
    pthread_mutex_lock(&board->mutex);
    assert(board->subscriber_count < SUBSCRIBERS_MAX);
    board->subscribers[board->subscriber_count++] =
        (struct subscriber){.notify = notify, .arg = arg};
    pthread_mutex_unlock(&board->mutex);
}

void board_unsubscribe(struct board *board, void (*notify)(void *arg), void *arg)
{
    pthread_mutex_lock(&board->mutex);
    for (size_t i = 0; i < board->subscriber_count; i++) {
        struct subscriber *at = &board->subscribers[i];
        if (at->notify == notify && at->arg == arg) {
            *at = board->subscribers[--board->subscriber_count];
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
