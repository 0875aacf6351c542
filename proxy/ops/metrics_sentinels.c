/* metrics_sentinels: what Sentinels say, and how switches went: the control plane's facts. */
#include "ops/metrics_parts.h"

static const char *group_name(const struct metrics_view *view, size_t group)
{
    return view->topology->groups[group].name;
}

static size_t group_count(const struct metrics_view *view)
{
    return view->fact_count < view->topology->group_count ? view->fact_count
                                                          : view->topology->group_count;
}

static bool is_gone(const struct metrics_view *view, size_t group)
{
    return view->topology->groups[group].gone;
}

static void put_votes(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_begin(out, METRIC_GROUP_SENTINELS);
    for (size_t i = 0; i < group_count(view); i++)
        if (!is_gone(view, i))
            metrics_put(out, LABELS({"group", group_name(view, i)}), view->facts[i].electorate);
    metrics_begin(out, METRIC_GROUP_VOTES);
    for (size_t i = 0; i < group_count(view); i++)
        if (!is_gone(view, i))
            metrics_put(out, LABELS({"group", group_name(view, i)}), view->facts[i].votes);
}

/* When, in seconds since 1970. */
static double moment(const struct metrics_view *view, int64_t at_ms)
{
    return (double)(view->wall_ms - (view->now_ms - at_ms)) / 1000;
}

static void put_sentinel(struct metrics_out *out, const struct metrics_view *view, size_t group,
                         const struct sentinel_facts *s)
{
    const struct metrics_label *labels =
        LABELS({"group", group_name(view, group)}, {"sentinel", s->name});
    switch (out->family) {
    case METRIC_SENTINEL_PRESENT:
        metrics_put(out, labels, s->present);
        break;
    case METRIC_SENTINEL_AGREES:
        metrics_put(out, labels, s->agrees);
        break;
    case METRIC_SENTINEL_EPOCH:
        metrics_put(out, labels, s->epoch);
        break;
    case METRIC_SENTINEL_TILT:
        metrics_put(out, labels, s->tilt);
        break;
    default: /* of one that never answered there is nothing to say */
        if (s->answered_ms >= 0)
            metrics_put_number(out, labels, moment(view, s->answered_ms));
    }
}

static void put_sentinels(struct metrics_out *out, const struct metrics_view *view,
                          enum metric family)
{
    metrics_begin(out, family);
    for (size_t i = 0; i < group_count(view); i++)
        for (size_t k = 0; k < view->facts[i].sentinel_count; k++)
            put_sentinel(out, view, i, &view->facts[i].sentinels[k]);
}

static void put_switches(struct metrics_out *out, const struct metrics_view *view)
{
    metrics_begin(out, METRIC_SWITCHOVERS);
    for (size_t i = 0; i < group_count(view); i++) {
        for (int result = 0; result < SWITCH_RESULTS && !is_gone(view, i); result++)
            metrics_put(out,
                        LABELS({"group", group_name(view, i)},
                               {"result", switch_result_name((enum switch_result)result)}),
                        view->facts[i].switches.ended[result]);
    }
    metrics_begin(out, METRIC_SWITCHOVER_TIME);
    for (size_t i = 0; i < group_count(view); i++)
        for (int phase = 0; phase < SWITCH_PHASES && !is_gone(view, i); phase++)
            metrics_put_histogram(out,
                                  LABELS({"group", group_name(view, i)},
                                         {"phase", switch_phase_name((enum switch_phase)phase)}),
                                  &view->facts[i].switches.phases[phase]);
}

void metrics_sentinels(struct metrics_out *out, const struct metrics_view *view)
{
    if (!view->facts)
        return;
    put_votes(out, view);
    for (enum metric family = METRIC_SENTINEL_PRESENT; family <= METRIC_SENTINEL_ANSWER; family++)
        put_sentinels(out, view, family);
    put_switches(out, view);
}
