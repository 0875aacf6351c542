/*
 * life: a session goes on towards its end, and never back, whoever says so and in whatever order.
 */
#include "session/life_state.h"

#include <criterion/criterion.h>

#define STAGES (LIFE_CLOSING + 1)
#define SIDES (CLIENT_ENDED + 1)

Test(life, it_goes_on_and_never_back)
{
    for (unsigned from = 0; from < STAGES; from++)
        for (unsigned to = 0; to < STAGES; to++) {
            struct life life = {.stage = (uint8_t)from, .client = CLIENT_GONE};
            life_advance(&life, (enum life_stage)to);
            cr_assert_eq(life.stage, from > to ? from : to, "from %u to %u", from, to);
            cr_assert_eq(life.client, CLIENT_GONE, "its client is another matter");
        }
}

Test(life, its_client_leaves_and_does_not_come_back)
{
    for (unsigned from = 0; from < SIDES; from++)
        for (unsigned to = 0; to < SIDES; to++) {
            struct life life = {.stage = LIFE_QUITTING, .client = (uint8_t)from};
            life_client_left(&life, (enum client_side)to);
            cr_assert_eq(life.client, from > to ? from : to, "from %u to %u", from, to);
            cr_assert_eq(life.stage, LIFE_QUITTING, "the session goes on for its own reasons");
        }
}

/* What a session does, at each stage and whatever its client does, as digits. */
static void does(bool (*what)(const struct life *life), const char *const wanted[SIDES])
{
    for (unsigned client = 0; client < SIDES; client++)
        for (unsigned stage = 0; stage < STAGES; stage++) {
            struct life life = {.stage = (uint8_t)stage, .client = (uint8_t)client};
            cr_assert_eq(what(&life), wanted[client][stage] == '1', "stage %u, client %u", stage,
                         client);
        }
}

/* Columns: open, leaving, draining, last words, quitting, said all, closing. Rows: the client sends, is gone, has ended. */

Test(life, up_to_its_boundary_one_is_read_and_what_was_sent_before_its_client_left_too)
{
    does(life_reads, (const char *const[]){"1100000", "1100000", "0000000"});
}

Test(life, what_was_read_is_framed_up_to_a_protocol_error)
{
    does(life_frames, (const char *const[]){"1110000", "1110000", "1110000"});
}

Test(life, requests_are_dispatched_until_one_ends_the_session)
{
    does(life_dispatches, (const char *const[]){"1111000", "1111000", "1111000"});
}

Test(life, closing_is_the_last_stage_alone)
{
    does(life_closing, (const char *const[]){"0000001", "0000001", "0000001"});
}

Test(life, it_ends_when_finished_unless_it_is_open_and_its_client_may_send)
{
    does(life_ends_when_finished, (const char *const[]){"0111111", "0111111", "1111111"});
}

Test(life, a_leaving_one_ends_at_a_boundary_unless_its_client_has_ended)
{
    does(life_ends_at_boundary, (const char *const[]){"0100000", "0100000", "0000000"});
}

Test(life, a_new_one_is_open_and_its_client_sends)
{
    struct life life = {0};
    cr_assert_eq(life.stage, LIFE_OPEN);
    cr_assert_eq(life.client, CLIENT_SENDS);
}
