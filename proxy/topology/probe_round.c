/*
 * probe_round: what a node is asked, and what its answers say.
 *
 * A round is PING, ROLE and INFO replication in one pipeline; the first round of a connection also asks for
 * min-replicas-to-write, and for the process' run id (a replica that was restarted as a master was not promoted).
 * Between two rounds a beat goes out: a ROLE, which is cheap, shows silence early, and calls for a round at once when
 * the role is another.
 *
 * The proxy's password is a secret, and an address is only what a Sentinel says: so a connection asks without the
 * password first. A node that answers shows whose data it has, and is shown the password when it is the group's; one
 * that asks for it gets it when a majority of the Sentinels names its address.
 *
 *     kept <----round----> wanted          (it answers, or refuses to, without the password)
 *      |                     |
 *      +-------> shown <-----+             (for the rest of this connection)
 *
 * probe.c calls this, and decides when. This file knows nothing of time, but for the instants that it notes.
 */
#include "topology/probe_state.h"

#include "base/log.h"
#include "base/state.h"
#include "topology/node_parse.h"
#include "topology/number.h"

#include <hiredis/hiredis.h>
#include <limits.h>
#include <string.h>

static const struct state_row password_rows[] = {
    [PASSWORD_KEPT] = {"kept", STATE_BIT(PASSWORD_KEPT) | STATE_BIT(PASSWORD_WANTED) |
                                   STATE_BIT(PASSWORD_SHOWN)},
    [PASSWORD_WANTED] = {"wanted", STATE_BIT(PASSWORD_KEPT) | STATE_BIT(PASSWORD_WANTED) |
                                       STATE_BIT(PASSWORD_SHOWN)},
    [PASSWORD_SHOWN] = {"shown", STATE_BIT(PASSWORD_KEPT)}, /* the next connection */
};
static const struct state_table password_table = STATE_TABLE("password of a probe", password_rows);

static void enter_password(struct probe *p, enum probe_password state)
{
    state_check(&password_table, p->password, state);
    p->password = (uint8_t)state;
}

void probe_set_suspect(struct probe *p, bool suspect)
{
    if (!suspect)
        p->silent_since = 0;
    if (p->suspect == suspect)
        return;
    p->suspect = suspect;
    p->options.callbacks->suspect(p->options.owner, p, suspect);
}

/* ---- asking ---- */

bool probe_round_ask(struct probe *p)
{
    static const char *const ping[] = {"Ping"}, *const role[] = {"Role"};
    static const char *const info[] = {"Info", "replication"};
    if (!control_conn_is_up(&p->conn) || !poll_begin(&p->round))
        return false;
    p->asked_ms = p->beat_ms = probe_clock(p);
    p->role_known = false;
    p->answer = (struct node_answer){.role = ROLE_UNKNOWN};
    control_conn_send(&p->conn, TAG_PING, 1, ping);
    control_conn_send(&p->conn, TAG_ROLE, 1, role);
    control_conn_send(&p->conn, TAG_INFO, 2, info);
    return true;
}

void probe_round_first(struct probe *p)
{
    static const char *const needed[] = {"Config", "GET", "min-replicas-to-write"};
    static const char *const server[] = {"Info", "server"};
    p->needed = -1;
    p->runid[0] = '\0';
    p->beating = false;
    poll_forget(&p->round);
    control_conn_send(&p->conn, TAG_NEEDED, 3, needed);
    control_conn_send(&p->conn, TAG_SERVER, 2, server);
    (void)probe_round_ask(p);
}

void probe_round_forget(struct probe *p)
{
    poll_forget(&p->round);
    p->beating = p->answered = false;
    enter_password(p, PASSWORD_KEPT);
}

void probe_beat(struct probe *p)
{
    static const char *const role[] = {"Role"}, *const server[] = {"Info", "server"};
    p->beating = true;
    p->beat_ms = probe_clock(p);
    if (p->closely)
        control_conn_send(&p->conn, TAG_LEAVING, 2, server);
    control_conn_send(&p->conn, TAG_BEAT, 1, role);
}

bool probe_show_password(struct probe *p)
{
    bool wanted = p->password == PASSWORD_WANTED && p->asked_for;
    if (p->password == PASSWORD_SHOWN || !p->conn.options.credential ||
        !control_conn_is_up(&p->conn) || !(wanted || (p->answered && p->freely)))
        return false;
    enter_password(p, PASSWORD_SHOWN);
    control_conn_login(&p->conn);
    return true;
}

/* ---- what it answers ---- */

static void take_leaving(struct probe *p, const redisReply *reply)
{
    char in_ms[32];
    bool leaving = reply->type == REDIS_REPLY_STRING &&
                   node_parse_info(in_ms, sizeof(in_ms), reply->str, "shutdown_in_milliseconds");
    if (p->leaving == leaving)
        return;
    p->leaving = leaving;
    p->options.callbacks->leaving(p->options.owner, p, leaving);
}

static void take_beat(struct probe *p, const redisReply *reply)
{
    struct node_answer answer = {.role = ROLE_UNKNOWN};
    struct endpoint master = {.port = 0};
    bool known = node_parse_role(&answer, &master, reply);
    p->beating = false;
    probe_set_suspect(p, false);
    if (known &&
        (answer.role != p->last.role || answer.link_connected != p->last.link ||
         master.port != p->last.master.port || strcmp(master.host, p->last.master.host) != 0))
        (void)probe_round_ask(p);
}

/* Says once, until an answer comes, that the node refuses to say what it is. */
static void log_refusal(struct probe *p, const redisReply *reply)
{
    char quoted[256];
    if (p->refusal_logged || reply->type != REDIS_REPLY_ERROR)
        return;
    p->refusal_logged = true;
    log_event(LOG_WARN,
              p->asked_for || !p->conn.options.credential
                  ? "a node does not answer ROLE and INFO"
                  : "a node that too few Sentinels name asks for the password, and is not told it",
              "group=%s node=%s error=%s", p->options.group, p->name,
              log_quote(quoted, sizeof(quoted), reply->str));
}

static void log_up(struct probe *p)
{
    if (!p->up_logged)
        log_event(LOG_INFO, "connected to a node", "group=%s node=%s", p->options.group, p->name);
    p->up_logged = true;
    p->logged[0] = '\0';
}

static void report(struct probe *p, const redisReply *info)
{
    p->refusal_logged = false;
    node_parse_replication(&p->answer, info->str, p->needed);
    memcpy(p->answer.runid, p->runid, sizeof(p->runid));
    p->options.callbacks->answer(p->options.owner, p, &p->answer, p->asked_ms);
}

static void round_done(struct probe *p, const redisReply *reply)
{
    bool good = reply->type == REDIS_REPLY_STRING && p->role_known;
    bool again = poll_end(&p->round);
    if (p->password != PASSWORD_SHOWN)
        enter_password(p, good ? PASSWORD_KEPT : PASSWORD_WANTED);
    probe_set_suspect(p, false);
    if (!good && probe_show_password(p))
        return;
    p->answered = true;
    log_up(p);
    if (good)
        report(p, reply);
    else
        log_refusal(p, reply);
    if (!probe_show_password(p) && again && !poll_is_open(&p->round))
        (void)probe_round_ask(p);
}

static void take_needed(struct probe *p, const redisReply *reply)
{
    p->needed = -1;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->str)
        p->needed = (int)number_of(reply->element[1]->str, INT_MAX);
}

static void take_server(struct probe *p, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING)
        (void)node_parse_info(p->runid, sizeof(p->runid), reply->str, "run_id");
    take_leaving(p, reply);
}

static void take_role(struct probe *p, const redisReply *reply)
{
    struct endpoint master = {.port = 0};
    p->role_known = node_parse_role(&p->answer, &master, reply);
    p->last.role = p->answer.role;
    p->last.link = p->answer.link_connected;
    p->last.master = master;
    if (!p->role_known && (p->password == PASSWORD_SHOWN || !p->conn.options.credential))
        log_refusal(p, reply);
    else if (p->answer.role == ROLE_REPLICA)
        (void)names_lookup(p->options.names, &master, &p->answer.master);
}

bool probe_round_take(struct probe *p, int tag, const struct redisReply *reply)
{
    if (tag == TAG_NEEDED)
        take_needed(p, reply);
    else if (tag == TAG_LEAVING)
        take_leaving(p, reply);
    else if (tag == TAG_SERVER)
        take_server(p, reply);
    else if (tag == TAG_PING)
        p->answer.unready = node_parse_unready(reply);
    else if (tag == TAG_ROLE)
        take_role(p, reply);
    else if (tag == TAG_INFO)
        round_done(p, reply);
    else if (tag == TAG_BEAT)
        take_beat(p, reply);
    return tag == TAG_INFO || tag == TAG_BEAT;
}
