/*
 * probe_fence: the orders of the fence (election_fence.c decides, fence.c has the commands) on a probe's connection.
 *
 * When all is paused the connection monitors: such a one is exempt from a pause, and can take it back. What it hears of
 * others meanwhile is dropped, and the connection is renewed when that time is over.
 *
 *     CUT, not exempt yet:  MONITOR, then the order          -> exempt, until FENCE_DEMOTE or the pause's end
 *     CUT, exempt:          UNPAUSE, and when that is answered the order: everybody had a turn in between
 *     DEMOTE, exempt:       UNPAUSE and RESET, then the order -> a client like others again
 *
 * probe.c calls this, and knows while `fence.until_ms` is ahead that the node's silence means nothing.
 */
#include "topology/probe_state.h"

#include "base/log.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define ANSWER_MS 250 /* no answer: somebody else has paused it, and the order is withdrawn */

static void fence_answered(struct probe *p, const redisReply *reply)
{
    p->fence.sent_ms = 0;
    if (reply->type == REDIS_REPLY_ERROR && !p->fence.refused) {
        p->fence.refused = true;
        p->fence.until_ms = 0;
        p->options.callbacks->unfenced(p->options.owner, p, reply->str);
    }
}

static void demote_answered(struct probe *p, const redisReply *reply)
{
    char quoted[256];
    p->fence.sent_ms = 0;
    if (reply->type == REDIS_REPLY_ERROR)
        log_event(LOG_WARN, "the old master did not carry out all of its demotion",
                  "group=%s node=%s error=%s", p->options.group, p->name,
                  log_quote(quoted, sizeof(quoted), reply->str));
}

static void send_order(struct probe *p, int tag, const struct fence_order *order)
{
    p->fence.sent_ms = probe_clock(p);
    p->fence.refused = false;
    if (order->act == FENCE_CUT)
        p->fence.until_ms = probe_clock(p) + order->ms;
    fence_send(&p->conn, tag, order);
}

bool probe_fence(struct probe *p, const struct fence_order *order)
{
    static const struct fence_order lift = {.act = FENCE_LIFT};
    if (!control_conn_is_up(&p->conn))
        return false;
    p->fence.cut = *order;
    if (order->act == FENCE_CUT && p->fence.exempt && !order->extend) {
        send_order(p, TAG_LIFTED, &lift);
        return true;
    }
    control_conn_cork(&p->conn, true);
    if (order->act == FENCE_CUT && !p->fence.exempt)
        fence_exempt(&p->conn, TAG_EXEMPT);
    if (order->act == FENCE_DEMOTE && p->fence.exempt)
        fence_end_exemption(&p->conn, TAG_RESET);
    send_order(p, order->act == FENCE_DEMOTE ? TAG_DEMOTE : TAG_FENCE, order);
    if (order->act != FENCE_CUT)
        p->fence.until_ms = p->fence.exempt ? probe_clock(p) : 0;
    control_conn_cork(&p->conn, false);
    return true;
}

/* What a monitor hears of others begins with a time; Redis' own words of state begin with a letter. */
bool probe_fence_overhears(const struct probe *p, const struct redisReply *reply)
{
    return p->fence.exempt && reply->type == REDIS_REPLY_STATUS && reply->str[0] >= '0' &&
           reply->str[0] <= '9';
}

void probe_fence_take(struct probe *p, int tag, const struct redisReply *reply)
{
    if (tag == TAG_EXEMPT)
        p->fence.exempt = reply->type != REDIS_REPLY_ERROR;
    else if (tag == TAG_RESET)
        p->fence.exempt = p->fence.exempt && strcmp(reply->str ? reply->str : "", "RESET") != 0;
    else if (tag == TAG_FENCE)
        fence_answered(p, reply);
    else if (tag == TAG_DEMOTE)
        demote_answered(p, reply);
    else if (tag == TAG_LIFTED)
        send_order(p, TAG_FENCE, &p->fence.cut);
}

void probe_fence_look(struct probe *p)
{
    int64_t now = probe_clock(p);
    bool owed = p->fence.sent_ms && now - p->fence.sent_ms >= ANSWER_MS;
    bool over = p->fence.exempt && !p->fence.sent_ms && now >= p->fence.until_ms;
    if (control_conn_is_up(&p->conn) && (owed || over))
        control_conn_fail(&p->conn,
                          owed ? "it does not answer an order of the fence" : "the fence is over");
}

void probe_fence_forget(struct probe *p)
{
    p->fence.sent_ms = 0;
    p->fence.exempt = false;
}
