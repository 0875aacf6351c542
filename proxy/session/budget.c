/* budget: see the header. */
#include "session/budget.h"

bool session_budget_lets(const struct session *s)
{
    bool grows =
        s->client.partial && s->queue.count == 0; /* the request that has not come wholly */
    if (s->host->budget_spent)
        return grows && s->host->growing == s;
    return grows || s->queue.bytes < AHEAD_BYTES;
}

void session_charge_partial(struct session *s)
{
    struct partial *partial = s->client.partial;
    size_t now = request_cost(partial->request);
    queue_charge(&s->queue, now - partial->charged);
    partial->charged = now;
}

void session_discharge_partial(struct session *s)
{
    queue_discharge(&s->queue, s->client.partial->charged);
    s->client.partial->charged = 0;
}

void session_watch_budget(struct session *s)
{
    bool starves = life_reads(&s->life) && !session_has_budget(s);
    if (!starves)
        list_remove(&s->client.in_starved);
    else if (!list_linked(&s->client.in_starved))
        list_append(&s->host->starved, &s->client.in_starved);
}
