/*
 * admin_rebalance: the clients of this instance are disconnected at boundaries between their requests, spread over a time,
 * so that they come back evenly over all instances: after a rollout the last one to start has none.
 *
 *     [all ids, shuffled] -- a slice each step, by a letter --> each worker: session_leave()
 *
 * Who is amid a transaction, or blocks, is asked again at the end, and left alone if that is still so.
 */
#include "ops/admin_verbs.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin_letters.h"
#include "session/leave.h"
#include "session/session.h"
#include "session/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define OVER_DEFAULT_MS 60000
#define OVER_MAX_MS 3600000
/* From one letter to the next, at least. */
#define SLICE_MS 50

struct rebalance {
    struct admin_job job;
    struct admin_letter letter;
    struct admin_core *core;
    uint64_t *ids; /* who is to go; from `next` on they have not been asked */
    size_t count, room, next;
    size_t from, to; /* of these the letter that is under way asks */
    size_t left, amid,
        gone;        /* disconnected; amid something, and kept for the end; not there any more */
    size_t found;    /* of the letter's */
    uint64_t *again; /* who was amid something */
    int64_t since_ms, over_ms, slice_ms;
    bool away;   /* the letter is under way */
    bool second; /* who was amid something is asked again */
};

/* ---- who is there ---- */

static bool note_id(void *data, struct session *s)
{
    struct rebalance *r = data;
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 256;
        r->ids = realloc(r->ids, r->room * sizeof(*r->ids));
        if (!r->ids)
            abort();
    }
    r->ids[r->count++] = s->id;
    return true;
}

static bool gather(struct relay *relay, struct relay_stop *stop)
{
    struct rebalance *r = container_of(admin_letter_of(relay), struct rebalance, letter);
    return session_walk(&r->letter.walk, session_host_at(stop), note_id, r);
}

/* ---- asking some of them to go ---- */

static int by_id(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static bool ask_to_leave(void *data, struct session *s)
{
    struct rebalance *r = data;
    if (!bsearch(&s->id, r->ids + r->from, r->to - r->from, sizeof(*r->ids), by_id))
        return true;
    r->found++;
    if (!session_is_amid(s)) {
        r->left++;
        session_leave(s, "an operator has the clients rebalanced");
    } else {
        r->again[r->amid++] = s->id;
    }
    return true;
}

static bool send_away(struct relay *relay, struct relay_stop *stop)
{
    struct rebalance *r = container_of(admin_letter_of(relay), struct rebalance, letter);
    return session_walk(&r->letter.walk, session_host_at(stop), ask_to_leave, r);
}

/* ---- the job, on the admin thread ---- */

static void finish(struct rebalance *r)
{
    log_event(LOG_INFO, "clients are rebalanced", "disconnected=%zu amid=%zu gone=%zu ms=%" PRId64,
              r->left, r->amid, r->gone, clock_ms() - r->since_ms);
    r->core->rebalancing = false;
    free(r->ids);
    free(r->again);
    free(r);
}

static void slice_told(struct admin_letter *letter, bool lost)
{
    struct rebalance *r = container_of(letter, struct rebalance, letter);
    r->away = false;
    r->gone += r->to - r->from - r->found;
    r->next = r->to;
    if (lost || r->core->ending) {
        list_remove(&r->job.in_jobs);
        finish(r);
    }
}

/* Who was amid something is asked once more. */
static bool begin_again(struct rebalance *r)
{
    uint64_t *asked = r->ids;
    if (r->second || r->amid == 0)
        return false;
    r->second = true;
    r->ids = r->again;
    r->again = asked;
    r->count = r->amid;
    r->amid = r->next = 0;
    return true;
}

static bool step(struct admin_job *job, int64_t now, bool ending)
{
    struct rebalance *r = container_of(job, struct rebalance, job);
    int64_t passed = now - r->since_ms;
    if (r->away)
        return !ending; /* when it comes home, it is the end */
    if (ending || (r->next == r->count && !begin_again(r))) {
        finish(r);
        return false;
    }
    size_t due = passed >= r->over_ms || r->second
                     ? r->count
                     : (size_t)((double)r->count * (double)passed / (double)r->over_ms);
    if (due <= r->next || now < r->slice_ms)
        return true;
    r->slice_ms = now + SLICE_MS;
    r->from = r->next;
    r->to = due;
    r->found = 0;
    r->away = true;
    qsort(r->ids + r->from, r->to - r->from, sizeof(*r->ids), by_id);
    admin_letter_send(&r->letter, r->core, send_away, slice_told);
    return true;
}

/* ---- the beginning ---- */

static void shuffle(uint64_t *ids, size_t count)
{
    unsigned seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) < 0)
        seed = (unsigned)clock_ms();
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)rand_r(&seed) % i;
        uint64_t kept = ids[i - 1];
        ids[i - 1] = ids[other];
        ids[other] = kept;
    }
}

static void gathered(struct admin_letter *letter, bool lost)
{
    struct rebalance *r = container_of(letter, struct rebalance, letter);
    r->away = false;
    (void)lost;
    if (r->core->ending) {
        finish(r);
        return;
    }
    shuffle(r->ids, r->count);
    r->again = calloc(r->count + 1, sizeof(*r->again));
    if (!r->again)
        abort();
    r->since_ms = clock_ms();
    admin_job_start(r->core, &r->job, step);
}

void admin_rebalance(struct admin_call *call)
{
    const char *over = admin_option(call, "over");
    int64_t over_ms = OVER_DEFAULT_MS;
    if (over && (!admin_parse_duration(&over_ms, over) || over_ms > OVER_MAX_MS)) {
        admin_failed(call, "--over %.40s is no time up to an hour: write 60s or 5m", over);
        return;
    }
    if (call->core->rebalancing) {
        admin_failed(call,
                     "the clients are being rebalanced already: the log says when it is over");
        return;
    }
    struct rebalance *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    call->core->rebalancing = true;
    r->core = call->core;
    r->over_ms = over_ms;
    cJSON *result = cJSON_CreateObject();
    admin_add_number(result, "over_ms", over_ms);
    admin_add_text(result, "rebalance", "has begun; the log says when it is over");
    admin_letter_send(&r->letter, call->core, gather, gathered);
    admin_done(call, result);
}
