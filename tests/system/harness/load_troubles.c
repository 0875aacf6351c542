/*
 * load_troubles: whatever a client of a load did not expect, or its account does not explain, with
 * its time (load.h).
 */
#include "harness/load_state.h"
#include "harness/wait.h"

#include <stdlib.h>

const char *trouble_name(enum trouble_kind kind)
{
    static const char *const names[TROUBLES] = {
        "outcome unknown",
        "refused",
        "write error",
        "connection closed",
        "read error",
        "stray",
        "LOST",
        "lost by Redis",
        "DOUBLED",
        "written too late",
        "refused, but done",
    };
    return names[kind];
}

void load_note(struct load_client *me, enum trouble_kind kind, long sequence, const char *text)
{
    struct load *l = me->load;
    struct trouble t = {.kind = kind, .answered = now_us(), .client = me->number};
    t.sequence = sequence;
    if (sequence >= 0) {
        t.sent = me->writes[sequence].sent;
        t.answered = me->writes[sequence].answered;
    }
    snprintf(t.text, sizeof(t.text), "%s", text);
    pthread_mutex_lock(&l->lock);
    if (l->trouble_count == l->trouble_room) {
        l->trouble_room = l->trouble_room ? l->trouble_room * 2 : 256;
        l->troubles = realloc(l->troubles, (size_t)l->trouble_room * sizeof(*l->troubles));
    }
    l->troubles[l->trouble_count++] = t;
    pthread_mutex_unlock(&l->lock);
}

void load_troubles(struct load *l, int64_t from, int64_t to,
                   void (*take)(void *user, const struct trouble *trouble), void *user)
{
    pthread_mutex_lock(&l->lock);
    for (long i = 0; i < l->trouble_count; i++)
        if (l->troubles[i].answered >= from && l->troubles[i].answered < to)
            take(user, &l->troubles[i]);
    pthread_mutex_unlock(&l->lock);
}
