/* relay: see the header. */
#include "threads/relay.h"

static void post(struct relay *relay, size_t to)
{
    relay->at = to;
    mailbox_post(&relay->shared->slots[to].box, &relay->mail);
}

static void go_on(struct relay *relay)
{
    post(relay, relay->one ? relay->home : (relay->at + 1) % relay->shared->worker_count);
}

static void come_home(struct relay *relay, struct relay_stop *home)
{
    if (relay->back)
        relay->back(relay, home);
    else
        relay->drop(relay);
}

static void on_open(struct mail *mail, void *reader)
{
    struct relay *relay = container_of(mail, struct relay, mail);
    struct relay_stop *stop = reader;
    if (stop->number == relay->home)
        come_home(relay, stop);
    else if (relay->visit(relay, stop))
        go_on(relay);
    else
        list_append(&stop->waiting, &mail->in_box);
}

static void on_drop(struct mail *mail)
{
    struct relay *relay = container_of(mail, struct relay, mail);
    relay->drop(relay);
}

static void address(struct relay *relay, const struct relay_stop *home)
{
    relay->mail = (struct mail){.open = on_open, .drop = on_drop};
    relay->shared = home->shared;
    relay->home = relay->at = home->number;
}

void relay_start(struct relay *relay, struct relay_stop *home)
{
    address(relay, home);
    relay->one = false;
    if (home->shared->worker_count == 1)
        come_home(relay, home);
    else
        go_on(relay);
}

void relay_start_here(struct relay *relay, struct relay_stop *home)
{
    address(relay, home);
    relay->one = false;
    if (!relay->visit(relay, home))
        list_append(&home->waiting, &relay->mail.in_box);
    else
        relay_start(relay, home);
}

static void on_begin(struct mail *mail, void *reader)
{
    relay_start_here(container_of(mail, struct relay, mail), reader);
}

void relay_start_from_outside(struct relay *relay, const struct shared *shared, size_t worker)
{
    relay->mail = (struct mail){.open = on_begin, .drop = on_drop};
    mailbox_post(&shared->slots[worker].box, &relay->mail);
}

void relay_start_at(struct relay *relay, struct relay_stop *home, size_t worker)
{
    address(relay, home);
    relay->one = true;
    post(relay, worker);
}

void relays_retry(struct relay_stop *stop)
{
    list_each (it, &stop->waiting) {
        struct relay *relay = container_of(it, struct relay, mail.in_box);
        if (!relay->visit(relay, stop))
            continue;
        list_remove(it);
        go_on(relay);
    }
}

void relays_drop(struct relay_stop *stop)
{
    struct list *node;
    while ((node = list_take(&stop->waiting)))
        on_drop(container_of(node, struct mail, in_box));
}
