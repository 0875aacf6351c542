/*
 * load_guests: clients that come and go (load.h). What they do at each turn is drawn from the load's
 * seed: so sessions, leases and held requests end at every moment, with and without an answer
 * outstanding.
 */
#include "harness/client.h"
#include "harness/load_state.h"
#include "harness/wait.h"

#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 20, AGAIN_MS = 100 };

/* An answer that is no write's account. */
static void note_answer(struct load_client *me, const char *to, const char *reply)
{
    char text[200];
    snprintf(text, sizeof(text), "%s: %s", to, reply);
    load_note(me, load_kind_of(reply), -1, text);
}

static void push(struct load_client *me, redisContext *c)
{
    long sequence = load_new_write(me);
    const char *reply = ask(c, "RPUSH %s:%d %ld", me->load->options.name, me->number, sequence);
    load_write_answered(me, sequence, reply);
}

/* In one piece, or waiting for each answer. */
static void transaction(struct load_client *me, redisContext *c, bool in_steps)
{
    long sequence = load_new_write(me);
    const char *replies[3] = {"", "", ""};
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            say(c, "RPUSH %s:%d %ld", me->load->options.name, me->number, sequence);
        else
            say(c, i ? "EXEC" : "MULTI");
        if (in_steps)
            replies[i] = hear(c);
    }
    for (int i = 0; i < 3 && !in_steps; i++)
        replies[i] = hear(c);
    load_write_answered(me, sequence, replies[2]);
    for (int i = 0; i < 2; i++)
        if (replies[i][0] == '-' && replies[2][0] == '[')
            note_answer(me, i ? "RPUSH in MULTI" : "MULTI", replies[i]);
}

/* Nobody pushes there: nil it is, whatever happens meanwhile. */
static void block(struct load_client *me, redisContext *c, unsigned ms)
{
    const char *reply =
        ask(c, "BLPOP %s:nothing:%d 0.%03u", me->load->options.name, me->number, ms);
    if (strcmp(reply, "(nil)") != 0)
        note_answer(me, "BLPOP", reply);
}

static void subscribe(struct load_client *me, redisContext *c)
{
    const char *reply = ask(c, "SUBSCRIBE %s:news", me->load->options.name);
    if (reply[0] != '[')
        note_answer(me, "SUBSCRIBE", reply);
}

/* Says something and does not wait for the answer: its connection is closed after this. */
static void say_last(struct load_client *me, redisContext *c, unsigned which)
{
    const char *name = me->load->options.name;
    if (which == 0)
        say(c, "RPUSH %s:left:%d %ld", name, me->number, me->left++);
    else if (which == 1)
        say(c, "BLPOP %s:nothing:%d 0", name, me->number);
    else if (which == 2)
        say(c, "MULTI");
    if (which == 2)
        say(c, "RPUSH %s:left:%d %ld", name, me->number, me->left++);
    say_now(c);
}

/* Whether the guest stays. */
static bool turn(struct load_client *me, redisContext *c, unsigned *random)
{
    unsigned deed = (unsigned)rand_r(random) % 100, more = (unsigned)rand_r(random);
    if (deed < 40) {
        push(me, c);
    } else if (deed < 60) {
        transaction(me, c, more % 2);
    } else if (deed < 70) {
        block(me, c, 1 + more % 400);
    } else if (deed < 75) {
        subscribe(me, c);
        return false;
    } else if (deed < 90) {
        say_last(me, c, more % 4);
        return false;
    }
    return deed < 95;
}

void *load_run_guest(void *arg)
{
    struct load_client *me = arg;
    const struct load_options *o = &me->load->options;
    unsigned random = o->seed * 1000003u + (unsigned)me->number;
    redisContext *c = NULL;
    while (!atomic_load(&me->load->over)) {
        if (!c)
            c = client_open_as(o->host, o->write_port, o->user, o->password);
        bool stays = turn(me, c, &random), lost = c->err != 0;
        me->disconnects += lost;
        if (!stays || lost) {
            redisFree(c);
            c = NULL;
        }
        pause_ms(lost ? AGAIN_MS : PAUSE_MS);
    }
    if (c)
        redisFree(c);
    return NULL;
}
