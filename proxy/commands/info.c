/*
 * info: INFO's answer is the node's own text. Behind it the proxy adds a section of its own, "# Redisproxy", when the
 * client asks for all sections, or for this one. The names of its fields begin with "redisproxy_", because
 * client libraries put the fields of all sections into one dictionary.
 */
#include "commands/info.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "topology/topology.h"

#include <inttypes.h>
#include <string.h>

static bool is_wanted(const struct session_request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct slice section;
    (void)resp_args_next(&args, &section); /* INFO */
    if (r->argc == 1)
        return true;
    while (resp_args_next(&args, &section))
        if (slice_is(section, "default") || slice_is(section, "all") ||
            slice_is(section, "everything") || slice_is(section, "redisproxy"))
            return true;
    return false;
}

void info_seen(struct session *s, struct session_request *r)
{
    r->capture = s->tx.state != TX_OPEN && is_wanted(r);
}

static void add_group(struct buf *text, const struct topology_group *view)
{
    const char *master = view->master >= 0 ? view->nodes[view->master].name : "";
    buf_printf(text,
               "redisproxy_group:%s\r\n"
               "redisproxy_group_state:%s\r\n"
               "redisproxy_group_writable:%d\r\n"
               "redisproxy_group_quorum:%d\r\n"
               "redisproxy_group_epoch:%" PRIu64 "\r\n"
               "redisproxy_master:%s\r\n",
               view->name, group_state_name(view->state), view->writable, view->quorum, view->epoch,
               master);
}

/* The sums over all workers. The others' figures are those of the end of their last turn. */
static void add_workers(const struct session *s, struct buf *text)
{
    const struct shared *shared = s->host->stop.shared;
    const struct hold *hold = router_hold(s->host->router, s->place.group);
    size_t sessions = s->host->count, upstreams = router_upstreams(s->host->router);
    size_t held = hold->count, held_bytes = hold->bytes;
    for (size_t i = 0; i < shared->worker_count; i++) {
        const struct worker_slot *slot = &shared->slots[i];
        if (i == s->host->stop.number)
            continue;
        sessions += atomic_load_explicit(&slot->sessions, memory_order_relaxed);
        upstreams += atomic_load_explicit(&slot->upstreams, memory_order_relaxed);
        held += atomic_load_explicit(&slot->holds[s->place.group].sessions, memory_order_relaxed);
        held_bytes +=
            atomic_load_explicit(&slot->holds[s->place.group].bytes, memory_order_relaxed);
    }
    buf_printf(text,
               "redisproxy_workers:%zu\r\n"
               "redisproxy_sessions:%zu\r\n"
               "redisproxy_upstreams:%zu\r\n"
               "redisproxy_held_sessions:%zu\r\n"
               "redisproxy_held_bytes:%zu\r\n",
               shared->worker_count, sessions, upstreams, held, held_bytes);
}

static void add_section(const struct session *s, struct buf *text, const char *node)
{
    static const char *const routes[] = {
        [ROUTE_MASTER] = "master", [ROUTE_REPLICA] = "replica", [ROUTE_SPLIT] = "split"};
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    if (buf_len(text) > 0)
        buf_append(text, "\r\n", 2);
    buf_printf(text,
               "# Redisproxy\r\n"
               "redisproxy_version:%s\r\n"
               "redisproxy_route:%s\r\n"
               "redisproxy_node:%s\r\n",
               REDISPROXY_VERSION, routes[s->place.route], node);
    if (view)
        add_group(text, view);
    add_workers(s, text);
}

void info_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    struct slice reply = {buf_head(&r->reply), buf_len(&r->reply)}, own;
    struct buf text = {0}, whole = {0};
    if (!r->capture)
        return;
    own = resp_text_of(reply);
    if (!own.data)
        return; /* the node answered with an error */
    if (own.len > 0)
        buf_append(&text, own.data, own.len);
    add_section(s, &text, upstream_name(from));
    resp_append_text(&whole, reply.data[0], &text);
    buf_free(&text);
    buf_free(&r->reply);
    r->reply = whole;
}
