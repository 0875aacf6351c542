/* mover: see the header. */
#include "session/mover.h"

#include "nodes/upstream.h"
#include "session/interest.h"
#include "session/life.h"
#include "session/move.h"
#include "session/state.h"

/* So many are not read at a time, and for at most so long: then others' turn has come. */
#define STOPPING_MAX 64
#define STOPPING_MS 100
/* How often all are looked at. */
#define LOOK_MS 10
/* What sending one is worth of a turn (turn_took()). */
#define SEND_STEPS 16

void session_mover_init(struct session_mover *mover)
{
    *mover = (struct session_mover){0};
    session_walk_init(&mover->walk);
    list_init(&mover->stopping);
    list_init(&mover->sent);
}

void session_mover_begin(struct session_mover *mover, struct session_host *host,
                         int (*send)(void *arg, const struct buf *packed, const int *fds,
                                     int fd_count),
                         void *arg)
{
    mover->send = send;
    mover->arg = arg;
    mover->active = true;
    mover->next_ms = 0;
    host->hands_over = true;
}

static struct session *mover_session(struct list *it)
{
    return container_of(it, struct session, in_move);
}

/* ---- not read ---- */

static void stop_reading(struct session_mover *mover, struct session *s)
{
    s->move = MOVE_STOPPING;
    s->move_since_ms = turn_now(s->host->turn);
    s->client.unread |= UNREAD_MOVES;
    list_append(&mover->stopping, &s->in_move);
    s->host->stopping++;
    session_update_interest(s);
}

static void leave_list(struct session *s)
{
    list_remove(&s->in_move);
    s->host->stopping -= s->move == MOVE_STOPPING;
}

/* It is served as ever; `next`: whether it may be tried again. */
static void serve_on(struct session *s, enum session_move next)
{
    bool was_sent = s->move == MOVE_SENT;
    leave_list(s);
    s->move = next;
    s->client.unread &= (uint8_t)~UNREAD_MOVES;
    if (was_sent && s->lease.upstream)
        upstream_pause(s->lease.upstream, false);
    session_update_interest(s);
}

/* ---- sending ---- */

static void send_one(struct session_mover *mover, struct session *s)
{
    struct buf packed = {0};
    int fds[2];
    bool fits = session_pack(s, &packed, &fds[0], &fds[1]);
    int error = fits ? mover->send(mover->arg, &packed, fds, fds[1] < 0 ? 1 : 2) : 0;
    buf_wipe(&packed);
    turn_took(s->host->turn, SEND_STEPS);
    if (!fits) {
        serve_on(s, MOVE_REFUSED);
    } else if (!error) {
        leave_list(s);
        s->move = MOVE_SENT;
        list_append(&mover->sent, &s->in_move);
        if (s->lease.upstream)
            upstream_pause(s->lease.upstream, true);
    }
}

static void look_at_stopping(struct session_mover *mover, struct session_host *host)
{
    int64_t now = turn_now(host->turn);
    list_each (it, &mover->stopping) {
        struct session *s = mover_session(it);
        if (turn_spent(host->turn))
            return;
        if (session_may_move(s))
            send_one(mover, s);
        else if (now - s->move_since_ms >= STOPPING_MS || !session_is_movable(s) ||
                 (s->queue.count == 0 && !session_nears_move(s)))
            serve_on(s, MOVE_NONE);
    }
}

static bool visit(void *data, struct session *s)
{
    struct session_mover *mover = data;
    if (s->move != MOVE_NONE || !session_is_movable(s) || !session_nears_move(s))
        return true;
    stop_reading(mover, s);
    if (session_may_move(s))
        send_one(mover, s);
    return s->host->stopping < STOPPING_MAX;
}

bool session_mover_turn(struct session_mover *mover, struct session_host *host)
{
    if (!mover->active)
        return false;
    turn_renew(host->turn);
    look_at_stopping(mover, host);
    if (list_linked(&mover->walk.in_host) || turn_now(host->turn) >= mover->next_ms) {
        mover->next_ms = turn_now(host->turn) + LOOK_MS;
        if (host->stopping < STOPPING_MAX)
            (void)session_walk(&mover->walk, host, visit, mover);
    }
    return list_linked(&mover->walk.in_host) && host->stopping < STOPPING_MAX;
}

/* ---- what comes of it ---- */

void session_mover_answered(struct session_mover *mover, uint64_t id, bool taken)
{
    list_each (it, &mover->sent) {
        struct session *s = mover_session(it);
        if (s->id != id)
            continue;
        if (taken) {
            mover->moved++;
            session_close(s, CLOSED_MOVED, "it was handed over");
        } else {
            serve_on(s, MOVE_REFUSED);
        }
        return;
    }
}

void session_mover_end(struct session_mover *mover, struct session_host *host)
{
    struct list *lists[] = {&mover->stopping, &mover->sent};
    mover->active = host->hands_over = false;
    session_walk_end(&mover->walk);
    for (int i = 0; i < 2; i++)
        while (!list_empty(lists[i]))
            serve_on(mover_session(lists[i]->next), MOVE_NONE);
    list_each (it, &host->sessions)
        container_of(it, struct session, in_host)->move = MOVE_NONE;
}
