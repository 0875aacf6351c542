/*
 * session_verbs: what a session performs itself, because it is about the
 * client's connection, which no node has.
 */
#include "traffic/session_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool session_verb_is_local(uint8_t verb)
{
    return verb != VERB_AUTH && verb != VERB_HELLO && verb != VERB_SELECT;
}

/* DISCARD went instead of EXEC. It may fail as EXEC would have: the node took no MULTI. */
static void rewrite_discarded(struct session *s, struct request *r)
{
    const char *reply = buf_head(&r->reply), *name;
    size_t len = buf_len(&r->reply);
    struct buf whole = {0};
    if (r->reply_type != '-') {
        session_settle(s, r, "-EXECABORT Transaction discarded because of previous errors.\r\n");
        return;
    }
    name = memmem(reply, len, "DISCARD", 7);
    if (!name)
        name = memmem(reply, len, "discard", 7);
    if (!name)
        return;
    buf_append(&whole, reply, (size_t)(name - reply));
    buf_append(&whole, *name == 'D' ? "EXEC" : "exec", 4);
    buf_append(&whole, name + 7, (size_t)(reply + len - name) - 7);
    buf_free(&r->reply);
    r->reply = whole;
}

void session_rewrite_number(struct request *r, const char *at, uint64_t number)
{
    const char *reply = buf_head(&r->reply), *end = reply + buf_len(&r->reply);
    struct buf whole = {0};
    buf_append(&whole, reply, (size_t)(at - reply));
    buf_printf(&whole, "%" PRIu64, number);
    while (at < end && *at != '\r')
        at++;
    buf_append(&whole, at, (size_t)(end - at));
    buf_free(&r->reply);
    r->reply = whole;
}

static void exec_answered(struct session *s, struct request *r, const struct upstream *from)
{
    session_exec_answered(s, r);
    if (r->scans)
        session_scan_executed(s, r, from);
}

void session_rewrite_reply(struct session *s, struct request *r, const struct upstream *from)
{
    if (r->read_form) { /* a node without EVAL_RO (6.2): who knows what EVAL would write */
        session_settle(s, r, "-READONLY You can't write against a read only replica.\r\n");
        return;
    }
    switch (r->command->verb) {
    case VERB_HELLO:
        session_hello_answered(s, r);
        break;
    case VERB_INFO:
        session_info_answered(s, r, from);
        break;
    case VERB_CLIENT_REDIR:
        session_rewrite_redirect(s, r);
        break;
    case VERB_WAIT:
        session_counted(s, r);
        break;
    case VERB_EXEC:
        if (r->discards)
            rewrite_discarded(s, r);
        else
            exec_answered(s, r, from);
        break;
    default:
        break;
    }
}

/* ---- CLIENT ---- */

const char *session_bad_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < '!' || name.data[i] > '~')
            return "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
    return NULL;
}

void session_set_name(struct session *s, struct slice name)
{
    free(s->name);
    s->name = name.data ? strndup(name.data, name.len) : NULL;
    s->lease_named = false;
}

static void client_setname(struct session *s, struct request *r)
{
    struct slice name = session_arg(r, 2);
    const char *error = session_bad_name(name);
    if (error) {
        session_answer(s, r, error);
        return;
    }
    session_set_name(s, name);
    session_answer(s, r, "+OK\r\n");
}

static void client_getname(struct session *s, struct request *r)
{
    if (s->name && *s->name)
        session_answerf(s, r, "$%zu\r\n%s\r\n", strlen(s->name), s->name);
    else
        session_answer(s, r, s->identity->resp3 ? "_\r\n" : "$-1\r\n");
}

static void client_reply(struct session *s, struct request *r)
{
    struct slice mode = session_arg(r, 2);
    if (slice_is(mode, "on")) {
        s->reply_off = s->reply_skip = r->silent = false;
        session_answer(s, r, "+OK\r\n");
    } else if (slice_is(mode, "off")) {
        s->reply_off = r->silent = true;
        session_answer(s, r, "+OK\r\n");
    } else if (slice_is(mode, "skip")) {
        s->reply_skip = !s->reply_off;
        r->silent = true;
        session_answer(s, r, "+OK\r\n");
    } else {
        session_answer(s, r, "-ERR syntax error\r\n");
    }
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

/* ---- RESET, QUIT ---- */

static enum step reset(struct session *s, struct request *r)
{
    if (s->inflight > 0)
        return STEP_WAIT;
    session_forget_subscriptions(s);
    session_forget_kept(s);
    s->monitoring = s->sticky = s->watching = s->watch_broken = s->tx_refused = false;
    if (s->reply_off)
        r->silent = false; /* but not when it is the one to be skipped */
    s->reply_off = s->reply_skip = s->auth_not_needed = false;
    session_tx_forget(s); /* before its repetition is given up with the lease */
    session_lease_drop(s);
    s->tx = TX_NONE;
    identity_release(s->identity);
    s->identity = identity_nobody(router_identities(s->host->router));
    router_entered(&s->place, NULL);
    session_set_name(s, (struct slice){NULL, 0});
    session_answer(s, r, "+RESET\r\n");
    return STEP_ON;
}

static enum step quit(struct session *s, struct request *r)
{
    if (s->inflight > 0)
        return STEP_WAIT;
    r->close_after = s->quitting = true;
    session_answer(s, r, "+OK\r\n");
    return STEP_ON;
}

void session_perform_permitted(struct session *s, struct request *r)
{
    switch (r->command->verb) {
    case VERB_CLIENT_GETNAME:
        client_getname(s, r);
        break;
    case VERB_CLIENT_SETNAME:
        client_setname(s, r);
        break;
    case VERB_CLIENT_REPLY:
        client_reply(s, r);
        break;
    default:
        session_answer(s, r, "+OK\r\n"); /* SETINFO */
    }
}

static void knock_told(struct session *s, struct request *r, const struct upstream *from,
                       struct slice reply)
{
    (void)from;
    if (!s->auth_not_needed)
        session_answer_bytes(s, r, reply.data, reply.len);
}

/* Redis answers NOAUTH where a password is asked for: the session may not answer before it knows. */
static enum step knock(struct session *s, struct request *r)
{
    static const char question[] = "*2\r\n$6\r\nCLIENT\r\n$7\r\nGETNAME\r\n";
    return session_ask(s, r, false, (struct slice){question, sizeof(question) - 1}, knock_told);
}

static enum step perform_client(struct session *s, struct request *r)
{
    if (r->command->verb == VERB_CLIENT_UNBLOCK)
        return s->identity->authenticated || s->auth_not_needed ? session_client_unblock(s, r)
                                                                : knock(s, r);
    if (r->command->verb >= VERB_CLIENT_ID && r->command->verb <= VERB_CLIENT_KILL)
        return session_perform_clients(s, r); /* their own question says as much */
    return session_perform_if_permitted(s, r);
}

enum step session_perform(struct session *s, struct request *r)
{
    if (!command_arity_ok(r->command, r->argc)) {
        session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n",
                        r->command->name);
        return STEP_ON;
    }
    switch (r->command->verb) {
    case VERB_AUTH:
    case VERB_HELLO:
    case VERB_SELECT:
        return session_perform_adoption(s, r);
    case VERB_QUIT:
        return quit(s, r);
    case VERB_RESET:
        return reset(s, r);
    default:
        return perform_client(s, r);
    }
}
