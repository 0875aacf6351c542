/*
 * election_state: what every part of the election calls, and what calls none of them: the setter of the group's
 * state with its table, the reason that people read, the log's lines, and two marks on all nodes.
 *
 * It knows no rule. Whoever decides (election_rules.c) or begins and ends a switch calls election_enter() with what
 * it has decided.
 */
#include "topology/election_state.h"

#include "base/log_fields.h"
#include "base/state.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- the group's state ---- */

static const struct state_row group_rows[] = {
    [GROUP_NONE] = {"none", STATE_BIT(GROUP_STEADY)},
    [GROUP_STEADY] = {"steady", STATE_BIT(GROUP_SWITCHING)},
    [GROUP_SWITCHING] = {"switching", STATE_BIT(GROUP_STEADY) | STATE_BIT(GROUP_PROVISIONAL)},
    [GROUP_PROVISIONAL] = {"provisional", STATE_BIT(GROUP_STEADY) | STATE_BIT(GROUP_SWITCHING)},
};
static const struct state_table group_table = STATE_TABLE("group", group_rows);

/* The only place where the state changes. */
void election_enter(struct election *e, enum group_state state, const struct address *master,
                    int64_t now_ms)
{
    state_check(&group_table, e->view.state, state);
    election_story(e, LOG_DEBUG, "group state changed", "from=%s to=%s",
                   group_state_name(e->view.state), group_state_name(state));
    if (e->view.state == GROUP_STEADY)
        e->unsteady_ms = now_ms;
    e->view.state = state;
    e->view.since_ms = now_ms;
    e->master = *master;
    e->view.writable = state == GROUP_STEADY || state == GROUP_PROVISIONAL;
    e->view.settling = false;
    e->objection = NULL;
    e->missing_ms = -1;
    e->view.reason[0] = '\0';
}

void election_reason(struct election *e, const char *reason)
{
    snprintf(e->view.reason, sizeof(e->view.reason), "%s", reason);
}

/* ---- the log ---- */

void election_story(struct election *e, enum log_level level, const char *msg, const char *pairs,
                    ...)
{
    char text[1024];
    va_list args;
    if (!e->options.story)
        return;
    size_t at = log_fields(text, sizeof(text), "group=%s ", e->options.name);
    va_start(args, pairs);
    if (at + 1 < sizeof(text) && log_fields_with(text + at + 1, sizeof(text) - at - 1, pairs, args))
        text[at] = ' ';
    va_end(args);
    e->options.story(e->options.story_arg, level, msg, text);
}

const char *election_voter_name(const struct election *e, uint64_t key)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        if (e->voters[i].key == key)
            return e->voters[i].name;
    }
    return "-";
}

/* ---- marks on all nodes ---- */

void election_probe_all(struct election *e)
{
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->probe_seq++;
}

void election_clear_candidates(struct election *e)
{
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->candidate = false;
}
