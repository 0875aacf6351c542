/* login_bound: see the header. */
#include "session/login_bound.h"

#include "nodes/router.h"
#include "session/held_partial.h"
#include "session/input.h"
#include "session/interest.h"
#include "session/protocol_error.h"

/* The node's word that this client need not log in is not looked up again for so long: it counts for what comes in
 * that time. */
#define LET_IN_MS 1000

/* The arguments of a request that is not whole, with their lengths. */
#define PARTIAL_MAX ((size_t)LOGIN_ARGS_MAX * (LOGIN_BULK_MAX + 16))

static const char too_many[] = "Protocol error: unauthenticated multibulk length";
static const char too_long[] = "Protocol error: unauthenticated bulk length";

/* What Redis would say of it to a client that has to log in; NULL: nothing. */
static const char *complaint(const struct resp_request *parse, size_t len)
{
    if (parse->is_inline)
        return NULL;
    if (parse->argc > LOGIN_ARGS_MAX)
        return too_many;
    return parse->bulk_len > LOGIN_BULK_MAX + 2 || len > PARTIAL_MAX ? too_long : NULL;
}

static const char *complaint_of_whole(const char *data, const struct resp_request *parse)
{
    struct resp_args args = resp_args(data, parse->pos);
    struct slice arg;
    if (parse->argc > LOGIN_ARGS_MAX)
        return too_many;
    while (resp_args_next(&args, &arg))
        if (arg.len > LOGIN_BULK_MAX)
            return too_long;
    return NULL;
}

/* Whether it has to log in, as far as the node has said so. */
static enum entrance verdict(struct session *s)
{
    int64_t now = turn_now(s->host->turn);
    enum entrance entry;
    bool in_tx = s->queue.count == 0 && s->tx.state == TX_OPEN; /* its MULTI was let in */
    if (s->identity->authenticated || in_tx || now < s->client.let_in_until_ms)
        return ENTRY_FREE;
    entry = router_login_needed(s->host->router, &s->place, s->identity);
    if (entry == ENTRY_FREE)
        s->client.let_in_until_ms = now + LET_IN_MS;
    return entry;
}

bool session_takes_request(struct session *s, const char *data, const struct resp_request *parse)
{
    const char *error = complaint_of_whole(data, parse);
    if (!error || s->queue.count > 0 || verdict(s) != ENTRY_OTHER)
        return true; /* it is here already, and the node will say NOAUTH to it */
    session_protocol_error(s, error);
    return false;
}

static enum growth judge(struct session *s, const char *error)
{
    enum entrance entry = verdict(s);
    if (entry == ENTRY_FREE)
        return GROWTH_FREE;
    if (s->queue.count > 0)
        return GROWTH_AWAITS_ANSWERS;
    if (entry == ENTRY_NONE)
        return session_hold_partial(s);
    if (entry != ENTRY_OTHER)
        return GROWTH_AWAITS_NODE;
    session_protocol_error(s, error);
    return GROWTH_FREE;
}

void session_judge_partial(struct session *s)
{
    const struct partial *partial = s->client.partial;
    enum growth before = s->client.growth;
    const char *error =
        partial && !partial->skipped ? complaint(&partial->parse, partial->request->len) : NULL;
    s->client.growth = error ? judge(s, error) : GROWTH_FREE;
    if (before != s->client.growth && !life_closing(&s->life))
        session_update_interest(s);
}
