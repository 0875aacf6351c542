/*
 * scripts: EVAL, EVALSHA and FCALL. Redis keeps the texts of scripts in memory and does not replicate them: a client
 * that sends EVALSHA with the hash of a text gets NOSCRIPT from a node that was promoted or restarted since the text
 * was loaded. Behind the proxy no client shall see a NOSCRIPT that a failover caused. So the texts that go by are
 * remembered (nodes/scripts.h) when the node has answered them, and a node that lacks one is sent SCRIPT LOAD, in the name of the user who needs it.
 *
 * A node counts as having a script from the moment in which it has answered a SCRIPT LOAD, until the next switch, or
 * until a connection to it is lost. When it does not count so:
 *
 *     EVALSHA             SCRIPT LOAD is sent before it on the same lease; other sessions wait for the answer
 *     EVALSHA in MULTI    on the lease SCRIPT LOAD would be queued, too: it goes over a shared connection of
 *                         the same user, and EXEC waits for its answer
 *
 * A new master is sent the scripts that were used last before anything else comes to it from a user who uses
 * scripts: what follows on that connection stands behind them.
 *
 * No error reply makes the proxy send a script again, whatever it says: the script itself may have said it, and may
 * have written something before. So a NOSCRIPT that comes all the same is passed on; Redis would have said it, too,
 * for somebody has flushed the node's scripts. A user who may not SCRIPT LOAD goes without all this.
 *
 * Any session may ask for a script that another one has brought: a text that is new to a worker visits the others.
 * Functions (FCALL) need none of this, for Redis replicates them. On the read port all three are sent in their
 * read-only form.
 */
#include "commands/scripts.h"

#include "nodes/router.h"
#include "nodes/scripts.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/requests.h"
#include "session/send.h"

#include <stdlib.h>
#include <string.h>

/* ---- the read port ---- */

/* EVAL, EVALSHA, FCALL become EVAL_RO, ...: Redis itself refuses a write inside them. */
static void make_read_only_form(struct session *s, struct session_request *r)
{
    struct slice name = session_arg(r, 0);
    struct buf whole = {0};
    char form[32];
    int len = snprintf(form, sizeof(form), "%.*s_RO", (int)name.len, name.data);
    resp_append_replaced(&whole, (struct slice){r->data, r->len}, 0,
                         (struct slice){form, (size_t)len});
    session_rewrite(s, r, &whole);
    buf_free(&whole);
    r->read_form = true;
    r->write = false;
}

void script_seen(struct session *s, struct session_request *r)
{
    bool reads = r->command->flags & COMMAND_READONLY;
    r->script = true;
    r->write = !reads;
    if (s->place.route == ROUTE_REPLICA && !reads)
        make_read_only_form(s, r);
}

/* A node without EVAL_RO (6.2) has answered that it knows no such command. EVAL itself might write: it is refused. */
void script_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    (void)from;
    if (r->capture && r->read_form)
        session_settle(s, r, "-READONLY You can't write against a read only replica.\r\n");
}

/* The scripts that this worker knows of the session's group. */
static struct scripts *scripts_of(const struct session *s)
{
    return s->host->scripts[s->place.group];
}

/* ---- remembering ---- */

/* A script's text, on its way to the other workers. */
struct news {
    struct relay relay;
    size_t group, len;
    char text[];
};

static bool news_visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    const struct news *news = container_of(relay, struct news, relay);
    (void)scripts_saw(there->scripts[news->group], (struct slice){news->text, news->len});
    return true;
}

static void news_drop(struct relay *relay)
{
    free(container_of(relay, struct news, relay));
}

void script_remember(struct session *s, struct slice text)
{
    struct news *news;
    if (!scripts_saw(scripts_of(s), text) || s->host->stop.shared->worker_count == 1)
        return;
    news = calloc(1, sizeof(*news) + text.len);
    if (!news)
        abort();
    news->relay = (struct relay){.visit = news_visit, .drop = news_drop};
    news->group = s->place.group;
    news->len = text.len;
    memcpy(news->text, text.data, text.len);
    relay_start(&news->relay, &s->host->stop);
}

/* ---- loading ---- */

/* So many bytes of texts a new master is sent before anything else comes to it; the others when they are needed. */
#define RECENT_MAX ((size_t)1024 * 1024)

/* So often a SCRIPT LOAD for an open transaction is tried, when its node answers with an error. */
#define TRIES_MAX 4

/* A SCRIPT LOAD of the proxy's own, while it is unanswered. */
struct load {
    struct session_host *host;
    size_t group;
    uint64_t node;
    const struct upstream *on;
    const struct identity *user; /* only compared, not kept alive */
    bool later;                  /* the node is in a state that will be over */
    char sha[40];
};

static void load_ended(struct request *r, enum script_state now)
{
    struct load *load = r->owner_data;
    struct list *waiting, *waiters = &load->host->script_waiters;
    scripts_loaded(load->host->scripts[load->group], (struct slice){load->sha, sizeof(load->sha)},
                   load->node, load->on, now, load->user);
    while ((waiting = list_take(waiters)))
        session_mark_woken(container_of(waiting, struct session, special.in_script_wait));
    request_free(&load->host->turn->requests, r);
    free(load);
}

/* The three errors are about the node's state, which will be over; all others are about the user, or the text. */
static void on_load_reply(struct request *r, const char *data, size_t len, bool first, bool last)
{
    struct load *load = r->owner_data;
    if (first)
        load->later = resp_starts(data, len, "-BUSY ") || resp_starts(data, len, "-LOADING ") ||
                      resp_starts(data, len, "-MASTERDOWN ");
    if (first)
        r->reply_type = data[0];
    if (last)
        load_ended(r, load->later            ? SCRIPT_MISSING
                      : r->reply_type == '-' ? SCRIPT_REFUSED
                                             : SCRIPT_THERE);
}

static void on_load_failed(struct request *r, enum request_failure why, const char *text)
{
    (void)text;
    load_ended(r, why == REQUEST_REFUSED ? SCRIPT_REFUSED : SCRIPT_MISSING);
}

static const struct request_owner load_owner = {on_load_reply, on_load_failed, NULL};

static void load_on(struct session *s, struct slice sha, struct upstream *to)
{
    struct slice argv[3] = {{"SCRIPT", 6}, {"LOAD", 4}, scripts_text(scripts_of(s), sha)};
    struct load *load = calloc(1, sizeof(*load));
    if (!load)
        abort();
    *load = (struct load){.host = s->host,
                          .group = s->place.group,
                          .node = upstream_node(to),
                          .on = to,
                          .user = s->identity};
    memcpy(load->sha, sha.data, sizeof(load->sha));
    scripts_load(scripts_of(s), sha, load->node, to);
    upstream_submit(to, request_own_words(session_pool(s), 3, argv, &load_owner, load));
}

/* Loads the script over a shared connection to the node of the session's lease. Returns false when there is none. */
static bool load_beside(struct session *s, struct slice sha)
{
    enum target_role role = s->place.route == ROUTE_REPLICA ? TARGET_REPLICA : TARGET_MASTER;
    struct upstream *up = router_shared(s->host->router, &s->place, role, s->identity);
    if (!up || !upstream_same_node(up, s->lease.upstream))
        return false;
    load_on(s, sha, up);
    return true;
}

static enum script_state state_at_lease(struct session *s, struct slice sha, const void **on)
{
    return scripts_at(scripts_of(s), sha, upstream_node(s->lease.upstream), s->identity, on);
}

static enum step wait_for_load(struct session *s)
{
    if (!list_linked(&s->special.in_script_wait))
        list_append(&s->host->script_waiters, &s->special.in_script_wait);
    return STEP_WAIT;
}

/* ---- a new master ---- */

/* Who is told the recent scripts, and for whom. */
struct telling {
    struct session *s;
    struct upstream *to;
};

static void tell(void *data, struct slice sha)
{
    const struct telling *telling = data;
    load_on(telling->s, sha, telling->to);
}

void script_tell_new_master(struct session *s, const struct session_request *r, struct upstream *to)
{
    struct telling telling = {s, to};
    if (r->in_tx || r->ends_tx || r->login || (session_subscribed(s) && !s->identity->resp3))
        return;
    if (!scripts_told(scripts_of(s), upstream_node(to)))
        scripts_each_recent(scripts_of(s), upstream_node(to), s->identity, RECENT_MAX, tell,
                            &telling);
}

/* ---- transactions ---- */

/* Whether EXEC has to wait for a script that this part of its transaction needs. */
static bool is_awaited(struct session *s, const struct session_request *part)
{
    struct slice sha;
    const void *on;
    if (part->command->verb != VERB_EVALSHA)
        return false;
    sha = session_arg(part, 1);
    switch (state_at_lease(s, sha, &on)) {
    case SCRIPT_LOADING:
        return true;
    case SCRIPT_MISSING:
        return s->tx.script_tries++ < TRIES_MAX && load_beside(s, sha);
    default:
        return false;
    }
}

static enum step wait_for_parts(struct session *s, struct session_request *exec)
{
    bool wait = false;
    exec->scripts |= s->tx.scripts;
    if (!exec->scripts)
        return STEP_ON;
    for (struct list *it = s->tx.log.next; it != &s->tx.log; it = it->next)
        wait |= is_awaited(s, session_request(it));
    for (struct list *it = s->queue.requests.next; it != &exec->in_session; it = it->next) {
        const struct session_request *part = session_request(it);
        wait |= part->in_tx && is_awaited(s, part);
    }
    if (wait)
        return wait_for_load(s);
    s->tx.script_tries = 0;
    return STEP_ON;
}

/* ---- commands ---- */

/* In RESP2 Redis refuses scripts of a subscriber: then nothing is loaded for them. */
static bool subscriber_may_not(const struct session *s)
{
    return session_subscribed(s) && !s->identity->resp3;
}

enum step evalsha_prepare(struct session *s, struct session_request *r)
{
    struct slice sha = session_arg(r, 1);
    const void *on;
    enum script_state state;
    if (subscriber_may_not(s))
        return STEP_ON;
    state = state_at_lease(s, sha, &on);
    s->identity->scripted = true;
    if (s->tx.state == TX_OPEN) { /* loaded already now, so that EXEC need not wait */
        if (state == SCRIPT_MISSING)
            (void)load_beside(s, sha);
        return STEP_ON;
    }
    if (state == SCRIPT_LOADING && on != s->lease.upstream)
        return wait_for_load(s);
    if (state == SCRIPT_MISSING)
        load_on(s, sha, s->lease.upstream);
    return STEP_ON;
}

/* Nothing is kept before it is known that its user may: or anybody who can connect could fill the memory for texts, and
 * drive out those of others. An error may be the script's own. Inside MULTI it was queued, which Redis does not do for
 * who may not, either. */
void eval_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    if (!session_was_refused(s, r) && !subscriber_may_not(s))
        script_remember(s, session_arg(r, 1));
    script_answered(s, r, from);
}

enum step script_exec_prepare(struct session *s, struct session_request *exec)
{
    return subscriber_may_not(s) || s->tx.state != TX_OPEN ? STEP_ON : wait_for_parts(s, exec);
}
