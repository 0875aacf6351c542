/*
 * unpack: a session that another process had (move.h). The state is set as it was, without asking anybody: no reply of this
 * reaches the client. What comes over the socket is judged here, word for word: it is not believed.
 */
#include "session/move.h"

#include "nodes/router.h"
#include "session/client.h"
#include "session/hooks.h"
#include "session/interest.h"
#include "session/leasing.h"
#include "session/life.h"
#include "session/read.h"
#include "session/state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 7
#define NAME_MAX_LEN ((size_t)64 * 1024)

/* A command that lies whole in a packed session. */
struct command_line {
    struct slice bytes;
    int argc;
    struct slice argv[WORDS_MAX]; /* the first ones */
};

/* The next one. Returns false at the end, and, with *bad, when there is none. */
static bool next_command(struct slice *rest, struct command_line *out, bool *bad)
{
    struct resp_request parse;
    struct resp_args args;
    *bad = false;
    if (rest->len == 0)
        return false;
    memset(&parse, 0, sizeof(parse));
    if (rest->data[0] != '*' || resp_request_parse(&parse, rest->data, rest->len) != RESP_DONE ||
        parse.argc < 1) {
        *bad = true;
        return false;
    }
    *out = (struct command_line){.bytes = {rest->data, parse.pos}, .argc = parse.argc};
    args = resp_args(rest->data, parse.pos);
    for (int i = 0; i < WORDS_MAX && resp_args_next(&args, &out->argv[i]); i++)
        ;
    rest->data += parse.pos;
    rest->len -= parse.pos;
    return true;
}

/* ---- words ---- */

static bool read_number(struct slice word, int64_t least, int64_t *out)
{
    return resp_parse_integer(word, out) && *out >= least;
}

static bool read_address(struct slice word, struct address *out)
{
    char host[ENDPOINT_TEXT_MAX];
    struct endpoint endpoint;
    if (word.len == 0 || word.len >= sizeof(host) || memchr(word.data, '\0', word.len))
        return false;
    memcpy(host, word.data, word.len);
    host[word.len] = '\0';
    return endpoint_parse(&endpoint, host, 0) == 0 &&
           address_from_number(out, endpoint.host, endpoint.port) == 0;
}

/* ---- the head ---- */

static bool read_head(const struct command_line *line, struct session_head *out, int64_t *age_ms,
                      int64_t *idle_ms)
{
    int64_t id;
    if (line->argc != 5 || !slice_is(line->argv[0], "session") ||
        !read_number(line->argv[1], (int64_t)SESSION_ID_BASE, &id) ||
        !read_address(line->argv[2], &out->listener) || !read_number(line->argv[3], 0, age_ms) ||
        !read_number(line->argv[4], 0, idle_ms))
        return false;
    out->id = (uint64_t)id;
    return true;
}

bool session_read_head(struct slice packed, struct session_head *out)
{
    struct command_line line;
    int64_t age_ms, idle_ms;
    bool bad;
    return next_command(&packed, &line, &bad) && read_head(&line, out, &age_ms, &idle_ms);
}

/* ---- what it is ---- */

static void become(struct session *s, struct identity *identity)
{
    identity_release(s->identity);
    s->identity = identity;
}

static bool set_credential(struct session *s, const struct command_line *line)
{
    bool named = line->argc == 3;
    if (line->argc != 2 && !named)
        return false;
    become(s, identity_with_credential(router_identities(s->host->router), s->identity,
                                       named ? line->argv[1] : (struct slice){NULL, 0},
                                       line->argv[named ? 2 : 1]));
    return true;
}

static bool set_protocol(struct session *s, const struct command_line *line)
{
    if (line->argc != 2 || !slice_is(line->argv[1], "3"))
        return false;
    become(s, identity_with_protocol(router_identities(s->host->router), s->identity, true));
    return true;
}

static bool set_database(struct session *s, const struct command_line *line)
{
    int64_t db;
    if (line->argc != 2 || !read_number(line->argv[1], 0, &db))
        return false;
    become(s, identity_with_db(router_identities(s->host->router), s->identity, db));
    return true;
}

static bool set_outside(struct session *s, const struct command_line *line)
{
    if (line->argc != 1 || s->identity->authenticated)
        return false;
    become(s, identity_standing(router_identities(s->host->router), s->identity, true));
    return true;
}

static bool set_name(struct session *s, const struct command_line *line)
{
    if (line->argc != 2 || line->argv[1].len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < line->argv[1].len; i++)
        if (line->argv[1].data[i] < '!' || line->argv[1].data[i] > '~')
            return false;
    free(s->client.name);
    s->client.name = strndup(line->argv[1].data, line->argv[1].len);
    return true;
}

static bool set_last(struct session *s, const struct command_line *line)
{
    struct slice name = line->argv[1], part = {NULL, 0};
    const char *bar;
    if (line->argc != 2)
        return false;
    bar = memchr(name.data, '|', name.len);
    if (bar) {
        part = (struct slice){bar + 1, name.len - (size_t)(bar + 1 - name.data)};
        name.len = (size_t)(bar - name.data);
    }
    s->client.last = command_find(name, part);
    return true;
}

/* Words that stand alone. Returns false: it is none of them. */
static bool set_flag(struct session *s, struct slice word)
{
    if (slice_is(word, "free"))
        s->auth_not_needed = true;
    else if (slice_is(word, "served"))
        s->client.served = true;
    else if (slice_is(word, "wrote"))
        s->special.wrote = true;
    else if (slice_is(word, "reply-off"))
        s->client.reply_off = true;
    else if (slice_is(word, "reply-skip"))
        s->client.reply_skip = true;
    else if (slice_is(word, "changed"))
        lease_keep(&s->lease, LEASE_CHANGED);
    else
        return false;
    return true;
}

static const struct {
    const char *word;
    bool (*set)(struct session *s, const struct command_line *line);
} words[] = {{"auth", set_credential}, {"hello", set_protocol}, {"select", set_database},
             {"outside", set_outside}, {"name", set_name},      {"last", set_last}};

static bool is_carried(struct session *s, const struct command_line *line)
{
    const struct session_hooks *hooks = s->host->hooks;
    for (size_t i = 0; line->argc >= 2 && i < hooks->carried_count; i++)
        if (hooks->carried[i]->unpack && hooks->carried[i]->unpack(s, line->bytes))
            return true;
    return false;
}

static bool set_one(struct session *s, const struct command_line *line)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_is(line->argv[0], words[i].word))
            return words[i].set(s, line);
    return (line->argc == 1 && set_flag(s, line->argv[0])) || is_carried(s, line);
}

/* ---- its lease ---- */

static bool read_lease(const struct command_line *line, struct moved_upstream *out, bool *named)
{
    int64_t id, process;
    if (line->argc != 6 || !read_address(line->argv[1], &out->node) ||
        !read_number(line->argv[3], 0, &id) || !read_number(line->argv[4], 0, &process) ||
        process > UINT32_MAX)
        return false;
    if (!slice_is(line->argv[2], "master") && !slice_is(line->argv[2], "replica"))
        return false;
    out->purpose = slice_is(line->argv[2], "master") ? PURPOSE_MASTER : PURPOSE_REPLICA;
    out->client_id = (uint64_t)id;
    out->process = (uint32_t)process;
    *named = slice_is(line->argv[5], "named");
    return true;
}

/* What the old lease held is told to the next one, as after a switch. */
static void renew(struct session *s)
{
    lease_let(&s->lease, LEASE_CHANGED);
    each_carried(s, lost);
    if (session_wants_lease(s))
        session_mark_woken(s);
}

/* ---- the whole ---- */

struct unpacking {
    struct session *session;
    int lease_fd; /* -1: there is none, or the lease has it */
    bool has_lease;
    struct command_line bytes; /* argc 0: none */
    const char *why;
};

static bool take_lease(struct unpacking *u, const struct command_line *line)
{
    struct session *s = u->session;
    struct moved_upstream moved = {.fd = u->lease_fd};
    bool named;
    if (!read_lease(line, &moved, &named) || u->lease_fd < 0)
        return false;
    u->lease_fd = -1;
    u->has_lease = session_adopt_lease(s, &moved);
    if (u->has_lease)
        s->lease.named = named;
    if (!u->has_lease && lease_kept_for(&s->lease, LEASE_CHANGED)) {
        u->why = "its lease leads to a node that is not in office here";
        return false;
    }
    return true;
}

static bool take_all(struct unpacking *u, struct slice rest)
{
    struct command_line line;
    bool bad;
    u->why = "what describes it cannot be understood";
    while (next_command(&rest, &line, &bad)) {
        if (slice_is(line.argv[0], "lease")) {
            if (!take_lease(u, &line))
                return false;
        } else if (slice_is(line.argv[0], "bytes") && line.argc == 2 && rest.len == 0) {
            u->bytes = line;
        } else if (!set_one(u->session, &line)) {
            return false;
        }
    }
    return !bad;
}

static void begin(struct unpacking *u, int64_t age_ms, int64_t idle_ms)
{
    struct session *s = u->session;
    int64_t now = turn_now(s->host->turn);
    s->client.opened_ms = now - age_ms;
    s->client.read_ms = now - idle_ms;
    if (!u->has_lease)
        renew(s);
    if (u->bytes.argc) {
        session_feed(s, (char *)u->bytes.argv[1].data, u->bytes.argv[1].len);
        session_mark_woken(s);
    }
    if (!life_closing(&s->life))
        session_update_interest(s);
}

static int failed(int client_fd, int lease_fd)
{
    if (client_fd >= 0)
        close(client_fd);
    if (lease_fd >= 0)
        close(lease_fd);
    return -1;
}

int session_unpack(struct session_host *host, const struct traffic_listener_options *listener,
                   int client_fd, int lease_fd, char *packed, size_t len, const char **why)
{
    struct slice rest = {packed, len};
    struct unpacking u = {.lease_fd = lease_fd};
    struct command_line line;
    struct session_head head;
    int64_t age_ms, idle_ms;
    bool bad, good;
    *why = "it has no head";
    if (!next_command(&rest, &line, &bad) || !read_head(&line, &head, &age_ms, &idle_ms))
        return failed(client_fd, lease_fd);
    *why = "its listener speaks TLS here";
    if (listener->tls)
        return failed(client_fd, lease_fd);
    *why = "its socket cannot be polled";
    if (session_open(host, listener, client_fd, head.id) != 0)
        return failed(-1, lease_fd);
    u.session = container_of(host->sessions.prev, struct session, in_host);
    good = take_all(&u, rest);
    if (!good)
        session_close(u.session, CLOSED_MOVED, u.why);
    else
        begin(&u, age_ms, idle_ms);
    (void)failed(-1, u.lease_fd);
    explicit_bzero(packed, len);
    *why = u.why;
    return good ? 0 : -1;
}
