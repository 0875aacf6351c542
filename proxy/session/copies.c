/* copies: see the header. */
#include "session/copies.h"

#include "session/client.h"
#include "session/hooks.h"

#include <stdlib.h>

void copies_done(struct copies *copies)
{
    struct session_request *origin = copies->origin;
    if (--copies->left > 0)
        return;
    free(copies);
    if (!origin)
        return;
    origin->copies = NULL;
    if (origin->state == REQUEST_ANSWERED || origin->state == REQUEST_REJECTED) {
        struct session *s = origin->owner_data;
        barrier_lower(&s->barrier, BARRIER_COPIES, origin);
        session_mark_woken(s);
    }
}

static void copy_done(struct request *copy)
{
    struct copies *copies = copy->owner_data;
    request_free(copies->requests, copy);
    copies_done(copies);
}

static void on_reply(struct request *copy, const char *data, size_t len, bool first, bool last)
{
    (void)data;
    (void)len;
    (void)first;
    if (last)
        copy_done(copy);
}

static void on_failed(struct request *copy, enum request_failure why, const char *text)
{
    (void)why;
    (void)text;
    copy_done(copy);
}

const struct request_owner copies_owner = {on_reply, on_failed, NULL};

struct copies *copies_begin(struct session *s, struct session_request *r)
{
    struct copies *copies = calloc(1, sizeof(*copies));
    if (!copies)
        abort();
    copies->left = 1;
    copies->origin = r;
    copies->requests = session_pool(s);
    r->copies = copies;
    return copies;
}

void copies_wait_for_answer(struct copies *copies)
{
    copies->waits_for_answer = true;
    copies->left++;
}

void copies_answered(struct session_request *r)
{
    struct copies *copies = r->copies;
    if (!copies->waits_for_answer)
        return;
    copies->waits_for_answer = false;
    copies_done(copies);
}

void copies_sent(struct session *s, struct copies *copies)
{
    struct session_request *r = copies->origin;
    if (--copies->left == 0) {
        r->copies = NULL;
        free(copies);
        return;
    }
    barrier_raise(&s->barrier, BARRIER_COPIES, r);
}

void copies_forget(struct session_request *r)
{
    struct copies *copies = r->copies;
    copies->origin = NULL;
    r->copies = NULL;
    if (!copies->waits_for_answer)
        return;
    copies->waits_for_answer = false; /* nobody will hear it */
    copies_done(copies);
}

void session_forget_copies(struct session *s, struct session_request *r)
{
    if (r->copies)
        copies_forget(r);
    barrier_lower(&s->barrier, BARRIER_COPIES, r);
}
