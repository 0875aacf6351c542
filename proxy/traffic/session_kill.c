/*
 * session_kill: CLIENT KILL ends sessions, here. The node gets the command as it is only for what no
 * session can be (a node's own id or address, TYPE master and replica); otherwise it gets it with an id
 * that nobody has, to judge its arguments, and whether this user may.
 *
 * With several workers each would end its own: only first_chosen() and kill_chosen() look at other
 * sessions.
 */
#include "traffic/session_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct session *first_chosen(struct session *me, const struct client_choice *choice)
{
    for (struct list *it = me->host->sessions.next; it != &me->host->sessions; it = it->next) {
        struct session *s = container_of(it, struct session, in_host);
        if (session_is_chosen(choice, s, me))
            return s;
    }
    return NULL;
}

/* Whether the node has connections that are meant. */
static bool means_the_node(struct session *me, const struct client_choice *choice)
{
    for (size_t i = 0; i < choice->count; i++)
        if (choice->ids[i] < SESSION_ID_BASE)
            return true;
    if (choice->kind == CLIENT_MASTER || choice->kind == CLIENT_REPLICA)
        return true;
    return (choice->addr.data || choice->laddr.data) && !first_chosen(me, choice);
}

static int64_t kill_chosen(struct session *me, const struct client_choice *choice, bool *and_me)
{
    int64_t killed = 0;
    *and_me = false;
    list_each (it, &me->host->sessions) {
        struct session *s = container_of(it, struct session, in_host);
        if (!session_is_chosen(choice, s, me))
            continue;
        killed++;
        if (s == me)
            *and_me = true;
        else
            session_close(s, "CLIENT KILL");
    }
    return killed;
}

static void kill_told(struct session *s, struct request *r, const struct upstream *from,
                      struct slice reply)
{
    struct client_choice choice;
    int64_t killed = 0, at_node = 0;
    bool and_me = false, known = client_choice_of_kill(r, &choice);
    const char *end = memchr(reply.data, '\r', reply.len);
    (void)from;
    if (known && reply.data[0] != '-')
        killed = kill_chosen(s, &choice, &and_me);
    if (and_me)
        r->close_after = s->quitting = true;
    if (!killed)
        session_answer_bytes(s, r, reply.data, reply.len);
    else if (r->argc == 3)
        session_answer(s, r, "+OK\r\n");
    else {
        (void)resp_parse_integer((struct slice){reply.data + 1, (size_t)(end - reply.data) - 1},
                                 &at_node);
        session_answerf(s, r, ":%" PRId64 "\r\n", at_node + killed);
    }
    free(choice.ids);
}

static enum step ask_harmlessly(struct session *s, struct request *r,
                                const struct client_choice *choice)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct buf question = {0};
    struct slice arg;
    char nobody[24];
    int left = r->argc == 3 ? 2 : r->argc; /* of the old form's arguments none is asked about */
    enum step step;
    snprintf(nobody, sizeof(nobody), "%" PRIu64, SESSION_ID_BASE);
    buf_printf(&question, "*%d\r\n", left + (choice->by_id ? 0 : 2));
    while (left-- > 0 && resp_args_next(&args, &arg)) {
        buf_printf(&question, "$%zu\r\n", arg.len);
        buf_append(&question, arg.data, arg.len);
        buf_append(&question, "\r\n", 2);
    }
    if (!choice->by_id)
        buf_printf(&question, "$2\r\nID\r\n$%zu\r\n%s\r\n", strlen(nobody), nobody);
    step = session_ask(s, r, false, (struct slice){buf_head(&question), buf_len(&question)},
                       kill_told);
    buf_free(&question);
    return step;
}

enum step session_client_kill(struct session *s, struct request *r)
{
    struct client_choice choice;
    enum step step;
    if (client_choice_of_kill(r, &choice) && !means_the_node(s, &choice))
        step = ask_harmlessly(s, r, &choice);
    else /* it may end the connection that it comes on */
        step = session_ask(s, r, true, (struct slice){r->data, r->len}, kill_told);
    free(choice.ids);
    return step;
}
