/*
 * gate: publishers wait until every worker knows what it has lost and has it again, in whatever order
 * the workers learn of a switch; and no longer than they have to.
 */
#include "nodes/gate.h"

#include <criterion/criterion.h>

enum { WORKERS = 2 };

static unsigned rung[WORKERS];

static void ring(void *arg)
{
    ++*(unsigned *)arg;
}

struct world {
    struct shared *shared;
    struct gate gates[WORKERS];
};

static struct world begin(void)
{
    struct world w = {.shared = shared_new(WORKERS, 1, 1)};
    for (size_t i = 0; i < WORKERS; i++) {
        rung[i] = 0;
        mailbox_init(&w.shared->slots[i].box, ring, &rung[i]);
        gate_init(&w.gates[i], w.shared, 0, i);
    }
    return w;
}

static void end(struct world *w)
{
    for (size_t i = 0; i < WORKERS; i++)
        mailbox_free(&w->shared->slots[i].box);
    shared_free(w->shared);
}

static void adopts(struct world *w, size_t worker, uint64_t seq)
{
    gate_bar(&w->gates[worker], seq);
    gate_adopted(w->shared, worker, seq);
}

Test(gate, is_open_while_nothing_is_lost)
{
    struct world w = begin();
    cr_assert(gate_is_open(&w.gates[0], 1));
    cr_assert_not(gate_opens(&w.gates[0]), "nobody waited");
    end(&w);
}

/* The worker that is first to know of the new master must not publish before the other one has even
 * counted what it lost. */
Test(gate, a_worker_that_has_not_heard_of_the_switch_is_waited_for)
{
    struct world w = begin();
    adopts(&w, 0, 5);
    cr_assert_not(gate_is_open(&w.gates[0], 1000));
    cr_assert_eq(rung[0], 0);
    gate_lost(&w.gates[1]);
    adopts(&w, 1, 5);
    cr_assert_eq(rung[0], 1);
    cr_assert_not(gate_opens(&w.gates[0]), "it is not subscribed again");
    gate_renewed(&w.gates[1]);
    cr_assert_eq(rung[0], 2);
    cr_assert(gate_opens(&w.gates[0]));
    cr_assert(gate_is_open(&w.gates[0], 1001));
    cr_assert_not(gate_opens(&w.gates[0]), "once");
    end(&w);
}

/* Snapshots that change nothing for publishers are waited for by nobody. */
Test(gate, another_snapshot_is_not_waited_for)
{
    struct world w = begin();
    adopts(&w, 0, 5);
    adopts(&w, 1, 5);
    gate_adopted(w.shared, 0, 6);
    cr_assert(gate_is_open(&w.gates[0], 1000));
    end(&w);
}

/* A connection that is lost without any switch: a node that was restarted. */
Test(gate, what_is_lost_without_a_snapshot_is_waited_for)
{
    struct world w = begin();
    gate_lost(&w.gates[1]);
    gate_lost(&w.gates[1]);
    cr_assert_not(gate_is_open(&w.gates[0], 1000));
    gate_renewed(&w.gates[1]);
    cr_assert_eq(rung[0], 0, "one is left");
    gate_renewed(&w.gates[1]);
    cr_assert_eq(rung[0], 1);
    cr_assert(gate_opens(&w.gates[0]));
    end(&w);
}

/* Those that come later wait behind the first. */
Test(gate, nobody_overtakes_those_that_wait)
{
    struct world w = begin();
    gate_lost(&w.gates[1]);
    cr_assert_not(gate_is_open(&w.gates[0], 1000));
    gate_renewed(&w.gates[1]);
    cr_assert_not(gate_is_open(&w.gates[0], 1001));
    cr_assert(gate_opens(&w.gates[0]));
    end(&w);
}

Test(gate, gives_up_in_time_and_until_all_stand)
{
    struct world w = begin();
    int64_t waited;
    gate_lost(&w.gates[1]);
    cr_assert_not(gate_is_open(&w.gates[0], 1000));
    cr_assert_not(gate_gives_up(&w.gates[0], 1000 + GATE_MS - 1, &waited));
    cr_assert(gate_gives_up(&w.gates[0], 1000 + GATE_MS, &waited));
    cr_assert_eq(waited, GATE_MS);
    cr_assert_eq(w.gates[0].early, 1);
    cr_assert(gate_is_open(&w.gates[0], 9000), "they have waited once");
    cr_assert_not(gate_gives_up(&w.gates[0], 10000, &waited));
    gate_renewed(&w.gates[1]);
    cr_assert(gate_is_open(&w.gates[0], 11000));
    gate_lost(&w.gates[1]);
    cr_assert_not(gate_is_open(&w.gates[0], 12000), "that is another loss");
    gate_renewed(&w.gates[1]);
    end(&w);
}

/* What was given up in one switch is waited for again in the next. */
Test(gate, the_next_switch_begins_anew)
{
    struct world w = begin();
    int64_t waited;
    gate_lost(&w.gates[1]);
    cr_assert_not(gate_is_open(&w.gates[0], 1000));
    cr_assert(gate_gives_up(&w.gates[0], 2000, &waited));
    adopts(&w, 0, 7);
    adopts(&w, 1, 7);
    cr_assert_not(gate_is_open(&w.gates[0], 3000));
    gate_renewed(&w.gates[1]);
    end(&w);
}
