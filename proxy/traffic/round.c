/* round: see the header. */
#include "traffic/round.h"

static void post(struct round *round, size_t to)
{
    round->at = to;
    mailbox_post(&round->office->desks[to].box, &round->mail);
}

static void go_on(struct round *round)
{
    post(round, round->one ? round->home : (round->at + 1) % round->office->desk_count);
}

static void come_home(struct round *round, struct session_host *home)
{
    if (round->back)
        round->back(round, home);
    else
        round->drop(round);
}

static void on_open(struct mail *mail, void *reader)
{
    struct round *round = container_of(mail, struct round, mail);
    struct session_host *host = reader;
    if (host->number == round->home)
        come_home(round, host);
    else if (round->visit(round, host))
        go_on(round);
    else
        list_append(&host->rounds, &mail->in_box);
}

static void on_drop(struct mail *mail)
{
    struct round *round = container_of(mail, struct round, mail);
    round->drop(round);
}

static void address(struct round *round, const struct session_host *home)
{
    round->mail = (struct mail){.open = on_open, .drop = on_drop};
    round->office = home->office;
    round->home = round->at = home->number;
}

void round_start(struct round *round, struct session_host *home)
{
    address(round, home);
    round->one = false;
    if (home->office->desk_count == 1)
        come_home(round, home);
    else
        go_on(round);
}

void round_start_at(struct round *round, struct session_host *home, size_t worker)
{
    address(round, home);
    round->one = true;
    post(round, worker);
}

void rounds_retry(struct session_host *host)
{
    list_each (it, &host->rounds) {
        struct round *round = container_of(it, struct round, mail.in_box);
        if (!round->visit(round, host))
            continue;
        list_remove(it);
        go_on(round);
    }
}

void rounds_drop(struct session_host *host)
{
    struct list *node;
    while ((node = list_take(&host->rounds)))
        on_drop(container_of(node, struct mail, in_box));
}
