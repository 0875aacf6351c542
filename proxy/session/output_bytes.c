/* output_bytes: see the header. */
#include "session/output_bytes.h"

size_t session_kept_bytes(const struct session *s)
{
    size_t sum = 0;
    for (const struct list *it = s->queue.requests.next; it != &s->queue.requests; it = it->next)
        sum += buf_len(&session_const_request(it)->reply);
    return sum;
}

static void show(struct session *s, size_t now)
{
    s->host->output_bytes += now - s->client.waiting_bytes;
    s->client.waiting_bytes = now;
}

static void count(struct session *s, size_t now)
{
    size_t before = s->client.output_bytes;
    s->client.output_bytes = now;
    atomic_fetch_add_explicit(&s->host->stop.shared->unread_bytes, now - before,
                              memory_order_relaxed);
}

static size_t over_high(const struct session *s)
{
    size_t now = buf_len(&s->client.out) + session_kept_bytes(s);
    return now > s->host->options->output_high ? now : 0;
}

void session_show_output(struct session *s)
{
    size_t now = over_high(s);
    show(s, now);
    if (s->client.output_bytes > 0)
        count(s, now);
}

void session_count_output(struct session *s)
{
    size_t now = over_high(s);
    show(s, now);
    count(s, now);
}

void session_forget_output(struct session *s)
{
    show(s, 0);
    count(s, 0);
}
