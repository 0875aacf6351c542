/*
 * redirect: CLIENT TRACKING ON ... REDIRECT id. With it a client asks Redis to send the invalidations of what it has
 * cached to another client, by its id. Through the proxy that is the id of a session, but the node knows the ids of
 * connections only. So the other session needs a lease at the same node, on which the invalidations will come; and
 * the id of this lease takes the place of the session's id in the command.
 *
 * The other session may belong to another worker, which is asked for the id by a relay. The answer may take a while,
 * until the lease is connected. When the lease of the session that tracks is lost, the other session's client is told
 * to forget all that it has cached, by a relay, too.
 */
#include "commands/redirect.h"

#include "commands/pubsub.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/leasing.h"
#include "session/output.h"
#include "session/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long another worker waits for the lease. Then it answers "not yet", and is asked again if anybody still wants to
 * know. */
#define LEASE_WAIT_MS 1000

/* So long its answer may be used: it is meant for the session that is woken by it, at once. */
#define ANSWER_VALID_MS 100

/* What another worker was asked, and what it has answered. */
struct redirection {
    uint64_t to; /* the session that is looked for */
    bool asked;  /* the answer has not come yet */
    enum found found;
    uint64_t at_node;    /* the id of its lease at the node */
    uint64_t seq;        /* the snapshot of the topology for which that is true */
    int64_t answered_ms; /* when the answer came */
};

void redirect_forget(struct session *s)
{
    free(s->special.redirection);
    s->special.redirection = NULL;
}

/* ---- the id ---- */

/* The node's id of the lease of `to`; 0: it has no lease yet. `replica`: the node from which the session that asks
 * reads; both must be at the same one. */
static uint64_t id_at_node(struct session *to, uint64_t replica)
{
    if (!to->lease.upstream) {
        router_join_replica(to->host->router, &to->place, replica);
        if (!session_take_lease(to))
            return 0;
        lease_keep(&to->lease, LEASE_CHANGED);
    }
    (void)pubsub_tap_lease(to); /* invalidations are no replies */
    return upstream_client_id(to->lease.upstream);
}

static enum found find_here(struct session_host *host, uint64_t id, uint64_t replica, uint64_t *out)
{
    struct session *to = session_find(host, id);
    if (!to || !stream_is_open(&to->client.stream) || /* it may shake hands, and is nobody yet */
        (to->special.redirects_to && to->special.redirects_to != id))
        return FOUND_NOBODY;
    *out = id_at_node(to, replica);
    return *out ? FOUND : FOUND_NOT_YET;
}

/* The question to another worker, and its answer. */
struct search {
    struct relay relay;
    uint64_t asker, to; /* ids of sessions */
    uint64_t replica, seq;
    int64_t until_ms;
    enum found found;
    uint64_t at_node;
};

static void search_drop(struct relay *relay)
{
    free(container_of(relay, struct search, relay));
}

static bool search_visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    struct search *search = container_of(relay, struct search, relay);
    if (!search->until_ms)
        search->until_ms = turn_now(there->turn) + LEASE_WAIT_MS;
    /* Perhaps the worker that asks knows of a switch that this one does not know of yet: then the lease here is still
     * one to the old master. */
    if (router_seq(there->router) >= search->seq)
        search->found = find_here(there, search->to, search->replica, &search->at_node);
    return search->found != FOUND_NOT_YET || turn_now(there->turn) >= search->until_ms;
}

static void search_back(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *home = session_host_at(stop);
    struct search *search = container_of(relay, struct search, relay);
    struct session *s = session_find(home, search->asker);
    if (s && s->special.redirection && s->special.redirection->to == search->to) {
        *s->special.redirection = (struct redirection){.to = search->to,
                                                       .found = search->found,
                                                       .at_node = search->at_node,
                                                       .seq = search->seq,
                                                       .answered_ms = turn_now(home->turn)};
        session_mark_woken(s);
    }
    search_drop(relay);
}

static void search_elsewhere(struct session *s, uint64_t to)
{
    struct search *search = calloc(1, sizeof(*search));
    redirect_forget(s);
    s->special.redirection = calloc(1, sizeof(*s->special.redirection));
    if (!search || !s->special.redirection)
        abort();
    *s->special.redirection = (struct redirection){.to = to, .asked = true};
    *search =
        (struct search){.relay = {.visit = search_visit, .back = search_back, .drop = search_drop},
                        .asker = s->id,
                        .to = to,
                        .replica = s->place.replica,
                        .seq = router_seq(s->host->router)};
    relay_start_at(&search->relay, &s->host->stop,
                   session_worker_of(to, s->host->stop.shared->worker_count));
}

enum found redirect_find(struct session *s, uint64_t id, uint64_t *at_node)
{
    const struct redirection *known = s->special.redirection;
    enum found found = FOUND_NOT_YET;
    if (id == s->id) { /* it redirects to itself: the lease is the one on which the command goes */
        *at_node = s->lease.upstream ? upstream_client_id(s->lease.upstream) : 0;
        return *at_node ? FOUND : FOUND_NOT_YET;
    }
    if (!session_is_elsewhere(s->host, id))
        return find_here(s->host, id, s->place.replica, at_node);
    if (known && known->to == id && known->asked)
        return FOUND_NOT_YET;
    if (known && known->to == id && known->seq == router_seq(s->host->router) &&
        turn_now(s->host->turn) - known->answered_ms <= ANSWER_VALID_MS) {
        found = known->found;
        *at_node = known->at_node;
    }
    if (found == FOUND_NOT_YET)
        search_elsewhere(s, id);
    else
        redirect_forget(s);
    return found;
}

/* ---- the command ---- */

/* At which place the id stands among the arguments of CLIENT TRACKING; 0: there is no REDIRECT. */
static int redirect_argument(struct slice command)
{
    struct resp_args args = resp_args(command.data, command.len);
    struct slice arg;
    for (int i = 0; resp_args_next(&args, &arg) && args.left > 0; i++)
        if (i > 2 && slice_is(arg, "redirect"))
            return i + 1;
    return 0;
}

void redirect_append(struct buf *out, struct slice command, uint64_t id)
{
    char text[24];
    size_t len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, id);
    int at = redirect_argument(command);
    resp_append_replaced(out, command, at ? at : -1, (struct slice){text, len});
}

uint64_t redirect_named(struct slice command)
{
    int at = redirect_argument(command);
    int64_t number;
    if (!at || !resp_parse_integer(resp_arg(command.data, command.len, at), &number) || number < 0)
        return 0;
    return (uint64_t)number;
}

enum step redirect_prepare(struct session *s, struct session_request *r)
{
    int at = redirect_argument((struct slice){r->data, r->len});
    struct buf bytes = {0};
    int64_t number;
    uint64_t id;
    if (!at || !resp_parse_integer(session_arg(r, at), &number))
        return STEP_ON;
    switch (redirect_find(s, (uint64_t)number, &id)) {
    case FOUND_NOT_YET:
        return STEP_HOLD;
    case FOUND_NOBODY:
        return STEP_ON; /* Redis will say that there is no such client */
    case FOUND:
        break;
    }
    redirect_append(&bytes, (struct slice){r->data, r->len}, id);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
    s->special.redirecting = (uint64_t)number;
    return STEP_ON;
}

/* ---- telling clients to forget ---- */

void redirect_invalidate(struct session *s)
{
    static const char push[] = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
    static const char message[] = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
    if (life_closing(&s->life))
        return;
    if (s->identity->resp3)
        session_pass_on(s, push, sizeof(push) - 1);
    else if (pubsub_hears_invalidations(s))
        session_pass_on(s, message, sizeof(message) - 1);
}

/* Tells another worker's session. */
struct invalidation {
    struct relay relay;
    uint64_t id;
};

static bool invalidate_visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    struct session *to = session_find(there, container_of(relay, struct invalidation, relay)->id);
    if (to)
        redirect_invalidate(to);
    return true;
}

static void invalidate_drop(struct relay *relay)
{
    free(container_of(relay, struct invalidation, relay));
}

void redirect_invalidate_target(struct session *s, uint64_t id)
{
    struct session *to = session_find(s->host, id);
    struct invalidation *invalidation;
    if (to)
        redirect_invalidate(to);
    if (!session_is_elsewhere(s->host, id))
        return;
    invalidation = calloc(1, sizeof(*invalidation));
    if (!invalidation)
        abort();
    invalidation->relay = (struct relay){.visit = invalidate_visit, .drop = invalidate_drop};
    invalidation->id = id;
    relay_start_at(&invalidation->relay, &s->host->stop,
                   session_worker_of(id, s->host->stop.shared->worker_count));
}

/* ---- answers ---- */

void redirect_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    static const char label[] = "$8\r\nredirect\r\n:";
    const char *reply = buf_head(&r->reply);
    (void)from;
    if (!r->capture || !s->special.redirects_to)
        return;
    if (*reply == ':') {
        session_rewrite_number(r, reply + 1, s->special.redirects_to);
        return;
    }
    reply = memmem(reply, buf_len(&r->reply), label, sizeof(label) - 1);
    if (reply)
        session_rewrite_number(r, reply + sizeof(label) - 1, s->special.redirects_to);
}
