/*
 * hears_tx: transactions. EXEC has a result for each command that was queued, and in their order; or none
 * of them was executed.
 */
#include "hears.h"

#include <stdlib.h>

void end_tx(struct client *c)
{
    c->tx = c->watching = c->watched = c->doomed = false;
    c->queued_count = 0;
}

void none_executed(struct client *c, struct slice reply)
{
    for (unsigned i = 0; i < c->queued_count; i++)
        must_not_be_executed(c, &c->records[c->queued[i]], reply);
}

static void judge_results(struct client *c, struct slice reply)
{
    struct slice rest = behind_head(reply);
    unsigned count = (unsigned)strtoul(reply.data + 1, NULL, 10);
    if (count != c->queued_count || c->doomed)
        WRONG(c, reply, "as many results as commands");
    for (unsigned i = 0; i < count; i++) {
        unsigned number = c->queued[i];
        struct resp_reply parse = {0};
        size_t used;
        if (changes_connection(c->records[number].kind))
            c->loose = true;
        if (has_word(c->records[number].kind)) {
            struct slice text = take_string(&rest);
            if (!text.data)
                WRONG(c, reply, "a result that shows whose it is");
            judge_own(c, number, text, true);
        } else if (resp_reply_parse(&parse, rest.data, rest.len, &used) == RESP_DONE) {
            rest = (struct slice){rest.data + used, rest.len - used};
        }
    }
    if (rest.len > 0)
        WRONG(c, reply, "nothing behind the results");
}

void judge_exec(struct client *c, struct slice reply)
{
    if (equals(reply, "-ERR EXEC without MULTI\r\n")) {
        if (c->tx && !c->loose)
            WRONG(c, reply, "there was a MULTI");
        return; /* and what it watches, it watches still */
    } else if (!c->tx && !c->loose) {
        WRONG(c, reply, "there was no MULTI");
    } else if (c->loose) {
        /* what was queued unheard is not known */
    } else if (equals(reply, "*-1\r\n") || equals(reply, "_\r\n")) {
        if (!c->watched)
            WRONG(c, reply, "it watched something");
        none_executed(c, reply);
    } else if (starts(reply, "-EXECABORT ")) {
        if (!c->doomed && !books.unserved)
            WRONG(c, reply, "a part of it was refused");
        none_executed(c, reply);
    } else if (starts(reply, "-")) {
        WRONG(c, reply, "an answer of EXEC's");
    } else {
        judge_results(c, reply);
    }
    end_tx(c);
}

void judge_queued(struct client *c, struct record *record, struct slice reply)
{
    if (equals(reply, "+QUEUED\r\n")) {
        c->queued[c->queued_count++] = c->next;
        return;
    }
    if (reply.data[0] != '-')
        WRONG(c, reply, "queued");
    must_not_be_executed(c, record, reply);
    c->doomed = true;
}
