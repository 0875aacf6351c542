/* pause: see the header. */
#include "topology/pause.h"

#include <stdio.h>

void pause_begin(struct pause *pause, int64_t now_ms, int64_t until_ms, uint64_t leaving)
{
    if (!pause_is_on(pause))
        pause->since_ms = now_ms;
    pause->until_ms = until_ms;
    pause->leaving = leaving;
}

void pause_end(struct pause *pause)
{
    *pause = (struct pause){0};
}

static bool is_switched(const struct pause *pause, const struct topology_group *shown)
{
    return pause->leaving && shown->writable && shown->master >= 0 &&
           shown->nodes[shown->master].id != pause->leaving;
}

enum pause_end pause_apply(struct pause *pause, struct topology_group *shown, int64_t now_ms)
{
    enum pause_end why = PAUSE_GOES_ON;
    if (!pause_is_on(pause))
        return why;
    if (now_ms >= pause->until_ms)
        why = PAUSE_TIME;
    else if (is_switched(pause, shown))
        why = PAUSE_SWITCHED;
    if (why != PAUSE_GOES_ON) {
        pause_end(pause);
        return why;
    }
    shown->paused = true;
    shown->paused_until_ms = pause->until_ms;
    if (shown->writable) {
        shown->writable = false;
        shown->since_ms = pause->since_ms;
        snprintf(shown->reason, sizeof(shown->reason), "paused by an operator");
    }
    return why;
}
