/*
 * session_counted: WAIT and WAITAOF, which count the nodes that have what their own connection wrote.
 * A session's writes went over shared ones, so its lease is told something before that makes it count
 * everything up to now:
 *
 *     PING                          before 7.2 every command did
 *     SPUBLISH redisproxy:wait ""   since then only what goes to the replicas does; nobody hears it
 *
 * A user who may not do that is told so: any number would be a guess.
 */
#include "traffic/session_state.h"

#include <string.h>

static bool starts(const char *data, size_t len, const char *word)
{
    return len >= strlen(word) && memcmp(data, word, strlen(word)) == 0;
}

/* In the words of 7.0 it does no harm: there the PING was enough. */
static void on_mark_reply(struct request *mark, const char *data, size_t len, bool first, bool last)
{
    struct session *s = mark->owner_data;
    if (first)
        s->uncounted =
            starts(data, len, "-NOPERM ") && !starts(data, len, "-NOPERM this user has no ");
    if (last)
        request_free(&s->host->turn->requests, mark);
}

static void on_mark_failed(struct request *mark, enum request_failure why, const char *text)
{
    struct session *s = mark->owner_data;
    (void)why;
    (void)text;
    request_free(&s->host->turn->requests, mark);
}

static const struct request_owner mark_owner = {on_mark_reply, on_mark_failed};

void session_count_all(struct session *s, struct request *r)
{
    static const struct slice ping[] = {{"Ping", 4}};
    static const struct slice publish[] = {{"Spublish", 8}, {"redisproxy:wait", 15}, {"", 0}};
    struct buf bytes = {0};
    if (!s->wrote || s->listener->multiplexing == MULTIPLEXING_NO)
        return; /* nothing to count, or all of it went the same way */
    resp_append_command(&bytes, 1, ping);
    struct request *mark = request_new(&s->host->turn->requests, buf_len(&bytes));
    request_set_bytes(mark, buf_head(&bytes), buf_len(&bytes));
    upstream_submit(s->lease, mark);
    buf_consume(&bytes, buf_len(&bytes));
    resp_append_command(&bytes, 3, publish);
    mark = request_new(&s->host->turn->requests, buf_len(&bytes));
    request_set_bytes(mark, buf_head(&bytes), buf_len(&bytes));
    mark->owner = &mark_owner;
    mark->owner_data = s;
    upstream_submit(s->lease, mark);
    buf_free(&bytes);
    r->capture = true;
}

void session_counted(struct session *s, struct request *r)
{
    if (s->uncounted && r->reply_type != '-')
        session_settle(s, r,
                       "-NOPERM redisproxy: WAIT and WAITAOF need the permissions +spublish and "
                       "&redisproxy:wait\r\n");
}
