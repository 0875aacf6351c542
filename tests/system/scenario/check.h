/*
 * check: a scenario as a Criterion test: played against redisproxy with short timings, it must hold;
 * where the machine does not allow it, the test is skipped with the reason.
 */
#ifndef TESTS_SYSTEM_SCENARIO_CHECK_H
#define TESTS_SYSTEM_SCENARIO_CHECK_H

#include "scenario/all.h"

#include <criterion/criterion.h>
#include <stdio.h>

static inline void check_scenario(const struct scenario *scenario)
{
    struct outcome outcome;
    cr_assert(scenario_play(scenario, TARGET_REDISPROXY, true, NULL, &outcome) == 0,
              "%s cannot be played", scenario->name);
    outcome_print(stderr, scenario, TARGET_REDISPROXY, &outcome);
    if (outcome.skipped)
        cr_skip_test("%s", outcome.skipped);
    cr_assert(outcome.wrong[0] == '\0', "%s: %s", scenario->name, outcome.wrong);
}

#endif
