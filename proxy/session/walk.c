/* walk: see the header. */
#include "session/walk.h"

#include "session/state.h"

/* A visit may be some system calls: what it is worth of a turn. */
#define VISIT_STEPS 8

void session_walk_init(struct session_walk *walk)
{
    list_init(&walk->in_host);
    walk->next = NULL;
}

void session_walk_end(struct session_walk *walk)
{
    list_remove(&walk->in_host);
}

static bool is_under_way(const struct session_walk *walk, const struct session_host *host)
{
    return list_linked(&walk->in_host) && walk->next != &host->sessions;
}

bool session_walk(struct session_walk *walk, struct session_host *host, session_visitor *visitor,
                  void *data)
{
    bool spent = false;
    if (!list_linked(&walk->in_host)) {
        walk->next = host->sessions.next;
        list_append(&host->walks, &walk->in_host);
    }
    while (!spent && is_under_way(walk, host)) {
        struct session *s = container_of(walk->next, struct session, in_host);
        walk->next = walk->next->next;
        if (!visitor(data, s))
            walk->next = &host->sessions;
        turn_took(host->turn, VISIT_STEPS);
        spent = turn_spent(host->turn);
    }
    if (is_under_way(walk, host))
        return false;
    session_walk_end(walk);
    return true;
}

void session_walks_pass(struct session *s)
{
    for (struct list *it = s->host->walks.next; it != &s->host->walks; it = it->next) {
        struct session_walk *walk = container_of(it, struct session_walk, in_host);
        if (walk->next == &s->in_host)
            walk->next = s->in_host.next;
    }
}
