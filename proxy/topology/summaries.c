/* summaries: see the header. */
#include "topology/summaries.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* How far two notes of what was counted are apart, at least. */
#define NOTE_MS 1000

struct summary {
    struct switchover ended;
    bool pending;
    uint64_t seq; /* of the snapshot that ends it; 0: not published yet */
    int64_t ended_ms;
    /* What was counted while all was well: not long ago, and a while before that. */
    uint64_t noted[SWITCH_COUNTS], before[SWITCH_COUNTS];
    int64_t noted_ms;
};

struct summaries {
    struct board *board;
    size_t count;
    struct summary each[];
};

struct summaries *summaries_new(struct board *board, size_t groups)
{
    struct summaries *summaries =
        calloc(1, sizeof(*summaries) + groups * sizeof(summaries->each[0]));
    if (!summaries)
        abort();
    summaries->board = board;
    summaries->count = groups;
    return summaries;
}

void summaries_free(struct summaries *summaries)
{
    free(summaries);
}

/* ---- what was counted ---- */

static void note(struct summary *summary, const uint64_t counted[SWITCH_COUNTS], int64_t now_ms)
{
    memcpy(summary->before, summary->noted, sizeof(summary->before));
    memcpy(summary->noted, counted, sizeof(summary->noted));
    summary->noted_ms = now_ms;
}

static bool is_well(const struct topology_group *group)
{
    return group->state == GROUP_STEADY && group->writable && group->master >= 0 &&
           !group->nodes[group->master].suspect;
}

void summaries_note(struct summaries *summaries, const struct topology *shown, int64_t now_ms)
{
    uint64_t counted[SWITCH_COUNTS];
    for (size_t i = 0; i < summaries->count && i < shown->group_count; i++) {
        struct summary *summary = &summaries->each[i];
        if (summary->pending || now_ms - summary->noted_ms < NOTE_MS || !is_well(&shown->groups[i]))
            continue;
        board_counts(summaries->board, i, counted);
        if (summary->noted_ms == 0)
            note(summary, counted, now_ms);
        note(summary, counted, now_ms);
    }
}

/* ---- the end of one ---- */

void summaries_ended(struct summaries *summaries, size_t group, const struct switchover *s,
                     int64_t now_ms)
{
    struct summary *summary = &summaries->each[group];
    summary->ended = *s;
    summary->ended.began_ms = clock_wall_ms() - s->began_ms;
    summary->pending = true;
    summary->seq = 0;
    summary->ended_ms = now_ms;
}

void summaries_published(struct summaries *summaries, uint64_t seq)
{
    for (size_t i = 0; i < summaries->count; i++)
        if (summaries->each[i].pending && !summaries->each[i].seq)
            summaries->each[i].seq = seq;
}

static void tell(const struct switchover *s)
{
    log_event(LOG_INFO, "switchover ended",
              "group=%s result=%s from=%s to=%s epoch=%" PRIu64 " provisional=%s reason=\"%s\""
              " held_ms=%" PRId64 " candidate_ms=%" PRId64 " promotion_ms=%" PRId64
              " majority_ms=%" PRId64 " release_ms=%" PRId64 " held=%" PRIu64 " retried=%" PRIu64
              " unknown=%" PRIu64 " refused=%" PRIu64,
              s->group, switch_result_name(s->result), s->from, s->to, s->epoch,
              s->provisional ? "yes" : "no", s->reason, switchover_held_ms(s),
              s->phase_ms[PHASE_CANDIDATE], s->phase_ms[PHASE_PROMOTION],
              s->phase_ms[PHASE_MAJORITY], s->phase_ms[PHASE_RELEASE], s->counts[SWITCH_HELD],
              s->counts[SWITCH_RETRIED], s->counts[SWITCH_UNKNOWN], s->counts[SWITCH_REFUSED]);
}

static void finish(struct summaries *summaries, size_t group, int64_t now_ms)
{
    struct summary *summary = &summaries->each[group];
    uint64_t counted[SWITCH_COUNTS];
    board_counts(summaries->board, group, counted);
    for (int what = 0; what < SWITCH_COUNTS; what++)
        summary->ended.counts[what] = counted[what] - summary->before[what];
    summary->pending = false;
    tell(&summary->ended);
    history_add(board_history(summaries->board), group, &summary->ended);
    note(summary, counted, now_ms);
    note(summary, counted, now_ms); /* the next one begins here */
}

bool summaries_settle(struct summaries *summaries, int64_t now_ms)
{
    bool left = false;
    for (size_t i = 0; i < summaries->count; i++) {
        const struct summary *summary = &summaries->each[i];
        if (!summary->pending)
            continue;
        if (now_ms - summary->ended_ms >= SUMMARY_WAIT_MS ||
            (summary->seq && board_acknowledged(summaries->board) >= summary->seq))
            finish(summaries, i, now_ms);
        else
            left = true;
    }
    return left;
}
