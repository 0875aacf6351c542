/*
 * group_events: what a Sentinel tells unasked, from a channel's words to an event of the election. An event never says who
 * is master: it makes the proxy ask. Each costs a line of the log, a probe and a poll, so a Sentinel is not heard without
 * end.
 */
#include "topology/group_state.h"

#include "base/log.h"

#include <string.h>

#define EVENTS_EACH_MS 10

static int64_t now_of(const struct group *group)
{
    return (int64_t)uv_now(group->loop);
}

/* Each event costs a line of the log, a probe and a poll, so they have a bound. */
static bool is_listened_to(const struct group *group, struct seat *seat)
{
    int64_t earned = (now_of(group) - seat->events_ms) / EVENTS_EACH_MS;
    if (earned > 0) {
        seat->events_left = earned + seat->events_left > GROUP_EVENTS_MAX
                                ? GROUP_EVENTS_MAX
                                : (int)(earned + seat->events_left);
        seat->events_ms = now_of(group);
    }
    if (seat->events_left == 0) {
        if (seat->events_dropped++ == 0)
            log_event(LOG_WARN, "a Sentinel floods events, of which most are passed over",
                      "group=%s sentinel=%s", group->options->name, sentinel_name(seat->sentinel));
        return false;
    }
    seat->events_left--;
    if (seat->events_dropped > 0 && seat->events_left > GROUP_EVENTS_MAX / 2) {
        log_event(LOG_INFO, "a Sentinel's events are heard again",
                  "group=%s sentinel=%s passed_over=%u", group->options->name,
                  sentinel_name(seat->sentinel), seat->events_dropped);
        seat->events_dropped = 0;
    }
    return true;
}

void group_take_event(struct group *group, struct seat *seat, const char *channel,
                      const char *payload)
{
    struct sentinel_event event;
    enum election_event kind;
    struct address master, subject;
    char quoted[512];
    if (!sentinel_parse_event(&event, channel, payload))
        return;
    if (event.name[0] && strcmp(event.name, group->options->name) != 0)
        return;
    if (!is_listened_to(group, seat))
        return;
    log_event(sentinel_event_notable(channel) ? LOG_INFO : LOG_DEBUG, "Sentinel event",
              "group=%s sentinel=%s event=%s payload=%s", group->options->name,
              sentinel_name(seat->sentinel), channel, log_quote(quoted, sizeof(quoted), payload));
    if (group_means_itself(seat, &event.master) || group_means_itself(seat, &event.subject)) {
        sentinel_poll(seat->sentinel);
        return;
    }
    (void)names_lookup(group->names, &event.master, &master);
    (void)names_lookup(group->names, &event.subject, &subject);
    if (subject.len)
        group->wiring.probe_now(group, &subject);
    sentinel_poll(seat->sentinel);
    if (strcmp(channel, "+tilt") == 0 || strcmp(channel, "-tilt") == 0)
        election_sentinel_tilt(group->election, seat->key, channel[0] == '+');
    if (sentinel_event_kind(channel, &kind))
        election_event(group->election, seat->key, kind, &master, &subject, now_of(group));
    group->wiring.follow(group);
}
