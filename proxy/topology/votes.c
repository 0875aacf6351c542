/*
 * votes: counting. test_election.c holds the cases that must not be counted
 * wrongly: a stale Sentinel, equal epochs, one Sentinel under two names.
 */
#include "topology/votes.h"

#include <string.h>

#define STALLED_MS 3000
#define REACHED_WITHIN_MS                                                                          \
    60000 /* a discovered Sentinel counts for so long after its last answer                        \
           */
#define ANSWER_VALID_MS                                                                            \
    3000 /* polls come every second, and a silent connection is cut after 3 s                      \
          */

bool voter_same(const struct voter *a, const struct voter *b)
{
    return a->runid[0] && strcmp(a->runid, b->runid) == 0;
}

bool voter_present(const struct voter *voter, int64_t now_ms)
{
    return voter->reachable && voter->reached_ms >= 0 &&
           now_ms - voter->reached_ms <= ANSWER_VALID_MS;
}

bool voter_stalled(const struct voter *voter, int64_t now_ms)
{
    bool stands = voter->answer.step != FAILOVER_NONE &&
                  voter->answer.step < FAILOVER_WAIT_PROMOTION &&
                  now_ms - voter->stepped_ms > STALLED_MS;
    return stands || voter->undone_ms;
}

static bool in_electorate(const struct voter *voter, int64_t now_ms)
{
    return voter->configured ||
           (voter->reached_ms >= 0 && now_ms - voter->reached_ms <= REACHED_WITHIN_MS);
}

/* Whether an earlier entry stands for the same Sentinel already, under the same condition. */
static bool repeated(const struct voter *voters, size_t index, int64_t now_ms,
                     bool (*condition)(const struct voter *, int64_t))
{
    for (size_t i = 0; i < index; i++) {
        if (condition(&voters[i], now_ms) && voter_same(&voters[index], &voters[i]))
            return true;
    }
    return false;
}

/* Whether this voter is one of them, under any of its entries. */
static bool is_among(const struct voter *voters, size_t count, size_t index, uint64_t slots)
{
    for (size_t i = 0; i < count; i++) {
        if ((i == index || voter_same(&voters[i], &voters[index])) && slots & UINT64_C(1)
                                                                                  << voters[i].slot)
            return true;
    }
    return false;
}

bool votes_majority_of(const struct voter *voters, size_t count, uint64_t slots, int64_t now_ms)
{
    size_t electorate = 0, found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!in_electorate(&voters[i], now_ms) || repeated(voters, i, now_ms, in_electorate))
            continue;
        electorate++;
        found += is_among(voters, count, i, slots);
    }
    return found > electorate / 2;
}

static bool names_a_master(const struct voter *voter, int64_t now_ms)
{
    return voter_present(voter, now_ms) && voter->answer.known && voter->answer.named.len;
}

/* Whether this voter votes, and for the same as `choice`. */
static bool votes_alike(const struct voter *voters, size_t index, const struct voter *choice,
                        int64_t now_ms)
{
    return names_a_master(&voters[index], now_ms) &&
           !repeated(voters, index, now_ms, names_a_master) &&
           voters[index].answer.epoch == choice->answer.epoch &&
           address_equal(&voters[index].answer.named, &choice->answer.named);
}

static size_t votes_for(const struct voter *voters, size_t count, const struct voter *choice,
                        int64_t now_ms)
{
    size_t votes = 0;
    for (size_t i = 0; i < count; i++)
        votes += votes_alike(voters, i, choice, now_ms);
    return votes;
}

/* The time at which a majority still stood behind the choice: the oldest of the `needed` newest
 * questions that it answered. */
static int64_t majority_asked(const struct voter *voters, size_t count, size_t needed,
                              const struct voter *choice, int64_t now_ms)
{
    int64_t after = INT64_MAX;
    for (size_t found = 0; found < needed;) {
        int64_t next = INT64_MIN;
        for (size_t i = 0; i < count; i++) {
            if (votes_alike(voters, i, choice, now_ms) && voters[i].asked_ms < after &&
                voters[i].asked_ms > next)
                next = voters[i].asked_ms;
        }
        if (next == INT64_MIN)
            break;
        for (size_t i = 0; i < count; i++)
            found += votes_alike(voters, i, choice, now_ms) && voters[i].asked_ms == next;
        after = next;
    }
    return after;
}

static bool is_contested(const struct voter *voters, size_t count, const struct verdict *verdict,
                         int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (names_a_master(&voters[i], now_ms) && voters[i].answer.epoch > verdict->epoch &&
            !address_equal(&voters[i].answer.named, &verdict->master))
            return true;
    }
    return false;
}

struct verdict votes_count(const struct voter *voters, size_t count, int64_t now_ms)
{
    struct verdict verdict = {.majority = false};
    const struct voter *choice = NULL;
    for (size_t i = 0; i < count; i++) {
        if (in_electorate(&voters[i], now_ms) && !repeated(voters, i, now_ms, in_electorate))
            verdict.electorate++;
    }
    for (size_t i = 0; i < count; i++) {
        if (!names_a_master(&voters[i], now_ms))
            continue;
        size_t votes = votes_for(voters, count, &voters[i], now_ms);
        if (votes <= verdict.votes)
            continue;
        verdict.votes = votes;
        choice = &voters[i];
    }
    if (!choice)
        return verdict;
    verdict.epoch = choice->answer.epoch;
    verdict.master = choice->answer.named;
    verdict.majority = verdict.votes > verdict.electorate / 2;
    if (verdict.majority)
        verdict.asked_ms =
            majority_asked(voters, count, verdict.electorate / 2 + 1, choice, now_ms);
    verdict.contested = verdict.majority && is_contested(voters, count, &verdict, now_ms);
    return verdict;
}

/* Before the promotion the leader names the master that it is leaving, afterwards the new one. */
static bool leads_away(const struct voter *voter, const struct address *master)
{
    bool named = address_equal(&voter->answer.named, master);
    return voter->answer.step >= FAILOVER_RECONFIGURE ? !named : named;
}

const struct voter *votes_leader_from(const struct voter *voters, size_t count,
                                      const struct address *master, int64_t now_ms)
{
    const struct voter *leader = NULL;
    for (size_t i = 0; i < count; i++) {
        if (names_a_master(&voters[i], now_ms) && voters[i].answer.step != FAILOVER_NONE &&
            (!leader || voters[i].answer.step > leader->answer.step) &&
            !voter_stalled(&voters[i], now_ms) && leads_away(&voters[i], master))
            leader = &voters[i];
    }
    return leader;
}

enum failover_step votes_failover_from(const struct voter *voters, size_t count,
                                       const struct address *master, int64_t now_ms)
{
    const struct voter *leader = votes_leader_from(voters, count, master, now_ms);
    return leader ? leader->answer.step : FAILOVER_NONE;
}

bool votes_failover_to(const struct voter *voters, size_t count, const struct address *master,
                       int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (names_a_master(&voters[i], now_ms) && voters[i].answer.step >= FAILOVER_RECONFIGURE &&
            address_equal(&voters[i].answer.named, master))
            return true;
    }
    return false;
}
