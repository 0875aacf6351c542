/* slowlog: see the header. */
#include "session/slowlog.h"

#include "base/log.h"
#include "nodes/router.h"

#include <inttypes.h>
#include <stdio.h>

#define KEY_MAX 64

struct phases {
    uint32_t queued, held, node, reply;
};

/* 0 stands for "not yet". Differences are right though the number wraps after 49 days. */
static uint32_t stamp(int64_t ms)
{
    uint32_t cut = (uint32_t)ms;
    return cut ? cut : 1;
}

void slowlog_note_came(const struct session *s, struct session_request *r)
{
    r->times.came = stamp(turn_now(s->host->turn));
    r->times.sent = r->times.answered = 0;
    r->times.node = 0;
}

void slowlog_note_sent(const struct session *s, struct session_request *r,
                       const struct upstream *to)
{
    r->times.sent = stamp(turn_now(s->host->turn));
    r->times.node = upstream_node(to);
}

void slowlog_note_answered(const struct session *s, struct session_request *r)
{
    r->times.answered = stamp(turn_now(s->host->turn));
}

/* ---- judging ---- */

static struct phases phases_of(const struct session_request *r, uint32_t now)
{
    uint32_t answered = r->times.answered ? r->times.answered : now;
    uint32_t sent = r->times.sent ? r->times.sent : answered;
    uint32_t held = r->held_since_ms ? stamp(r->held_since_ms) : sent;
    return (struct phases){.queued = held - r->times.came,
                           .held = sent - held,
                           .node = answered - sent,
                           .reply = now - answered};
}

/* As redis-cli shows it. Only its first bytes. */
static const char *show_key(const struct session_request *r, char out[4 * KEY_MAX + 4])
{
    struct slice key = {"", 0};
    size_t len = 0;
    if (r->command && r->command->first_key > 0 && r->command->first_key < r->argc && !r->secret)
        key = session_arg(r, r->command->first_key);
    for (size_t i = 0; i < key.len && i < KEY_MAX; i++) {
        unsigned char c = (unsigned char)key.data[i];
        bool plain = c >= ' ' && c < 0x7f && c != '\\';
        len += (size_t)sprintf(out + len, plain ? "%c" : "\\x%02x", c);
    }
    snprintf(out + len, 4, "%s", key.len > KEY_MAX ? "..." : "");
    return out;
}

static void tell(const struct session *s, const struct session_request *r,
                 const struct phases *phases)
{
    char key[4 * KEY_MAX + 4];
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    const struct topology_node *node =
        view && r->times.node ? topology_node_by_id(view, r->times.node) : NULL;
    uint32_t ms = phases->queued + phases->held + phases->node + phases->reply;
    log_event(LOG_WARN, "a request was slow",
              "group=%s command=%s key=\"%s\" ms=%" PRIu32 " queued_ms=%" PRIu32 " held_ms=%" PRIu32
              " node_ms=%" PRIu32 " reply_ms=%" PRIu32 " node=%s retried=%s session=%" PRIu64,
              router_group(s->host->router, s->place.group)->name,
              r->command ? r->command->name : "unknown", show_key(r, key), ms, phases->queued,
              phases->held, phases->node, phases->reply, node ? node->name : "-",
              r->retried ? "yes" : "no", s->id);
}

void slowlog_judge(const struct session *s, const struct session_request *r)
{
    struct phases phases = phases_of(r, stamp(turn_now(s->host->turn)));
    int64_t ms = (int64_t)phases.queued + phases.held + phases.reply;
    if (!r->blocking)
        ms += phases.node;
    if (s->host->slowlog_ms > 0 && ms >= s->host->slowlog_ms)
        tell(s, r, &phases);
}
