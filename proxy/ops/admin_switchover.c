/*
 * admin_switchover: a planned change of master, without a lost write, or none at all.
 *
 *     check    a Sentinel has its quorum (CKQUORUM), and lists replicas that it may promote; these are in step, roughly
 *     hold     the group's requests are held; what was written before is answered
 *     catch up the replicas that may be promoted have all that the master has
 *     ask      SENTINEL FAILOVER, with COORDINATED where the server has that
 *     wait     the control plane finds a new master, and releases what is held
 *     verify   the new master says that it is one
 *
 * Until Sentinel was asked a failure changes nothing: what is held goes on with the old master. Afterwards the election
 * decides (topology/election_rules.c), as in any switchover; then only the hold is given up here. One step is done at a
 * time: it asks something (admin_ask.h), or looks at the board every 10 ms.
 */
#include "ops/admin_verbs.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin_ask.h"
#include "ops/switchover.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_MS 600000

/* ---- questions ---- */

static void ask_server(struct planned_switch *s, const struct control_conn_options *options,
                       int argc, const char *const *argv, admin_answer *answered)
{
    s->question = admin_ask(s->core->loop, options, argc, argv, answered, s);
    credential_release(options->credential);
}

static void ask_sentinel(struct planned_switch *s, const char *what, const char *more,
                         admin_answer *answered)
{
    struct control_conn_options options = admin_sentinel_options(s->core, s->group, s->sentinel);
    const char *argv[] = {"SENTINEL", what, switchover_group(s), more};
    ask_server(s, &options, more ? 4 : 3, argv, answered);
}

static void ask_node(struct planned_switch *s, const struct endpoint *node, int argc,
                     const char *const *argv, admin_answer *answered)
{
    struct control_conn_options options = admin_node_options(s->core, s->group, node, NULL);
    ask_server(s, &options, argc, argv, answered);
}

static bool is_error(const redisReply *reply)
{
    return !reply || reply->type == REDIS_REPLY_ERROR;
}

static const char *words_of(const redisReply *reply, const char *why)
{
    return reply && reply->str ? reply->str : why ? why : "no answer";
}

/* ---- check: quorum ---- */

static void on_quorum(void *owner, const redisReply *reply, const char *why)
{
    struct planned_switch *s = owner;
    s->question = NULL;
    if (!is_error(reply)) {
        switchover_enter(s, CHECK_REPLICAS, ANSWER_MS);
    } else if (reply) {
        switchover_fail(s, "nothing was changed: there is no quorum for a failover: %s",
                        words_of(reply, why));
    } else if (++s->sentinel >= s->core->sources.config->topology[s->group].sentinel_count) {
        switchover_fail(s, "nothing was changed: no Sentinel can be asked: %s",
                        words_of(reply, why));
    }
}

static void check_quorum(struct planned_switch *s)
{
    s->until_ms = clock_ms() + ANSWER_MS; /* for each Sentinel */
    ask_sentinel(s, "CKQUORUM", NULL, on_quorum);
}

/* ---- check: replicas ---- */

static void on_replicas(void *owner, const redisReply *reply, const char *why)
{
    struct planned_switch *s = owner;
    char text[320];
    s->question = NULL;
    if (is_error(reply) || candidates_read(&s->candidates, reply) != 0)
        switchover_fail(s, "nothing was changed: Sentinel does not list the replicas: %s",
                        words_of(reply, why));
    else if (s->candidates.count == 0)
        switchover_fail(
            s,
            "nothing was changed: of %zu replicas none can be promoted: they are down, cut off "
            "from the master, or have replica-priority 0",
            s->candidates.replicas);
    else if (s->to && !candidates_only(&s->candidates, s->to, text, sizeof(text)))
        switchover_fail(s, "nothing was changed: %s", text);
    else
        switchover_enter(s, CHECK_STEP, ANSWER_MS);
}

/* ---- are they in step? The master is asked first, so that a replica can only be ahead of its answer. ---- */

static void measure_again(struct planned_switch *s)
{
    s->master_offset = -1;
    s->measured = 0;
}

static void on_offset(void *owner, const redisReply *reply, const char *why)
{
    struct planned_switch *s = owner;
    bool of_master = s->master_offset < 0;
    const char *who = of_master ? s->master_name : s->candidates.each[s->measured].name;
    int64_t offset = -1;
    s->question = NULL;
    if (!is_error(reply) && reply->str)
        offset = info_number(reply->str, of_master ? "master_repl_offset" : "slave_repl_offset");
    if (offset < 0)
        switchover_fail(s, "%s: %.100s does not say how far it is: %.100s",
                        s->held ? "given up" : "nothing was changed", who,
                        is_error(reply) ? words_of(reply, why) : "it is no replica");
    else if (of_master)
        s->master_offset = offset;
    else
        s->candidates.each[s->measured++].offset = offset;
}

/* Returns whether a round is through. */
static bool measure(struct planned_switch *s)
{
    static const char *const argv[] = {"INFO", "replication"};
    if (s->master_offset >= 0 && s->measured == s->candidates.count)
        return true;
    ask_node(s, s->master_offset < 0 ? &s->master : &s->candidates.each[s->measured].endpoint, 2,
             argv, on_offset);
    return false;
}

static void check_step(struct planned_switch *s)
{
    int64_t behind;
    if (!measure(s))
        return;
    behind = candidates_behind(&s->candidates, s->master_offset);
    if (behind > BEHIND_MAX) {
        switchover_fail(s,
                        "nothing was changed: a replica that may be promoted is %" PRId64
                        " bytes behind the master: wait until it has caught up",
                        behind);
        return;
    }
    s->held = true;
    switchover_enter(s, HOLD, QUIET_MS);
    admin_hold_begin(&s->hold, s->core, s->group,
                     clock_ms() + admin_hold_longest(s->core, s->group), s->old);
}

static void catch_up(struct planned_switch *s)
{
    if (!measure(s))
        return;
    if (candidates_behind(&s->candidates, s->master_offset) == 0)
        switchover_enter(s, ASK, ANSWER_MS);
    else
        measure_again(s);
}

/* ---- ask ---- */

static void on_failover(void *owner, const redisReply *reply, const char *why)
{
    struct planned_switch *s = owner;
    s->question = NULL;
    if (!is_error(reply)) {
        switchover_enter(s, WAIT, s->timeout_ms);
    } else if (reply && s->coordinated) {
        s->coordinated = false; /* an older one knows no such word */
    } else {
        /* Without an answer it may have taken the request. */
        switchover_fail(s, "%s: %s",
                        reply ? "Sentinel refuses; the old master goes on"
                              : "Sentinel does not answer",
                        words_of(reply, why));
    }
}

/* ---- wait ---- */

/* What the newest snapshot says: is another node master, and may it be written to? */
static void look_for_master(struct planned_switch *s)
{
    struct topology *topology = board_acquire(s->core->sources.board);
    const struct topology_group *group = &topology->groups[s->group];
    if (group->master >= 0 && group->nodes[group->master].id != s->old && group->writable) {
        const struct topology_node *node = &group->nodes[group->master];
        snprintf(s->now_name, sizeof(s->now_name), "%s", node->name);
        if (endpoint_parse(&s->now, node->name, 0) == 0)
            switchover_enter(s, VERIFY, ANSWER_MS);
    }
    topology_release(topology);
}

/* ---- verify ---- */

static void on_role(void *owner, const redisReply *reply, const char *why)
{
    struct planned_switch *s = owner;
    s->question = NULL;
    s->verified = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                  reply->element[0]->str && strcmp(reply->element[0]->str, "master") == 0;
    if (!s->verified)
        switchover_fail(s,
                        "it was switched over, but %.100s does not say that it is master: %.100s",
                        s->now_name, words_of(reply, why));
    else if (s->to && strcmp(s->to, s->now_name) != 0 && strcmp(s->to, s->now.host) != 0)
        switchover_fail(s, "it was switched over, but to %.100s instead of %.100s", s->now_name,
                        s->to);
}

/* ---- the job ---- */

static void finish(struct planned_switch *s)
{
    admin_ask_cancel(s->question);
    switchover_enter(s, s->phase, 0);
    if (s->held && s->failed)
        admin_hold_end(s->core, s->group);
    cJSON *result = switchover_report(s);
    s->core->switching = false;
    if (s->failed)
        admin_failed_with(s->call, result, "%s", s->why);
    else
        admin_done(s->call, result);
    free(s);
}

static void too_late(struct planned_switch *s)
{
    if (s->phase == CHECK_QUORUM) {
        admin_ask_cancel(s->question);
        on_quorum(s, NULL, "no answer");
        return;
    }
    switchover_fail(s, "%s", switchover_late(s));
}

static void work(struct planned_switch *s)
{
    static const char *const role[] = {"ROLE"};
    switch (s->phase) {
    case CHECK_QUORUM:
        check_quorum(s);
        break;
    case CHECK_REPLICAS:
        ask_sentinel(s, "SLAVES", NULL, on_replicas);
        break;
    case CHECK_STEP:
        check_step(s);
        break;
    case HOLD:
        if (admin_hold_is_quiet(&s->hold, s->core)) {
            measure_again(s);
            switchover_enter(s, CATCH_UP, CATCH_UP_MS);
        }
        break;
    case CATCH_UP:
        catch_up(s);
        break;
    case ASK:
        ask_sentinel(s, "FAILOVER", s->coordinated ? "COORDINATED" : NULL, on_failover);
        break;
    case WAIT:
        look_for_master(s);
        break;
    case VERIFY:
        ask_node(s, &s->now, 1, role, on_role);
        break;
    case PHASES:
        break;
    }
}

static bool step(struct admin_job *job, int64_t now, bool ending)
{
    struct planned_switch *s = container_of(job, struct planned_switch, job);
    if (ending && !s->failed)
        switchover_fail(s, "the proxy stops");
    else if (now >= s->until_ms && !s->failed && !s->verified)
        too_late(s);
    if (!s->failed && s->core->sources.config->traffic.groups[s->group].gone)
        switchover_fail(s, "the group is not configured any more");
    if (!s->failed && !s->verified && !s->question)
        work(s);
    if (!s->failed && !s->verified)
        return true;
    finish(s);
    return false;
}

/* ---- the beginning ---- */

/* Notes the old master. Returns false after refusing. */
static bool find_master(struct planned_switch *s)
{
    struct topology *topology = board_acquire(s->core->sources.board);
    const struct topology_group *group = &topology->groups[s->group];
    const char *why = group->paused                  ? "it is paused: resume it first"
                      : group->state != GROUP_STEADY ? "it is being switched over, or has no master"
                      : group->master < 0            ? "it has no master"
                      : !group->writable             ? "its master is not written to now"
                                                     : NULL;
    if (!why) {
        const struct topology_node *node = &group->nodes[group->master];
        s->old = node->id;
        snprintf(s->master_name, sizeof(s->master_name), "%s", node->name);
        if (endpoint_parse(&s->master, node->name, 0) != 0)
            why = "its master's address is not known";
    }
    if (why)
        admin_failed(s->call, "nothing was changed: %s: %s", switchover_group(s), why);
    topology_release(topology);
    return !why;
}

void admin_switchover(struct admin_call *call)
{
    const char *timeout = admin_option(call, "timeout");
    int group = admin_group(call, admin_word(call, 0));
    if (group < 0)
        return;
    int64_t timeout_ms = admin_hold_longest(call->core, (size_t)group);
    if (timeout && (!admin_parse_duration(&timeout_ms, timeout) || timeout_ms <= 0 ||
                    timeout_ms > TIMEOUT_MAX_MS)) {
        admin_failed(call, "--timeout %.40s is no time up to 10 minutes: write 20s", timeout);
        return;
    }
    if (call->core->switching) {
        admin_failed(call, "nothing was changed: another switchover goes on: wait for its end");
        return;
    }
    struct planned_switch *s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->call = call;
    s->core = call->core;
    s->group = (size_t)group;
    s->to = admin_option(call, "to");
    s->timeout_ms = timeout_ms;
    s->coordinated = true;
    s->phase_ms = clock_ms();
    s->until_ms = s->phase_ms + ANSWER_MS;
    measure_again(s);
    if (!find_master(s)) {
        free(s);
        return;
    }
    log_event(LOG_INFO, "a switchover is asked for", "group=%s master=%s to=%s uid=%lu pid=%ld",
              switchover_group(s), s->master_name, s->to ? s->to : "any", (unsigned long)call->uid,
              (long)call->pid);
    call->core->switching = true;
    admin_job_start(call->core, &s->job, step);
}
