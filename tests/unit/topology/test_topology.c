/*
 * topology: snapshots live as long as somebody holds one, and the board hands
 * out the newest from any thread while another one publishes.
 */
#include "topology/topology.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#define PUBLICATIONS 20000
#define READERS 3

static struct topology *snapshot(uint64_t epoch)
{
    struct topology *topology = topology_new(1);
    topology->groups[0].name = "g";
    topology->groups[0].epoch = epoch;
    topology->groups[0].node_count = 2;
    topology->groups[0].nodes = calloc(2, sizeof(struct topology_node));
    topology->groups[0].nodes[0].id = 7;
    topology->groups[0].nodes[1].id = 8;
    return topology;
}

static void count(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void nobody_wakes(void *arg)
{
    (void)arg;
}

Test(topology, a_snapshot_holds_the_proxys_credential)
{
    static const struct credential_owner owner = {.group = "g", .wake = nobody_wakes};
    struct credential *own = credential_new(&owner, NULL, "pass", 4);
    struct topology *topology = snapshot(1);
    topology->groups[0].own = credential_retain(own);
    cr_assert_eq(atomic_load(&own->refs), 2);
    topology_release(topology);
    cr_assert_eq(atomic_load(&own->refs), 1);
    credential_release(own);
}

Test(topology, a_new_snapshot_has_no_master)
{
    struct topology *topology = topology_new(2);
    cr_assert_eq(topology->group_count, 2);
    cr_assert_eq(topology->groups[1].master, -1);
    cr_assert_eq(topology->groups[1].state, GROUP_NONE);
    cr_assert_str_eq(group_state_name(GROUP_PROVISIONAL), "provisional");
    topology_release(topology);
}

Test(topology, nodes_are_found_by_id)
{
    struct topology *topology = snapshot(1);
    cr_assert_eq(topology_node_by_id(&topology->groups[0], 8), &topology->groups[0].nodes[1]);
    cr_assert_null(topology_node_by_id(&topology->groups[0], 9));
    topology_release(topology);
}

Test(topology, a_process_has_a_number)
{
    cr_assert_eq(topology_process(""), 0);
    cr_assert_eq(topology_process("00000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 1);
    cr_assert_eq(topology_process("abcde00000000000000000000000000000000000"), 0xabcde);
    cr_assert_eq(topology_process("fffffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0xfffff);
}

Test(topology, the_board_numbers_and_tells)
{
    struct board *board = board_new(1);
    atomic_uint told;
    atomic_init(&told, 0);
    cr_assert_eq(board_seq(board), 0);
    cr_assert_null(board_acquire(board));
    board_subscribe(board, count, &told);
    board_publish(board, snapshot(1));
    struct topology *first = board_acquire(board);
    board_publish(board, snapshot(2));
    cr_assert_eq(board_seq(board), 2);
    cr_assert_eq(atomic_load(&told), 2);
    cr_assert_eq(first->seq, 1);
    cr_assert_eq(first->groups[0].epoch, 1); /* still whole: it is held */
    topology_release(first);
    board_unsubscribe(board, count, &told);
    board_publish(board, snapshot(3));
    cr_assert_eq(atomic_load(&told), 2);
    board_free(board);
}

static void *read_newest(void *arg)
{
    struct board *board = arg;
    uint64_t seen = 0;
    while (seen < PUBLICATIONS) {
        if (board_seq(board) == seen)
            continue;
        struct topology *topology = board_acquire(board);
        if (topology->seq <= seen || topology->groups[0].epoch != topology->seq ||
            topology->groups[0].nodes[1].id != 8)
            return board;
        seen = topology->seq;
        topology_release(topology);
    }
    return NULL;
}

Test(topology, threads_see_whole_snapshots_in_order)
{
    struct board *board = board_new(1);
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        cr_assert_eq(pthread_create(&readers[i], NULL, read_newest, board), 0);
    for (uint64_t i = 1; i <= PUBLICATIONS; i++)
        board_publish(board, snapshot(i));
    for (int i = 0; i < READERS; i++) {
        void *failed;
        pthread_join(readers[i], &failed);
        cr_assert_null(failed);
    }
    board_free(board);
}

/* Where nobody works, nothing is under way. */
Test(topology, the_board_knows_what_all_have_carried_out)
{
    struct board *board = board_new(1);
    atomic_uint told, other;
    atomic_init(&told, 0);
    atomic_init(&other, 0);
    cr_assert_eq(board_acknowledged(board), UINT64_MAX);
    size_t first = board_subscribe(board, count, &told);
    size_t second = board_subscribe(board, count, &other);
    board_acknowledge(board, first, 7);
    cr_assert_eq(board_acknowledged(board), 0);
    board_acknowledge(board, second, 6);
    cr_assert_eq(board_acknowledged(board), 6);
    board_unsubscribe(board, count, &other);
    cr_assert_eq(board_acknowledged(board), 7);
    cr_assert_eq(board_subscribe(board, count, &other), second);
    cr_assert_eq(board_acknowledged(board), 0);
    board_free(board);
}

Test(topology, the_board_knows_whom_clients_paused)
{
    struct board *board = board_new(1);
    cr_assert_eq(board_paused_until(board, 0, 7), 0);
    board_note_pause(board, 0, 7, 5000);
    board_note_pause(board, 0, 7, 4000); /* does not shorten it */
    board_note_pause(board, 1, 7, 6000);
    cr_assert_eq(board_paused_until(board, 0, 7), 5000);
    cr_assert_eq(board_paused_until(board, 1, 7), 6000);
    board_note_pause(board, 0, 7, 0);
    cr_assert_eq(board_paused_until(board, 0, 7), 0);
    for (uint64_t node = 100; node < 115; node++)
        board_note_pause(board, 0, node, 9000); /* the longest ones are remembered */
    board_note_pause(board, 0, 200, 1000);
    cr_assert_eq(board_paused_until(board, 1, 7), 6000);
    board_free(board);
}
