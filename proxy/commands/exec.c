/*
 * exec: the answer of EXEC, when the transaction holds commands that the session performs itself (SELECT, CLIENT
 * SETNAME, CLIENT ID, ...). Inside MULTI Redis only queues a command, and executes it with EXEC. So these are queued
 * at the node like all others, and the node executes them on the lease. What they mean for the session takes effect
 * when EXEC is answered: the answer is walked element by element, in the order in which the commands were queued, and
 * what only the session knows (its name, its id) takes the place of what the node said. CLIENT PAUSE and SCRIPT FLUSH,
 * which mean something for all sessions, take effect here, too.
 *
 * CLIENT REPLY OFF and SKIP would stop the replies on the lease, where every request needs one. CLIENT REPLY ON was
 * queued for them (connection_name.c), and the elements that Redis would have left out of EXEC's answer are left out
 * here.
 *
 * tests/system/test_performed.c compares all of it with Redis.
 */
#include "commands/exec.h"

#include "commands/client_line.h"
#include "commands/connection_name.h"
#include "commands/everywhere.h"
#include "commands/login.h"
#include "commands/pause.h"
#include "commands/scan.h"
#include "session/requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* DISCARD was sent instead of EXEC, because the proxy had refused a part of the transaction. It may fail as EXEC
 * would have, when the node had refused the MULTI: then its error is told in EXEC's name. */
static void rewrite_discarded(struct session *s, struct session_request *r)
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

/* ---- EXEC's answer ---- */

/* EXEC's answer, while it is walked. */
struct executed {
    const struct upstream *from;
    const char *at, *end; /* the elements that were not looked at yet */
    struct buf out;       /* what the client gets */
    bool off, skip;       /* the mode of CLIENT REPLY at this element */
    bool skip_next; /* CLIENT REPLY SKIP was the last one: it silences the command behind EXEC */
};

/* Takes the next element. Returns false when there is none. */
static bool next_element(struct executed *answers, struct slice *element)
{
    struct resp_reply parse;
    size_t used;
    memset(&parse, 0, sizeof(parse));
    if (answers->at >= answers->end ||
        resp_reply_parse(&parse, answers->at, (size_t)(answers->end - answers->at), &used) !=
            RESP_DONE)
        return false;
    *element = (struct slice){answers->at, used};
    answers->at += used;
    return true;
}

static void put(struct executed *answers, const char *data, size_t len)
{
    if (!answers->off && !answers->skip)
        buf_append(&answers->out, data, len);
}

static void put_text(struct executed *answers, const struct buf *text)
{
    put(answers, buf_head(text), buf_len(text));
}

static void put_name(struct session *s, struct executed *answers)
{
    struct buf text = {0};
    if (s->client.name && *s->client.name)
        resp_append_bulk(&text, (struct slice){s->client.name, strlen(s->client.name)});
    else
        buf_printf(&text, "%s", s->identity->resp3 ? "_\r\n" : "$-1\r\n");
    put_text(answers, &text);
    buf_free(&text);
}

/* The number behind the text `head` is the id of the lease at its node: it becomes the session's id. */
static void put_with_id(struct session *s, struct executed *answers, struct slice element,
                        const char *head)
{
    const char *at = memmem(element.data, element.len, head, strlen(head));
    const char *end = element.data + element.len, *rest;
    struct buf text = {0};
    if (!at) {
        put(answers, element.data, element.len);
        return;
    }
    at += strlen(head);
    rest = memchr(at, '\r', (size_t)(end - at));
    buf_append(&text, element.data, (size_t)(at - element.data));
    buf_printf(&text, "%" PRIu64, s->id);
    buf_append(&text, rest, (size_t)(end - rest));
    put_text(answers, &text);
    buf_free(&text);
}

static void put_line(struct session *s, struct executed *answers, struct slice element)
{
    struct slice text = resp_text_of(element);
    struct buf line = {0}, whole = {0};
    if (!text.data || text.len == 0) {
        put(answers, element.data, element.len);
        return;
    }
    text.len--; /* the line end */
    client_line_append(&line, s, text, text, true);
    resp_append_text(&whole, element.data[0], &line);
    put_text(answers, &whole);
    buf_free(&whole);
    buf_free(&line);
}

static void set_replies(struct executed *answers, const struct session_request *r,
                        struct slice element)
{
    if (r->replies_off) {
        answers->off = true;
    } else if (r->replies_skip) {
        answers->skip_next = !answers->off;
    } else {
        answers->off = answers->skip = false;
        put(answers, element.data, element.len);
    }
}

/* The node has executed the command, without an error: it takes effect for the session. */
static void perform(struct session *s, struct session_request *r, struct slice element,
                    struct executed *answers)
{
    switch (r->command->verb) {
    case VERB_AUTH:
    case VERB_SELECT:
        login_take_effect(s, r);
        break;
    case VERB_HELLO:
        login_take_effect(s, r);
        put_with_id(s, answers, element, "$2\r\nid\r\n:");
        return;
    case VERB_CLIENT_SETNAME:
        connection_name_set(s, session_arg(r, 2));
        break;
    case VERB_CLIENT_GETNAME:
        put_name(s, answers);
        return;
    case VERB_CLIENT_ID:
        put_with_id(s, answers, element, ":");
        return;
    case VERB_CLIENT_INFO:
        put_line(s, answers, element);
        return;
    case VERB_CLIENT_REPLY:
        set_replies(answers, r, element);
        return;
    case VERB_CLIENT_PAUSE:
    case VERB_CLIENT_UNPAUSE:
        pause_take_effect(s, r, answers->from);
        break;
    case VERB_EVERYWHERE:
        everywhere_take_effect(s, r);
        break;
    default:
        break;
    }
    put(answers, element.data, element.len);
}

/* Takes the element of one queued command. Returns false when there are no more elements. */
static bool walk(struct session *s, struct session_request *queued, struct executed *answers)
{
    struct slice element;
    if (queued->command->verb == VERB_MULTI || queued->reply_type == '-')
        return true;
    if (!next_element(answers, &element))
        return false;
    if (element.data[0] != '-' && element.data[0] != '!')
        perform(s, queued, element, answers);
    else
        put(answers, element.data, element.len);
    return true;
}

static void walk_all(struct session *s, struct session_request *exec, struct executed *answers)
{
    list_each (it, &s->tx.log)
        if (!walk(s, session_request(it), answers))
            return;
    list_each (it, &s->queue.requests) {
        struct session_request *r = session_request(it);
        if (r == exec || (r->in_tx && !walk(s, r, answers)))
            return;
    }
}

static void fill_in(struct session *s, struct session_request *exec, const struct upstream *from)
{
    const char *reply = buf_head(&exec->reply), *end = reply + buf_len(&exec->reply);
    const char *line_end = memchr(reply, '\n', buf_len(&exec->reply));
    struct executed answers = {
        .from = from, .off = s->client.reply_off, .skip = exec->silent && !s->client.reply_off};
    if (exec->reply_type != '*' || !line_end)
        return;
    answers.at = line_end + 1;
    answers.end = end;
    put(&answers, reply, (size_t)(answers.at - reply));
    walk_all(s, exec, &answers);
    put(&answers, answers.at, (size_t)(end - answers.at));
    s->client.reply_off = answers.off;
    s->client.reply_skip = answers.skip_next;
    exec->silent = false; /* what the client is not to hear was left out above */
    buf_free(&exec->reply);
    exec->reply = answers.out;
}

void exec_answered(struct session *s, struct session_request *exec, const struct upstream *from)
{
    if (exec->capture && exec->discards && slice_is(session_arg(exec, 0), "discard")) {
        rewrite_discarded(s, exec);
    } else if (exec->capture) {
        fill_in(s, exec, from);
        if (exec->scans)
            scan_executed(s, exec, from);
    }
}
