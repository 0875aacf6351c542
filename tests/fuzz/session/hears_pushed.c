/*
 * hears_pushed: messages, which nobody asked for, and what subscribing is answered with: as many
 * confirmations as channels.
 */
#include "hears.h"

#include <stdlib.h>

static void judge_message(struct client *c, int kind, struct slice rest)
{
    struct slice channel = take_string(&rest), text;
    unsigned number;
    if (kind == 1)
        channel = take_string(&rest);
    text = take_string(&rest);
    number = (unsigned)strtoul(text.data + 1, NULL, 10);
    if (!c->loose && !(c->subs[kind] & 1 << (channel.data[2] - '0')))
        WRONG(c, text, "a message for a subscriber");
    if (number <= c->last_message[kind])
        WRONG(c, text, "messages in order, each once");
    c->last_message[kind] = number;
}

bool judge_unasked(struct client *c, struct slice reply)
{
    struct slice rest, word;
    if (reply.data[0] == '+' && reply.data[1] == '1') {
        if (!c->monitoring && !c->loose)
            WRONG(c, reply, "a line of MONITOR's");
        return true;
    }
    if (reply.data[0] != '*' && reply.data[0] != '>')
        return false;
    rest = behind_head(reply);
    word = take_string(&rest);
    if (!word.data)
        return false;
    if (equals(word, "invalidate"))
        return true;
    if (!equals(word, "message") && !equals(word, "pmessage") && !equals(word, "smessage"))
        return false;
    judge_message(c, equals(word, "message") ? 0 : equals(word, "pmessage") ? 1 : 2, rest);
    return true;
}

void judge_confirmation(struct client *c, struct record *record, struct slice reply)
{
    static const char *const on[3] = {"subscribe", "psubscribe", "ssubscribe"};
    static const char *const off[3] = {"unsubscribe", "punsubscribe", "sunsubscribe"};
    static const int all_of[3] = {0, 1, 2};
    struct slice rest = behind_head(reply), word = take_string(&rest), channel;
    bool subscribes = record->kind <= SSUBSCRIBE;
    int kind = record->kind == UNSUBSCRIBE ? 0
               : subscribes                ? record->kind - SUBSCRIBE
                                           : all_of[record->kind - UNSUBSCRIBE_ALL];
    unsigned parts = record->parts;
    if (!word.data || !equals(word, subscribes ? on[kind] : off[kind]))
        WRONG(c, reply, "a confirmation");
    channel = take_string(&rest);
    if (!subscribes && record->kind != UNSUBSCRIBE && c->parts == 0)
        record->parts = (uint8_t)__builtin_popcount(c->subs[kind]);
    parts = record->parts > 0 ? record->parts : 1;
    if (channel.data && subscribes)
        c->subs[kind] |= (uint8_t)(1 << (channel.data[2] - '0'));
    else if (channel.data)
        c->subs[kind] &= (uint8_t) ~(1 << (channel.data[2] - '0'));
    if (++c->parts < parts)
        return;
    c->parts = 0;
    c->next++;
}
