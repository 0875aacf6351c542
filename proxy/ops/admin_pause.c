/*
 * admin_pause: pause and resume. As in a switchover: what is for the master is held, in the order in which it came, within
 * hold_memory; what replicas serve goes on. A pause ends by itself before the first request would fail for it.
 */
#include "ops/admin_verbs.h"

#include "base/clock.h"
#include "ops/admin_hold.h"

#include <inttypes.h>
#include <stdlib.h>

/* So long the answer waits for what is unanswered. */
#define QUIET_MS 5000

struct pausing {
    struct admin_job job;
    struct admin_call *call;
    struct admin_hold hold;
    int64_t for_ms, answer_ms; /* when it is answered in any case */
};

static bool step(struct admin_job *job, int64_t now, bool ending)
{
    struct pausing *p = container_of(job, struct pausing, job);
    struct admin_core *core = p->call->core;
    bool quiet = admin_hold_is_quiet(&p->hold, core);
    if (!quiet && now < p->answer_ms && !ending)
        return true;
    cJSON *result = cJSON_CreateObject();
    admin_add_text(result, "group", core->sources.config->traffic.groups[p->hold.group].name);
    admin_add_number(result, "for_ms", p->for_ms);
    cJSON_AddBoolToObject(result, "quiet", quiet);
    if (!quiet)
        admin_add_text(result, "note", "some commands that were sent before are not answered yet");
    admin_done(p->call, result);
    free(p);
    return false;
}

void admin_pause(struct admin_call *call)
{
    const char *text = admin_option(call, "for");
    int group = admin_group(call, admin_word(call, 0));
    if (group < 0)
        return;
    int64_t longest = admin_hold_longest(call->core, (size_t)group), for_ms = longest;
    if (text && (!admin_parse_duration(&for_ms, text) || for_ms <= 0)) {
        admin_failed(call, "--for %.40s is no time: write 500ms, 5s or 1m", text);
        return;
    }
    if (for_ms > longest) {
        admin_failed(call,
                     "requests would fail before that is over: pause for at most %" PRId64
                     " ms, or raise hold_timeout of this group",
                     longest);
        return;
    }
    struct pausing *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    p->call = call;
    p->for_ms = for_ms;
    p->answer_ms = call->since_ms + (for_ms < QUIET_MS ? for_ms : QUIET_MS);
    admin_hold_begin(&p->hold, call->core, (size_t)group, clock_ms() + for_ms, 0);
    admin_job_start(call->core, &p->job, step);
}

void admin_resume(struct admin_call *call)
{
    int group = admin_group(call, admin_word(call, 0));
    if (group < 0)
        return;
    struct topology *topology = board_acquire(call->core->sources.board);
    bool paused = topology && topology->groups[group].paused;
    if (topology)
        topology_release(topology);
    if (!paused) {
        admin_failed(call, "%s is not paused",
                     call->core->sources.config->traffic.groups[group].name);
        return;
    }
    cJSON *result = cJSON_CreateObject();
    admin_hold_end(call->core, (size_t)group);
    admin_add_text(result, "group", call->core->sources.config->traffic.groups[group].name);
    cJSON_AddBoolToObject(result, "paused", false);
    admin_done(call, result);
}
