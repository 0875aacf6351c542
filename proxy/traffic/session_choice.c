/*
 * session_choice: which clients CLIENT LIST is to show, and CLIENT KILL to end. What the proxy cannot
 * read (a word that a newer server knows, a mistake) it leaves to the node.
 */
#include "traffic/session_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_kind(struct slice name, enum client_kind *kind)
{
    static const struct {
        const char *name;
        enum client_kind kind;
    } kinds[] = {{"normal", CLIENT_NORMAL},
                 {"pubsub", CLIENT_PUBSUB},
                 {"master", CLIENT_MASTER},
                 {"replica", CLIENT_REPLICA},
                 {"slave", CLIENT_REPLICA}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (slice_is(name, kinds[i].name)) {
            *kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* The ids from argument `at` on, at least one; returns how many. */
static int read_ids(const struct request *r, int at, struct client_choice *choice)
{
    int64_t id;
    int first = at;
    for (; at < r->argc && resp_parse_integer(session_arg(r, at), &id) && id > 0; at++) {
        choice->ids = realloc(choice->ids, (choice->count + 1) * sizeof(*choice->ids));
        if (!choice->ids)
            abort();
        choice->ids[choice->count++] = (uint64_t)id;
        choice->by_id = true;
    }
    return at - first;
}

/* One option of KILL, at argument `at`; returns how many arguments it has, 0: none that is known
 * here, or one that the node will refuse. */
static int read_option(const struct request *r, int at, struct client_choice *choice)
{
    struct slice word = session_arg(r, at), value = session_arg(r, at + 1);
    if (!value.data)
        return 0;
    if (slice_is(word, "id")) {
        int ids = read_ids(r, at + 1, choice);
        return ids ? 1 + ids : 0;
    }
    if (slice_is(word, "skipme")) {
        choice->not_me = slice_is(value, "yes");
        return choice->not_me || slice_is(value, "no") ? 2 : 0;
    }
    if (slice_is(word, "type"))
        return parse_kind(value, &choice->kind) ? 2 : 0;
    if (slice_is(word, "maxage"))
        return resp_parse_integer(value, &choice->max_age) ? 2 : 0;
    if (slice_is(word, "addr"))
        choice->addr = value;
    else if (slice_is(word, "laddr"))
        choice->laddr = value;
    else if (slice_is(word, "user"))
        choice->user = value;
    else
        return 0;
    return 2;
}

/* What KILL is to end. False: the node knows better. The ids are to be freed. */
bool client_choice_of_kill(const struct request *r, struct client_choice *choice)
{
    *choice = (struct client_choice){.not_me = true};
    if (r->argc == 3) { /* the old form */
        *choice = (struct client_choice){.addr = session_arg(r, 2)};
        return true;
    }
    for (int at = 2, used; at < r->argc; at += used)
        if ((used = read_option(r, at, choice)) == 0)
            return false;
    return true;
}

/* What LIST is to show. */
bool client_choice_of_list(const struct request *r, struct client_choice *choice)
{
    *choice = (struct client_choice){0};
    if (r->argc == 2)
        return true;
    if (r->argc == 4 && slice_is(session_arg(r, 2), "type"))
        return parse_kind(session_arg(r, 3), &choice->kind);
    return r->argc > 3 && slice_is(session_arg(r, 2), "id") &&
           read_ids(r, 3, choice) == r->argc - 3;
}

bool client_choice_has_id(const struct client_choice *choice, uint64_t id)
{
    for (size_t i = 0; i < choice->count; i++)
        if (choice->ids[i] == id)
            return true;
    return !choice->by_id;
}

/* ---- a session, in Redis' words ---- */

const char *session_address(char *out, size_t size, const struct session *s, bool peer)
{
    struct address address;
    if (address_of_socket(&address, s->stream.fd, peer) != 0)
        snprintf(out, size, "?:0"); /* as Redis says when it cannot tell */
    else
        address_format(out, size, &address);
    return out;
}

struct slice session_user(const struct session *s)
{
    if (s->identity->has_user)
        return (struct slice){s->identity->user, s->identity->user_len};
    return (struct slice){"default", 7};
}

enum client_kind session_kind(const struct session *s)
{
    return s->tunnel ? CLIENT_REPLICA : session_subscribed(s) ? CLIENT_PUBSUB : CLIENT_NORMAL;
}

int64_t session_seconds_since(const struct session *s, int64_t then_ms)
{
    return (turn_now(s->host->turn) - then_ms) / 1000;
}

/* `wanted` without data: any. */
static bool same(struct slice wanted, struct slice has)
{
    return !wanted.data ||
           (wanted.len == has.len && memcmp(wanted.data, has.data, wanted.len) == 0);
}

static bool same_address(struct slice wanted, const struct session *s, bool peer)
{
    char text[ENDPOINT_TEXT_MAX];
    if (!wanted.data)
        return true;
    session_address(text, sizeof(text), s, peer);
    return same(wanted, (struct slice){text, strlen(text)});
}

bool session_is_chosen(const struct client_choice *choice, const struct session *s,
                       const struct session *me)
{
    if (s->place.group != me->place.group || (choice->not_me && s == me))
        return false;
    if (!client_choice_has_id(choice, s->id) || (choice->kind && choice->kind != session_kind(s)))
        return false;
    if (choice->max_age && session_seconds_since(s, s->opened_ms) < choice->max_age)
        return false;
    return same(choice->user, session_user(s)) && same_address(choice->addr, s, true) &&
           same_address(choice->laddr, s, false);
}
