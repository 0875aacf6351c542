/*
 * election_facts: what an election tells people who measure: what its Sentinels say, how far its replicas are behind,
 * how its switches went. Nothing here decides anything.
 */
#include "topology/election_state.h"

#include <stdio.h>

/* ---- switches ---- */

static void count_phase(struct election *e, enum switch_phase phase, int64_t at_ms)
{
    int64_t ms = at_ms - e->change.hold_ms;
    if (at_ms >= 0 && ms >= 0)
        histogram_add(&e->switches.phases[phase], (uint64_t)ms * HISTOGRAM_TICKS_PER_MS);
}

void election_count_switch(struct election *e, bool promotion, int64_t now_ms)
{
    bool early = e->change.provisional_ms >= 0;
    e->switches.ended[promotion ? SWITCH_TO_NEW : SWITCH_TO_OLD]++;
    if (!promotion)
        return;
    count_phase(e, PHASE_CANDIDATE, e->change.selected_ms);
    count_phase(e, PHASE_PROMOTION, e->change.promoted_ms);
    count_phase(e, PHASE_MAJORITY, e->change.confirmed_ms);
    count_phase(e, PHASE_RELEASE, early ? e->change.provisional_ms : now_ms);
}

void election_measure_phases(const struct change *change, bool provisional, int64_t now_ms,
                             int64_t out[SWITCH_PHASES])
{
    int64_t release_ms = provisional ? change->provisional_ms : now_ms, last_ms = change->hold_ms;
    const int64_t ends[SWITCH_PHASES] = {
        [PHASE_CANDIDATE] = change->selected_ms,
        [PHASE_PROMOTION] = change->promoted_ms,
        [PHASE_MAJORITY] = provisional ? -1 : change->confirmed_ms,
        [PHASE_RELEASE] = release_ms,
    };
    for (int phase = 0; phase < SWITCH_PHASES; phase++) {
        int64_t end_ms = ends[phase] > release_ms ? release_ms : ends[phase];
        out[phase] = end_ms > last_ms ? end_ms - last_ms : 0;
        last_ms += out[phase];
    }
}

static enum switch_phase phase_of(const struct change *change)
{
    if (change->confirmed_ms >= 0)
        return PHASE_RELEASE;
    if (change->promoted_ms >= 0)
        return PHASE_MAJORITY;
    return change->selected_ms >= 0 ? PHASE_PROMOTION : PHASE_CANDIDATE;
}

static void copy_name(char *out, size_t size, const struct election_node *node)
{
    snprintf(out, size, "%s", node ? node->shown.name : "");
}

static void show_going(const struct election *e, int64_t now_ms, struct switch_going *out)
{
    const struct change *change = &e->change;
    const struct address *to = change->confirmed.len ? &change->confirmed : &change->selected;
    *out = (struct switch_going){.on = e->view.state == GROUP_SWITCHING};
    if (!out->on)
        return;
    out->began_ms = change->hold_ms;
    out->phase = phase_of(change);
    election_measure_phases(change, false, now_ms, out->phase_ms);
    if (out->phase != PHASE_RELEASE) {
        out->phase_ms[out->phase] = out->phase_ms[PHASE_RELEASE];
        out->phase_ms[PHASE_RELEASE] = 0;
    }
    copy_name(out->from, sizeof(out->from), nodes_find(&e->nodes, &change->from));
    copy_name(out->to, sizeof(out->to), nodes_find(&e->nodes, to));
    snprintf(out->reason, sizeof(out->reason), "%s", change->why ? change->why : "");
}

/* ---- how far replicas are behind ---- */

void election_mark_offset(struct election *e)
{
    const struct election_node *master = nodes_find(&e->nodes, &e->master);
    struct offsets *o = &e->offsets;
    const struct offset_mark *last = &o->at[(o->count + OFFSETS_MAX - 1) % OFFSETS_MAX];
    if (!master || !master->says.offset || e->view.state != GROUP_STEADY) {
        o->count = 0; /* another master counts on from somewhere else */
        return;
    }
    if (o->count && (last->offset == master->says.offset || last->ms == master->answered_ms))
        return;
    o->at[o->count++ % OFFSETS_MAX] =
        (struct offset_mark){.ms = master->answered_ms, .offset = master->says.offset};
}

/* The master passed the replica's offset between two marks: from the later one on it is behind. */
static int64_t lag_of(const struct offsets *o, const struct election_node *replica)
{
    unsigned kept = o->count < OFFSETS_MAX ? o->count : OFFSETS_MAX;
    for (unsigned i = kept; i > 0; i--) {
        const struct offset_mark *mark = &o->at[(o->count - i) % OFFSETS_MAX];
        if (mark->offset > replica->says.offset)
            return replica->answered_ms > mark->ms ? replica->answered_ms - mark->ms : 0;
    }
    return 0;
}

static void show_node(const struct election *e, const struct election_node *node,
                      struct node_facts *out)
{
    const struct election_node *master = nodes_find(&e->nodes, &e->master);
    *out = (struct node_facts){.node = node->shown.id, .lag_bytes = -1, .lag_ms = -1};
    if (!master || node == master || !master->says.offset || !node->says.offset ||
        node->says.role != ROLE_REPLICA || e->offsets.count == 0)
        return;
    int64_t behind = master->says.offset - node->says.offset;
    out->lag_bytes = behind > 0 ? behind : 0;
    out->lag_ms = behind > 0 ? lag_of(&e->offsets, node) : 0;
}

/* ---- Sentinels ---- */

static void show_voter(const struct election *e, const struct voter *voter, int64_t now_ms,
                       struct sentinel_facts *out)
{
    *out = (struct sentinel_facts){.present = voter_present(voter, now_ms),
                                   .epoch = voter->answer.epoch,
                                   .tilt = voter->tilt,
                                   .answered_ms = voter->reached_ms};
    out->agrees = out->present && voter->answer.known && e->verdict.majority &&
                  address_equal(&voter->answer.named, &e->verdict.master);
    snprintf(out->name, sizeof(out->name), "%s", voter->name);
}

void election_facts(const struct election *e, int64_t now_ms, struct group_facts *out)
{
    out->electorate = e->verdict.electorate;
    out->votes = e->verdict.votes;
    out->switches = e->switches;
    show_going(e, now_ms, &out->going);
    out->sentinel_count =
        e->voter_count < FACTS_SENTINELS_MAX ? e->voter_count : FACTS_SENTINELS_MAX;
    for (size_t i = 0; i < out->sentinel_count; i++)
        show_voter(e, &e->voters[i], now_ms, &out->sentinels[i]);
    out->node_count = e->nodes.count < FACTS_NODES_MAX ? e->nodes.count : FACTS_NODES_MAX;
    for (size_t i = 0; i < out->node_count; i++)
        show_node(e, e->nodes.at[i], &out->nodes[i]);
}

void election_sentinel_tilt(struct election *e, uint64_t key, bool tilt)
{
    for (size_t i = 0; i < e->voter_count; i++)
        if (e->voters[i].key == key)
            e->voters[i].tilt = tilt;
}
