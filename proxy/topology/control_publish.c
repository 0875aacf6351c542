/*
 * control_publish: the state of all groups is put on the board when it is another one: with what an operator has paused,
 * and with the places of groups that are gone.
 */
#include "topology/control_state.h"

#include "base/log.h"
#include "topology/group.h"
#include "topology/summaries.h"

#include <string.h>

static bool same_node(const struct topology_node *a, const struct topology_node *b)
{
    return a->id == b->id && a->readable == b->readable && a->suspect == b->suspect &&
           a->leaving == b->leaving && a->up == b->up && a->disagrees == b->disagrees &&
           a->process == b->process && a->tenure == b->tenure && a->cert_ends_s == b->cert_ends_s &&
           address_equal(&a->address, &b->address) && strcmp(a->name, b->name) == 0 &&
           strcmp(a->host, b->host) == 0;
}

static bool same_group(const struct topology_group *a, const struct topology_group *b)
{
    if (a->gone != b->gone || a->state != b->state || a->master != b->master ||
        a->writable != b->writable || a->settling != b->settling || a->quorum != b->quorum ||
        a->epoch != b->epoch || a->sentinel_cert_ends_s != b->sentinel_cert_ends_s ||
        a->since_ms != b->since_ms || a->had_master != b->had_master || a->own != b->own ||
        a->paused != b->paused || a->paused_until_ms != b->paused_until_ms ||
        a->node_count != b->node_count || strcmp(a->disagreement, b->disagreement) != 0 ||
        strcmp(a->reason, b->reason) != 0 || strcmp(a->replid[0], b->replid[0]) != 0 ||
        strcmp(a->replid[1], b->replid[1]) != 0)
        return false;
    for (size_t i = 0; i < a->node_count; i++) {
        if (!same_node(&a->nodes[i], &b->nodes[i]))
            return false;
    }
    return true;
}

static void on_pause_timer(uv_timer_t *timer)
{
    struct control *control = timer->data;
    control->dirty = true;
}

/* Makes sure that it is looked at again when the first one ends. */
void control_arm_pauses(struct control *control)
{
    int64_t now = (int64_t)uv_now(&control->loop), first = INT64_MAX;
    for (size_t i = 0; i < control->place_count; i++) {
        const struct pause *pause = &control->places[i].pause;
        if (pause_is_on(pause) && pause->until_ms < first)
            first = pause->until_ms;
    }
    if (first < INT64_MAX)
        uv_timer_start(&control->pause, on_pause_timer, first > now ? (uint64_t)(first - now) : 0,
                       0);
}

static void apply_pause(const struct control *control, struct place *place,
                        struct topology_group *shown)
{
    static const char *const why[] = {
        [PAUSE_TIME] = "its time is over", [PAUSE_SWITCHED] = "there is another master"};
    int64_t since = place->pause.since_ms, now = (int64_t)uv_now(&control->loop);
    enum pause_end end = pause_apply(&place->pause, shown, now);
    if (end != PAUSE_GOES_ON)
        log_event(end == PAUSE_TIME ? LOG_WARN : LOG_INFO, "a group is resumed",
                  "group=%s reason=\"%s\" paused_ms=%lld", shown->name, why[end],
                  (long long)(now - since));
}

static void show(const struct control *control, struct place *place, struct topology_group *out)
{
    if (place->group) {
        group_show(place->group, out);
        apply_pause(control, place, out);
        return;
    }
    out->name = place->name;
    out->gone = true;
}

bool control_publish(struct control *control)
{
    struct topology *next = topology_new(control->place_count);
    bool same = control->shown && control->shown->group_count == control->place_count;
    for (size_t i = 0; i < control->place_count; i++) {
        show(control, &control->places[i], &next->groups[i]);
        same = same && same_group(&next->groups[i], &control->shown->groups[i]);
    }
    if (same) {
        topology_release(next);
        return false;
    }
    if (control->shown)
        topology_release(control->shown);
    board_publish(control->board, next);
    control->shown = board_acquire(control->board);
    for (size_t i = 0; i < control->place_count; i++)
        if (control->places[i].group)
            group_published(control->places[i].group, control->shown->seq);
    summaries_published(control->summaries, control->shown->seq);
    return true;
}
