/* describe: see the header. */
#include "session/describe.h"

#include "session/state.h"

#include <stdio.h>
#include <string.h>

const char *session_mood_name(enum session_mood mood)
{
    static const char *const names[MOODS] = {[MOOD_IDLE] = "idle",
                                             [MOOD_BUSY] = "busy",
                                             [MOOD_TRANSACTION] = "transaction",
                                             [MOOD_SUBSCRIBED] = "subscribed",
                                             [MOOD_BLOCKED] = "blocked",
                                             [MOOD_REPLICATES] = "replication",
                                             [MOOD_HELD] = "held",
                                             [MOOD_LEAVING] = "leaving"};
    return names[mood];
}

static enum session_mood mood_of(const struct session *s)
{
    if (s->life.stage != LIFE_OPEN)
        return MOOD_LEAVING;
    if (hold_waits(&s->queue.held))
        return MOOD_HELD;
    if (s->special.tunnel)
        return MOOD_REPLICATES;
    if (barrier_of(&s->barrier, BARRIER_BLOCKED))
        return MOOD_BLOCKED;
    if (session_hears(s))
        return MOOD_SUBSCRIBED;
    if (s->tx.state != TX_NONE || s->tx.watching)
        return MOOD_TRANSACTION;
    return s->queue.count > 0 ? MOOD_BUSY : MOOD_IDLE;
}

static void put_address(char *out, const struct session *s)
{
    char text[ENDPOINT_TEXT_MAX];
    struct address address;
    if (address_of_socket(&address, s->client.stream.fd, true) != 0)
        snprintf(out, SESSION_TEXT, "?");
    else
        snprintf(out, SESSION_TEXT, "%.*s", SESSION_TEXT - 1,
                 address_format(text, sizeof(text), &address));
}

static void put_listener(char *out, const struct traffic_listener_options *listener)
{
    char text[ENDPOINT_TEXT_MAX];
    snprintf(out, SESSION_TEXT, "%.*s", SESSION_TEXT - 1,
             address_format(text, sizeof(text), &listener->address));
}

static void put_user(char *out, const struct session *s)
{
    if (s->identity->has_user)
        snprintf(out, SESSION_TEXT, "%.*s", (int)s->identity->user_len, s->identity->user);
    else
        snprintf(out, SESSION_TEXT, "default");
}

void session_describe(const struct session *s, struct session_row *row)
{
    int64_t now = turn_now(s->host->turn);
    *row = (struct session_row){
        .id = s->id,
        .worker = s->host->stop.number,
        .group = s->place.group,
        .mood = mood_of(s),
        .tls = s->listener->tls != NULL,
        .db = s->identity->db,
        .age_ms = now - s->client.opened_ms,
        .idle_ms = now - s->client.read_ms,
        .in_flight = s->queue.inflight,
        .waiting = s->queue.count - s->queue.inflight,
        .request_bytes = s->queue.bytes,
        .output_bytes = s->client.waiting_bytes ? s->client.waiting_bytes : buf_len(&s->client.out),
    };
    put_address(row->address, s);
    put_listener(row->listener, s->listener);
    put_user(row->user, s);
    snprintf(row->name, sizeof(row->name), "%s", s->client.name ? s->client.name : "");
    if (s->client.library[0] && s->client.library[1])
        snprintf(row->library, sizeof(row->library), "%.31s/%.31s", s->client.library[0],
                 s->client.library[1]);
    else if (s->client.library[0])
        snprintf(row->library, sizeof(row->library), "%.63s", s->client.library[0]);
    if (s->client.last && s->client.last->name)
        snprintf(row->command, sizeof(row->command), "%s", s->client.last->name);
}
