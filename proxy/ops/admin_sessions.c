/*
 * admin_sessions: sessions and kill. A letter visits the workers, each of which goes over its own sessions in slices
 * (session/walk.h), and describes or ends those that are meant; the answer is made on the admin thread.
 */
#include "ops/admin_verbs.h"

#include "ops/admin_letters.h"
#include "ops/session_filter.h"
#include "session/life.h"
#include "session/session.h"
#include "session/state.h"

#include <stdlib.h>
#include <string.h>

/* Rows lie in pieces: a worker never moves what it has gathered. */
#define PIECE_ROWS 64
#define LIMIT_DEFAULT 10000

struct piece {
    struct piece *next;
    size_t count;
    struct session_row rows[PIECE_ROWS];
};

struct inquiry {
    struct admin_letter letter;
    struct admin_call *call;
    struct session_filter filter;
    struct piece *first, *last;
    size_t found, limit; /* so many are described at most */
    bool kills;
};

static void add_row(struct inquiry *q, const struct session_row *row)
{
    if (q->found++ >= q->limit)
        return;
    if (!q->last || q->last->count == PIECE_ROWS) {
        struct piece *piece = calloc(1, sizeof(*piece));
        if (!piece)
            abort();
        *(q->last ? &q->last->next : &q->first) = piece;
        q->last = piece;
    }
    q->last->rows[q->last->count++] = *row;
}

/* On the session's worker. */
static bool look(void *data, struct session *s)
{
    struct inquiry *q = data;
    struct session_row row;
    session_describe(s, &row);
    if (!session_filter_passes(&q->filter, &row, s->host->options))
        return true;
    add_row(q, &row);
    if (q->kills)
        session_close(s, CLOSED_KILLED, "an operator killed it");
    return true;
}

static bool visit(struct relay *relay, struct relay_stop *stop)
{
    struct inquiry *q = container_of(admin_letter_of(relay), struct inquiry, letter);
    return session_walk(&q->letter.walk, session_host_at(stop), look, q);
}

/* ---- at home ---- */

static void show_row(cJSON *list, const struct session_row *row,
                     const struct traffic_options *options)
{
    cJSON *item = cJSON_CreateObject();
    admin_add_number(item, "id", (int64_t)row->id);
    admin_add_text(item, "address", row->address);
    admin_add_text(item, "user", row->user);
    admin_add_text(item, "library", row->library);
    admin_add_text(item, "name", row->name);
    admin_add_text(item, "listener", row->listener);
    admin_add_text(item, "group", options->groups[row->group].name);
    admin_add_text(item, "state", session_mood_name(row->mood));
    cJSON_AddBoolToObject(item, "tls", row->tls);
    admin_add_number(item, "db", row->db);
    admin_add_number(item, "age_ms", row->age_ms);
    admin_add_number(item, "idle_ms", row->idle_ms);
    admin_add_number(item, "in_flight", row->in_flight);
    admin_add_number(item, "waiting", row->waiting);
    admin_add_number(item, "request_bytes", (int64_t)row->request_bytes);
    admin_add_number(item, "output_bytes", (int64_t)row->output_bytes);
    admin_add_text(item, "command", row->command);
    admin_add_number(item, "worker", (int64_t)row->worker);
    cJSON_AddItemToArray(list, item);
}

static cJSON *show_rows(struct inquiry *q)
{
    cJSON *list = cJSON_CreateArray();
    for (struct piece *piece = q->first, *next; piece; piece = next) {
        for (size_t i = 0; i < piece->count; i++)
            show_row(list, &piece->rows[i], &q->letter.core->sources.config->traffic);
        next = piece->next;
        free(piece);
    }
    return list;
}

static void told(struct admin_letter *letter, bool lost)
{
    struct inquiry *q = container_of(letter, struct inquiry, letter);
    cJSON *result = cJSON_CreateObject(), *list = show_rows(q);
    if (q->kills)
        admin_add_number(result, "killed", (int64_t)q->found);
    else
        cJSON_AddItemToObject(result, "sessions", list);
    if (q->kills)
        cJSON_Delete(list);
    else if (q->found > q->limit)
        admin_add_number(result, "not_shown", (int64_t)(q->found - q->limit));
    if (lost)
        admin_failed_with(q->call, result, "the proxy has stopped meanwhile");
    else if (q->kills && q->found == 0)
        admin_failed_with(q->call, result,
                          "no client is meant by that: \"redisproxy ctl sessions\" shows them");
    else
        admin_done(q->call, result);
    free(q);
}

/* "5" is an id, "10.0.0.1:5000" an address, anything else a filter. */
static void as_filter(char *out, size_t size, const char *word)
{
    if (strpbrk(word, "=<>"))
        snprintf(out, size, "%s", word);
    else
        snprintf(out, size, "%s=%s", word[strspn(word, "0123456789")] ? "address" : "id", word);
}

/* Returns NULL after refusing. */
static struct inquiry *inquiry_new(struct admin_call *call, bool kills)
{
    struct inquiry *q = calloc(1, sizeof(*q));
    const char *word;
    char text[200], why[200];
    if (!q)
        abort();
    for (int i = 0; (word = admin_word(call, i)); i++) {
        as_filter(text, sizeof(text), word);
        if (session_filter_add(&q->filter, text, why, sizeof(why)) == 0)
            continue;
        admin_failed(call, "%s", why);
        free(q);
        return NULL;
    }
    q->call = call;
    q->kills = kills;
    q->limit = kills ? 0 : LIMIT_DEFAULT;
    return q;
}

void admin_sessions(struct admin_call *call)
{
    const char *limit = admin_option(call, "limit");
    struct inquiry *q = inquiry_new(call, false);
    if (!q)
        return;
    if (limit)
        q->limit = strtoul(limit, NULL, 10);
    admin_letter_send(&q->letter, call->core, visit, told);
}

void admin_kill(struct admin_call *call)
{
    struct inquiry *q = inquiry_new(call, true);
    if (q)
        admin_letter_send(&q->letter, call->core, visit, told);
}
