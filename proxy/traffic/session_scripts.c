/*
 * session_scripts: an EVALSHA that meets a node without its script, because that one was promoted or
 * restarted since, gets the script loaded again, if its text was seen: a client shall not see a
 * NOSCRIPT that a failover caused.
 *
 * Before a node's first EVALSHA of a script, and the first after a hold, SCRIPT LOAD is sent in
 * front of it: what follows in the client's pipeline does not overtake it so. The NOSCRIPT of a node
 * that counts as having it, and was restarted without a hold, is a rejection (session_answers.c):
 * SCRIPT LOAD and EVALSHA are sent again.
 *
 * Any session may ask for what another one brought: a text that is new to a worker goes to the others.
 */
#include "traffic/session_state.h"

#include <stdlib.h>
#include <string.h>

static struct scripts *scripts_of(const struct session *s)
{
    return s->host->scripts[s->place.group];
}

/* ---- other workers ---- */

struct news {
    struct round round;
    size_t group, len;
    char text[];
};

static bool news_visit(struct round *round, struct session_host *there)
{
    const struct news *news = container_of(round, struct news, round);
    (void)scripts_saw(there->scripts[news->group], (struct slice){news->text, news->len}, 0);
    return true;
}

static void news_drop(struct round *round)
{
    free(container_of(round, struct news, round));
}

static void saw(struct session *s, struct slice text, uint64_t node)
{
    struct news *news;
    if (!scripts_saw(scripts_of(s), text, node) || s->host->office->desk_count == 1)
        return;
    news = calloc(1, sizeof(*news) + text.len);
    if (!news)
        abort();
    news->round = (struct round){.visit = news_visit, .drop = news_drop};
    news->group = s->place.group;
    news->len = text.len;
    memcpy(news->text, text.data, text.len);
    round_start(&news->round, s->host);
}

/* ---- commands ---- */

/* Nobody waits for its answer. */
static void load(struct session *s, struct slice text, struct upstream *to)
{
    struct slice argv[3] = {{"SCRIPT", 6}, {"LOAD", 4}, text};
    struct buf bytes = {0};
    resp_append_command(&bytes, 3, argv);
    struct request *r = request_new(&s->host->turn->requests, buf_len(&bytes));
    request_set_bytes(r, buf_head(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    router_send(to, r);
}

void session_script_goes(struct session *s, const struct request *r, struct upstream *to)
{
    uint64_t node = router_node(to);
    if (r->command->verb == VERB_EVAL)
        saw(s, session_arg(r, 1), s->tx == TX_OPEN ? 0 : node);
    if (r->command->verb != VERB_EVALSHA || s->tx == TX_OPEN)
        return;
    if (!scripts_went_to(scripts_of(s), session_arg(r, 1), node) || r->reload)
        load(s, scripts_text(scripts_of(s), session_arg(r, 1)), to);
}

bool session_can_reload(const struct session *s, const struct request *r)
{
    return r->command->verb == VERB_EVALSHA && !r->reload &&
           scripts_text(scripts_of(s), session_arg(r, 1)).data;
}

bool session_script_command(struct session *s, const struct request *r)
{
    struct slice what = session_arg(r, 1);
    bool flush = slice_is(what, "flush");
    if (flush)
        scripts_clear(scripts_of(s));
    else if (slice_is(what, "load"))
        saw(s, session_arg(r, 2), router_node(r->upstream));
    return flush;
}
