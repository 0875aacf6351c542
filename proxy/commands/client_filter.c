/*
 * client_filter: which clients CLIENT LIST is to show, and which CLIENT KILL is to end. Redis decides this for its
 * own connections. Behind the proxy these are the proxy's, so the proxy has to read the same arguments, and to hold
 * them against its sessions.
 *
 * Arguments that the proxy does not understand (an option of a newer server, a mistake of the client) are the
 * node's to judge: the parsing functions return false, and the command is sent as it is.
 */
#include "commands/client_filter.h"

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

static void add_id(struct client_filter *filter, uint64_t id)
{
    size_t count = filter->id_count;
    if ((count & (count - 1)) == 0) { /* 0, or a power of two: full */
        filter->ids = realloc(filter->ids, (count ? 2 * count : 1) * sizeof(*filter->ids));
        if (!filter->ids)
            abort();
    }
    filter->ids[filter->id_count++] = id;
    filter->by_id = true;
}

/* Takes the ids that stand next among the arguments. Returns whether there is at least one. */
static bool read_ids(struct resp_args *args, struct client_filter *filter)
{
    struct resp_args rest = *args;
    struct slice arg;
    int64_t id;
    size_t had = filter->id_count;
    while (resp_args_next(&rest, &arg) && resp_parse_integer(arg, &id) && id > 0) {
        add_id(filter, (uint64_t)id);
        *args = rest;
    }
    return filter->id_count > had;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* So that an id can be looked up by binary search: a command may name a million of them. */
static void sort_ids(struct client_filter *filter)
{
    if (filter->id_count > 1)
        qsort(filter->ids, filter->id_count, sizeof(*filter->ids), compare_ids);
}

/* Takes one option of CLIENT KILL. Returns false for an option that is not known here, or that the node will
 * refuse. */
static bool read_option(struct resp_args *args, struct client_filter *filter)
{
    struct slice word, value;
    (void)resp_args_next(args, &word);
    if (slice_is(word, "id"))
        return read_ids(args, filter);
    if (!resp_args_next(args, &value))
        return false;
    if (slice_is(word, "skipme")) {
        filter->skip_asker = slice_is(value, "yes");
        return filter->skip_asker || slice_is(value, "no");
    }
    if (slice_is(word, "type"))
        return parse_kind(value, &filter->kind);
    if (slice_is(word, "maxage"))
        return resp_parse_integer(value, &filter->max_age);
    if (slice_is(word, "addr"))
        filter->addr = value;
    else if (slice_is(word, "laddr"))
        filter->laddr = value;
    else if (slice_is(word, "user"))
        filter->user = value;
    else
        return false;
    return true;
}

/* The arguments behind "CLIENT LIST" and "CLIENT KILL". */
static struct resp_args options_of(const struct session_request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct slice word;
    for (int i = 0; i < 2; i++)
        (void)resp_args_next(&args, &word);
    return args;
}

bool client_filter_of_kill(const struct session_request *r, struct client_filter *filter)
{
    struct resp_args args = options_of(r);
    *filter = (struct client_filter){.skip_asker = true};
    if (r->argc == 3) { /* the old form: CLIENT KILL address */
        *filter = (struct client_filter){.addr = session_arg(r, 2)};
        return true;
    }
    while (args.left > 0)
        if (!read_option(&args, filter))
            return false;
    sort_ids(filter);
    return true;
}

bool client_filter_of_list(const struct session_request *r, struct client_filter *filter)
{
    struct resp_args args = options_of(r);
    struct slice word;
    *filter = (struct client_filter){0};
    if (!resp_args_next(&args, &word))
        return true;
    if (r->argc == 4 && slice_is(word, "type"))
        return parse_kind(session_arg(r, 3), &filter->kind);
    if (!slice_is(word, "id") || !read_ids(&args, filter) || args.left > 0)
        return false;
    sort_ids(filter);
    return true;
}

bool client_filter_has_id(const struct client_filter *filter, uint64_t id)
{
    return !filter->by_id ||
           bsearch(&id, filter->ids, filter->id_count, sizeof(*filter->ids), compare_ids);
}

/* ---- a session, in Redis' words ---- */

const char *client_address(char *out, size_t size, const struct session *s, bool peer)
{
    struct address address;
    if (address_of_socket(&address, s->client.stream.fd, peer) != 0)
        snprintf(out, size, "?:0"); /* Redis' text for an address that it cannot find out */
    else
        address_format(out, size, &address);
    return out;
}

struct slice client_user(const struct session *s)
{
    if (s->identity->has_user)
        return (struct slice){s->identity->user, s->identity->user_len};
    return (struct slice){"default", 7};
}

enum client_kind client_kind(const struct session *s)
{
    return s->special.tunnel       ? CLIENT_REPLICA
           : session_subscribed(s) ? CLIENT_PUBSUB
                                   : CLIENT_NORMAL;
}

int64_t client_seconds_since(const struct session *s, int64_t then_ms)
{
    return (turn_now(s->host->turn) - then_ms) / 1000;
}

/* Whether the value is the wanted one; when nothing is wanted (no data), every value is. */
static bool matches(struct slice wanted, struct slice value)
{
    return !wanted.data ||
           (wanted.len == value.len && memcmp(wanted.data, value.data, wanted.len) == 0);
}

static bool address_matches(struct slice wanted, const struct session *s, bool peer)
{
    char text[ENDPOINT_TEXT_MAX];
    if (!wanted.data)
        return true;
    client_address(text, sizeof(text), s, peer);
    return matches(wanted, (struct slice){text, strlen(text)});
}

bool client_filter_passes(const struct client_filter *filter, const struct session *s,
                          const struct asker *asker)
{
    if (s->place.group != asker->group || (filter->skip_asker && s->id == asker->id))
        return false;
    if (!client_filter_has_id(filter, s->id) || (filter->kind && filter->kind != client_kind(s)))
        return false;
    if (filter->max_age && client_seconds_since(s, s->client.opened_ms) < filter->max_age)
        return false;
    return matches(filter->user, client_user(s)) && address_matches(filter->addr, s, true) &&
           address_matches(filter->laddr, s, false);
}
