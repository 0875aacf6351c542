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

static void add_id(struct client_choice *choice, uint64_t id)
{
    size_t count = choice->count;
    if ((count & (count - 1)) == 0) { /* 0, or a power of two: full */
        choice->ids = realloc(choice->ids, (count ? 2 * count : 1) * sizeof(*choice->ids));
        if (!choice->ids)
            abort();
    }
    choice->ids[choice->count++] = id;
    choice->by_id = true;
}

/* Takes the ids that come next. Returns whether there is one. */
static bool read_ids(struct resp_args *args, struct client_choice *choice)
{
    struct resp_args ahead = *args;
    struct slice arg;
    int64_t id;
    size_t before = choice->count;
    while (resp_args_next(&ahead, &arg) && resp_parse_integer(arg, &id) && id > 0) {
        add_id(choice, (uint64_t)id);
        *args = ahead;
    }
    return choice->count > before;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* So that they can be looked up: there may be a million. */
static void sort_ids(struct client_choice *choice)
{
    if (choice->count > 1)
        qsort(choice->ids, choice->count, sizeof(*choice->ids), compare_ids);
}

/* Takes one option of KILL. Returns false at one that is not known here, or that the node will refuse. */
static bool read_option(struct resp_args *args, struct client_choice *choice)
{
    struct slice word, value;
    (void)resp_args_next(args, &word);
    if (slice_is(word, "id"))
        return read_ids(args, choice);
    if (!resp_args_next(args, &value))
        return false;
    if (slice_is(word, "skipme")) {
        choice->not_me = slice_is(value, "yes");
        return choice->not_me || slice_is(value, "no");
    }
    if (slice_is(word, "type"))
        return parse_kind(value, &choice->kind);
    if (slice_is(word, "maxage"))
        return resp_parse_integer(value, &choice->max_age);
    if (slice_is(word, "addr"))
        choice->addr = value;
    else if (slice_is(word, "laddr"))
        choice->laddr = value;
    else if (slice_is(word, "user"))
        choice->user = value;
    else
        return false;
    return true;
}

/* The arguments behind "CLIENT LIST", "CLIENT KILL". */
static struct resp_args options_of(const struct request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct slice word;
    for (int i = 0; i < 2; i++)
        (void)resp_args_next(&args, &word);
    return args;
}

/* What KILL is to end. False: the node knows better. The ids are to be freed. */
bool client_choice_of_kill(const struct request *r, struct client_choice *choice)
{
    struct resp_args args = options_of(r);
    *choice = (struct client_choice){.not_me = true};
    if (r->argc == 3) { /* the old form */
        *choice = (struct client_choice){.addr = session_arg(r, 2)};
        return true;
    }
    while (args.left > 0)
        if (!read_option(&args, choice))
            return false;
    sort_ids(choice);
    return true;
}

/* What LIST is to show. */
bool client_choice_of_list(const struct request *r, struct client_choice *choice)
{
    struct resp_args args = options_of(r);
    struct slice word;
    *choice = (struct client_choice){0};
    if (!resp_args_next(&args, &word))
        return true;
    if (r->argc == 4 && slice_is(word, "type"))
        return parse_kind(session_arg(r, 3), &choice->kind);
    if (!slice_is(word, "id") || !read_ids(&args, choice) || args.left > 0)
        return false;
    sort_ids(choice);
    return true;
}

bool client_choice_has_id(const struct client_choice *choice, uint64_t id)
{
    return !choice->by_id ||
           bsearch(&id, choice->ids, choice->count, sizeof(*choice->ids), compare_ids);
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
                       const struct asker *asker)
{
    if (s->place.group != asker->group || (choice->not_me && s->id == asker->id))
        return false;
    if (!client_choice_has_id(choice, s->id) || (choice->kind && choice->kind != session_kind(s)))
        return false;
    if (choice->max_age && session_seconds_since(s, s->opened_ms) < choice->max_age)
        return false;
    return same(choice->user, session_user(s)) && same_address(choice->addr, s, true) &&
           same_address(choice->laddr, s, false);
}
