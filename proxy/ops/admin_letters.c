/*
 * admin_letters: see the header. A letter's walk ends before it leaves a worker (session_walk() says when), so it has
 * nothing of that worker's when it comes home.
 */
#include "ops/admin_letters.h"

#include "session/session.h"

static void letter_home(struct mail *mail, void *reader)
{
    struct admin_letter *letter = container_of(mail, struct admin_letter, home);
    (void)reader;
    letter->done(letter, letter->lost);
}

static void letter_unread(struct mail *mail)
{
    letter_home(mail, NULL);
}

static void post_letter(struct relay *relay, bool lost)
{
    struct admin_letter *letter = admin_letter_of(relay);
    letter->lost = lost;
    mailbox_post(&letter->core->box, &letter->home);
}

static void on_back(struct relay *relay, struct relay_stop *home)
{
    (void)home;
    post_letter(relay, false);
}

static void on_dropped(struct relay *relay)
{
    session_walk_end(&admin_letter_of(relay)->walk);
    post_letter(relay, true);
}

void admin_letter_send(struct admin_letter *letter, struct admin_core *core, relay_visit *visit,
                       void (*done)(struct admin_letter *letter, bool lost))
{
    letter->relay.visit = visit;
    letter->relay.back = on_back;
    letter->relay.drop = on_dropped;
    letter->home = (struct mail){.open = letter_home, .drop = letter_unread};
    letter->core = core;
    letter->done = done;
    session_walk_init(&letter->walk);
    workers_ask(core->sources.workers, &letter->relay);
}

/* ---- errands ---- */

static void errand_home(struct mail *mail, void *reader)
{
    struct admin_errand *errand = container_of(mail, struct admin_errand, home);
    (void)reader;
    errand->done(errand, errand->lost);
}

static void errand_unread(struct mail *mail)
{
    errand_home(mail, NULL);
}

static void on_run(struct errand *errand, struct control *control)
{
    struct admin_errand *ours = container_of(errand, struct admin_errand, errand);
    ours->work(ours, control);
    mailbox_post(&ours->core->box, &ours->home);
}

static void on_drop(struct errand *errand)
{
    struct admin_errand *ours = container_of(errand, struct admin_errand, errand);
    ours->lost = true;
    mailbox_post(&ours->core->box, &ours->home);
}

void admin_errand_send(struct admin_errand *errand, struct admin_core *core,
                       void (*work)(struct admin_errand *errand, struct control *control),
                       void (*done)(struct admin_errand *errand, bool lost))
{
    errand->errand = (struct errand){.run = on_run, .drop = on_drop};
    errand->home = (struct mail){.open = errand_home, .drop = errand_unread};
    errand->core = core;
    errand->work = work;
    errand->done = done;
    control_run(core->sources.control, &errand->errand);
}
