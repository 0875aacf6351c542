/*
 * handshake_command: one command of a handshake is a request with a step. The step's answered() gets the whole reply, when
 * the request is gone already. The handshake is freed behind the last of its commands: so no step may send nothing and
 * leave the upstream neither READY nor CLOSED.
 *
 * All of them count as secret: what they hold is wiped.
 */
#include "nodes/handshake_state.h"

#include <stdio.h>
#include <stdlib.h>

static void command_ended(struct handshake *h)
{
    if (--h->unanswered > 0)
        return;
    credential_release(h->own);
    free(h);
}

void handshake_on_reply(struct request *request, const char *data, size_t len, bool first,
                        bool last)
{
    struct handshake *h = request->owner_data;
    const struct step *step = container_of(request->owner, struct step, owner);
    struct buf reply;
    (void)first;
    buf_append(&request->reply, data, len);
    if (!last)
        return;
    reply = request->reply;
    request->reply = (struct buf){0};
    request_free(&h->up->turn->requests, request);
    step->answered(h, &reply);
    buf_free(&reply);
    command_ended(h);
}

void handshake_on_failed(struct request *request, enum request_failure why, const char *text)
{
    struct handshake *h = request->owner_data;
    (void)why;
    (void)text;
    request_free(&h->up->turn->requests, request);
    command_ended(h);
}

void handshake_send(struct handshake *h, const struct step *step, struct slice bytes)
{
    struct request *request = request_own(&h->up->turn->requests, bytes, &step->owner, h);
    request->secret = true;
    h->unanswered++;
    upstream_send_own(h->up, request);
}

void handshake_send_words(struct handshake *h, const struct step *step, const char *one,
                          const char *two)
{
    struct slice argv[2] = {{one, strlen(one)}, {two, two ? strlen(two) : 0}};
    struct buf command = {0};
    resp_append_command(&command, two ? 2 : 1, argv);
    handshake_send(h, step, buf_slice(&command));
    buf_free(&command);
}

/* The reply's first line, without '-' and line end. */
const char *reply_error_line(const struct buf *reply, char *out, size_t size)
{
    const char *line = buf_head(reply) + 1;
    size_t len = strcspn(line, "\r\n");
    snprintf(out, size, "%.*s", (int)len, line);
    return out;
}
