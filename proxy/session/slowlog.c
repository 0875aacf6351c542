/* slowlog: see the header. */
#include "session/slowlog.h"

#include "base/log.h"
#include "nodes/router.h"
#include "session/requests.h"

#include <inttypes.h>
#include <stdio.h>

#define KEY_MAX 64

struct phases {
    uint64_t queued, held, node, reply;
};

static uint64_t ms_of(uint64_t ticks)
{
    return ticks / HISTOGRAM_TICKS_PER_MS;
}

/* In milliseconds, each from one moment to the next: so their sum is how long it took. */
static struct phases phases_of(const struct session_request *r, uint64_t now)
{
    struct request_times t = request_times(r, now);
    uint64_t came = ms_of(t.came), sent = ms_of(t.sent), answered = ms_of(t.answered), held = sent;
    if (r->held_since_ms && (uint64_t)r->held_since_ms < sent)
        held = (uint64_t)r->held_since_ms > came ? (uint64_t)r->held_since_ms : came;
    return (struct phases){.queued = held - came,
                           .held = sent - held,
                           .node = answered - sent,
                           .reply = ms_of(now) - answered};
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
        view && request_times(r, 0).was_sent ? topology_node_by_id(view, r->node) : NULL;
    uint64_t ms = phases->queued + phases->held + phases->node + phases->reply;
    log_event(LOG_WARN, "a request was slow",
              "group=%s command=%s key=\"%s\" ms=%" PRIu64 " queued_ms=%" PRIu64 " held_ms=%" PRIu64
              " node_ms=%" PRIu64 " reply_ms=%" PRIu64 " node=%s retried=%s session=%" PRIu64,
              router_group(s->host->router, s->place.group)->name,
              r->command ? r->command->name : "unknown", show_key(r, key), ms, phases->queued,
              phases->held, phases->node, phases->reply, node ? node->name : "-",
              r->retried ? "yes" : "no", s->id);
}

void slowlog_judge(const struct session *s, const struct session_request *r)
{
    struct phases phases = phases_of(r, s->host->turn->ticks);
    int64_t ms = (int64_t)phases.queued + phases.held + phases.reply;
    if (!r->blocking)
        ms += phases.node;
    if (s->host->slowlog_ms > 0 && ms >= s->host->slowlog_ms)
        tell(s, r, &phases);
}
