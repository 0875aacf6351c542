/* move: see the header. This file packs; unpack.c is the way back. */
#include "session/move.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/ended.h"
#include "session/hooks.h"
#include "session/input.h"
#include "session/state.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- may it? ---- */

/* What is on the lease cannot be made anew elsewhere. */
static bool is_tied(const struct session *s)
{
    return lease_kept_for(&s->lease, LEASE_MONITORS) || s->special.tunnel ||
           (lease_kept_for(&s->lease, LEASE_CHANGED) && s->lease.upstream &&
            stream_tls(&s->lease.upstream->stream));
}

bool session_is_movable(const struct session *s)
{
    return !s->listener->tls && !stream_tls(&s->client.stream) && s->life.stage <= LIFE_LEAVING &&
           s->life.client == CLIENT_SENDS && !is_tied(s);
}

/* The beginning of a request that goes along. */
static bool has_little(const struct session *s)
{
    const struct partial *partial = s->client.partial;
    return !partial || (!partial->skipped && !partial->held_since_ms &&
                        partial->request->len <= SESSION_MOVED_BYTES_MAX);
}

bool session_nears_move(const struct session *s)
{
    return s->tx.state == TX_NONE && !s->tx.watching && !s->tx.watch_broken && !s->tx.lost &&
           has_little(s) && !barrier_of(&s->barrier, BARRIER_BLOCKED) &&
           !hold_waits(&s->queue.held) && !login_waits(&s->place.login) &&
           list_empty(&s->client.ahead) && buf_len(&s->client.out) == 0;
}

/* Of what it carries nothing is on its way. */
static bool is_settled(const struct session *s)
{
    struct moved_upstream moved;
    if (s->special.renewing || s->special.unrenewed || session_doubts(s) || s->lease.unblocks ||
        session_wants_lease(s))
        return false;
    return !s->lease.upstream ||
           (upstream_idle(s->lease.upstream) &&
            (!session_hears(s) || stream_tls(&s->lease.upstream->stream) ||
             router_describe_lease(s->host->router, s->lease.upstream, &moved)));
}

bool session_may_move(const struct session *s)
{
    return session_is_movable(s) && session_nears_move(s) && session_is_finished(s) &&
           !barrier_stands(&s->barrier) && !s->client.paused && !s->client.early &&
           !list_linked(&s->special.in_script_wait) && is_settled(s);
}

/* ---- packing ---- */

static struct slice text(const char *words)
{
    return (struct slice){words, words ? strlen(words) : 0};
}

static void put_words(struct buf *out, const char *const *words, int argc)
{
    struct slice argv[6];
    for (int i = 0; i < argc; i++)
        argv[i] = text(words[i]);
    resp_append_command(out, argc, argv);
}

/* A command of at most six strings. */
#define put(out, ...)                                                                              \
    put_words(out, (const char *const[]){__VA_ARGS__},                                             \
              (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void put_head(const struct session *s, struct buf *out)
{
    char id[24], age[24], idle[24], listener[ENDPOINT_TEXT_MAX];
    int64_t now = turn_now(s->host->turn);
    snprintf(id, sizeof(id), "%" PRIu64, s->id);
    snprintf(age, sizeof(age), "%" PRId64, now - s->client.opened_ms);
    snprintf(idle, sizeof(idle), "%" PRId64, now - s->client.read_ms);
    put(out, "SESSION", id, address_format(listener, sizeof(listener), &s->listener->address), age,
        idle);
}

static void put_client(const struct session *s, struct buf *out)
{
    (void)identity_append_setup(s->identity, out);
    if (s->identity->outside)
        put(out, "OUTSIDE");
    if (s->auth_not_needed)
        put(out, "FREE");
    if (s->client.served)
        put(out, "SERVED");
    if (s->special.wrote)
        put(out, "WROTE");
    if (s->client.name)
        put(out, "NAME", s->client.name);
    if (s->client.reply_off)
        put(out, "REPLY-OFF");
    if (s->client.reply_skip)
        put(out, "REPLY-SKIP");
    if (s->client.last && s->client.last->name)
        put(out, "LAST", s->client.last->name);
}

/* Returns its socket; -1: it does not go along. */
static int put_lease(const struct session *s, struct buf *out)
{
    char node[ENDPOINT_TEXT_MAX], id[24], process[16];
    struct moved_upstream moved;
    bool named = s->lease.named;
    if (!s->lease.upstream || !(s->lease.reasons & ~(unsigned)LEASE_LARGE) ||
        !router_describe_lease(s->host->router, s->lease.upstream, &moved))
        return -1;
    snprintf(id, sizeof(id), "%" PRIu64, moved.client_id);
    snprintf(process, sizeof(process), "%" PRIu32, moved.process);
    put(out, "LEASE", address_format(node, sizeof(node), &moved.node),
        moved.purpose == PURPOSE_MASTER ? "master" : "replica", id, process,
        named ? "named" : "unnamed");
    return moved.fd;
}

bool session_pack(const struct session *s, struct buf *out, int *client_fd, int *lease_fd)
{
    const struct session_hooks *hooks = s->host->hooks;
    const struct partial *partial = s->client.partial;
    (void)buf_reserve(out, SESSION_PACKED_MAX / 4); /* growing would leave copies of a password */
    put_head(s, out);
    put_client(s, out);
    for (size_t i = 0; i < hooks->carried_count; i++)
        if (hooks->carried[i]->pack)
            hooks->carried[i]->pack(s, out);
    if (lease_kept_for(&s->lease, LEASE_CHANGED))
        put(out, "CHANGED");
    *client_fd = s->client.stream.fd;
    *lease_fd = put_lease(s, out);
    if (partial) {
        struct slice argv[2] = {text("BYTES"), {partial->request->data, partial->request->len}};
        resp_append_command(out, 2, argv);
    }
    if (lease_kept_for(&s->lease, LEASE_CHANGED) && *lease_fd < 0 && s->lease.upstream)
        return false; /* nobody knows what was done to it */
    return buf_len(out) <= SESSION_PACKED_MAX;
}
