/*
 * failover_soak: the first twelve events of two seeds (scenario/soak.h), one with an append-only
 * file, one with snapshots; `make soak` plays hundreds.
 */
#include "harness/suite.h"
#include "scenario/soak.h"

#include <criterion/criterion.h>
#include <stdio.h>

const struct suite suite = {.alone = true};

static void soak(unsigned long seed)
{
    struct soak_options options = {.seed = seed, .first = 1, .events = 12, .shown = 2};
    int wrong = soak_play(&options, stderr);
    cr_assert(wrong >= 0, "the stage cannot be set up");
    cr_assert(wrong == 0, "%d things did not hold with seed %lu", wrong, seed);
}

Test(failover_soak, with_a_journal, .timeout = 400)
{
    soak(1);
}

Test(failover_soak, with_snapshots, .timeout = 400)
{
    soak(2);
}
