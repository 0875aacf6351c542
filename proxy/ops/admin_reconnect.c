/* admin_reconnect: connections to the nodes are made anew at boundaries between requests, none is dropped: after a change
 * of routes, certificates or a node's address that only new connections meet. */
#include "ops/admin_verbs.h"

#include "nodes/router.h"
#include "ops/admin_letters.h"
#include "session/lease.h"
#include "session/session.h"

#include <stdlib.h>

struct order {
    struct admin_letter letter;
    struct admin_call *call;
    int group; /* -1: all */
    struct renewed renewed;
    size_t kept; /* leases that their sessions cannot do without now */
    bool begun;  /* at the worker that is visited: its connections are marked */
};

/* A session that has its own connection for no other reason than that gets another one with its next request. */
static bool settle(void *data, struct session *s)
{
    struct order *order = data;
    if (order->group >= 0 && (size_t)order->group != s->place.group)
        return true;
    if (s->lease.upstream && s->queue.inflight == 0)
        session_lease_settle(s);
    order->kept += s->lease.upstream != NULL;
    return true;
}

static bool visit(struct relay *relay, struct relay_stop *stop)
{
    struct order *order = container_of(admin_letter_of(relay), struct order, letter);
    struct session_host *there = session_host_at(stop);
    for (size_t i = 0; !order->begun && i < there->options->group_count; i++)
        if (order->group < 0 || (size_t)order->group == i)
            router_renew(there->router, i, &order->renewed);
    order->begun = !session_walk(&order->letter.walk, there, settle, order); /* for the next one */
    return !order->begun;
}

static void told(struct admin_letter *letter, bool lost)
{
    struct order *order = container_of(letter, struct order, letter);
    cJSON *result = cJSON_CreateObject();
    (void)lost;
    admin_add_number(result, "shared", (int64_t)order->renewed.shared);
    admin_add_number(result, "unused", (int64_t)order->renewed.idle);
    admin_add_number(result, "own", (int64_t)order->renewed.leases);
    admin_add_number(result, "own_later", (int64_t)order->kept);
    admin_done(order->call, result);
    free(order);
}

void admin_reconnect(struct admin_call *call)
{
    const char *name = admin_word(call, 0);
    int group = name ? admin_group(call, name) : -1;
    if (name && group < 0)
        return;
    struct order *order = calloc(1, sizeof(*order));
    if (!order)
        abort();
    order->call = call;
    order->group = group;
    admin_letter_send(&order->letter, call->core, visit, told);
}
