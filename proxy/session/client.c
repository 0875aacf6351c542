/* client: see the header. */
#include "session/client.h"

void session_mark_dirty(struct session *s)
{
    if (!list_linked(&s->in_dirty))
        list_append(&s->host->turn->dirty_sessions, &s->in_dirty);
}

void session_mark_woken(struct session *s)
{
    if (!list_linked(&s->in_woken) && !life_closing(&s->life))
        list_append(&s->host->turn->woken, &s->in_woken);
}

void session_put(struct session *s, const char *bytes, size_t len)
{
    if (!s->client.out.data)
        buf_take(&s->client.out, &s->host->turn->stock);
    buf_append(&s->client.out, bytes, len);
    session_mark_dirty(s);
}

struct session *session_find(struct session_host *host, uint64_t id)
{
    for (struct list *it = host->sessions.next; it != &host->sessions; it = it->next) {
        struct session *s = container_of(it, struct session, in_host);
        if (s->id == id)
            return s;
    }
    return NULL;
}

void session_quits(struct session *s, struct session_request *r)
{
    r->close_after = true;
    life_advance(&s->life, LIFE_QUITTING);
    session_mark_dirty(s); /* so that the stream hears that nothing is read any more */
}
