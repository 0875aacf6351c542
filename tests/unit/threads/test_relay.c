/*
 * relay: a letter visits each of the other workers once and comes home; a worker may keep it for a
 * while; wherever it is when the workers end, it is dropped once. Here the test reads the mail.
 */
#include "threads/relay.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MOST = 4 };

struct house {
    struct shared *shared;
    struct relay_stop stops[MOST];
    bool rung[MOST];
};

struct letter {
    struct relay relay;
    char log[40]; /* a digit for each visit, "h": home, "d": dropped */
    size_t shy;   /* this worker says "not yet" */
    int not_yet;  /* so many times */
};

static void ring(void *arg)
{
    *(bool *)arg = true;
}

static void begin(struct house *h, size_t workers)
{
    memset(h, 0, sizeof(*h));
    h->shared = shared_new(workers, 1, 1);
    for (size_t i = 0; i < workers; i++) {
        h->stops[i].shared = h->shared;
        h->stops[i].number = i;
        list_init(&h->stops[i].waiting);
        mailbox_init(&h->shared->slots[i].box, ring, &h->rung[i]);
    }
}

static void end(struct house *h)
{
    for (size_t i = 0; i < h->shared->worker_count; i++) {
        mailbox_empty(&h->shared->slots[i].box);
        relays_drop(&h->stops[i]);
    }
    for (size_t i = 0; i < h->shared->worker_count; i++)
        mailbox_free(&h->shared->slots[i].box);
    shared_free(h->shared);
}

/* The worker's turn, if it was rung for. */
static void turn(struct house *h, size_t worker)
{
    if (h->rung[worker]) {
        h->rung[worker] = false;
        mailbox_read(&h->shared->slots[worker].box, &h->stops[worker]);
    }
    relays_retry(&h->stops[worker]);
}

static void note(struct relay *relay, char what)
{
    struct letter *letter = container_of(relay, struct letter, relay);
    size_t len = strlen(letter->log);

    cr_assert_lt(len + 1, sizeof(letter->log));
    letter->log[len] = what;
}

static bool visit(struct relay *relay, struct relay_stop *there)
{
    struct letter *letter = container_of(relay, struct letter, relay);

    if (there->number == letter->shy && letter->not_yet-- > 0)
        return false;
    note(relay, (char)('0' + there->number));
    return true;
}

static void back(struct relay *relay, struct relay_stop *home)
{
    cr_assert_eq(relay->home, home->number);
    note(relay, 'h');
}

static void drop(struct relay *relay)
{
    note(relay, 'd');
}

static struct letter letter(void)
{
    return (struct letter){.relay = {.visit = visit, .back = back, .drop = drop}};
}

Test(relay, visits_the_worker_where_it_begins_first)
{
    struct house h;
    for (size_t workers = 1; workers <= 3; workers++) {
        struct letter at_once = letter(), later = letter();
        at_once.shy = MOST;
        later.not_yet = 2; /* it is shy of worker 0 */
        begin(&h, workers);
        relay_start_here(&at_once.relay, &h.stops[0]);
        relay_start_here(&later.relay, &h.stops[0]);
        cr_assert_str_eq(later.log, "");
        for (size_t i = 0; i < 6 * workers; i++)
            turn(&h, i % workers);
        cr_assert_str_eq(at_once.log, workers == 1 ? "0h" : workers == 2 ? "01h" : "012h");
        cr_assert_str_eq(later.log, at_once.log);
        end(&h);
    }
}

Test(relay, visits_all_others_and_comes_home)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 4);
    relay_start(&l.relay, &h.stops[2]);
    for (int i = 0; i < 3; i++)
        for (size_t worker = 0; worker < 4; worker++)
            turn(&h, worker);
    cr_assert_str_eq(l.log, "301h");
    end(&h);
    cr_assert_str_eq(l.log, "301h");
}

Test(relay, is_over_at_once_where_there_are_no_others)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 1);
    relay_start(&l.relay, &h.stops[0]);
    cr_assert_str_eq(l.log, "h");
    end(&h);
}

Test(relay, goes_to_one_alone)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 4);
    relay_start_at(&l.relay, &h.stops[3], 1);
    for (size_t worker = 0; worker < 4; worker++)
        turn(&h, worker);
    cr_assert_str_eq(l.log, "1h");
    end(&h);
}

Test(relay, waits_where_it_is_told_to)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 3);
    l.shy = 1;
    l.not_yet = 3;
    relay_start(&l.relay, &h.stops[0]);
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(l.log, "");
        turn(&h, 1); /* the first time it is asked twice */
        turn(&h, 2);
    }
    cr_assert_str_eq(l.log, "12");
    turn(&h, 0);
    cr_assert_str_eq(l.log, "12h");
    end(&h);
}

Test(relay, is_dropped_wherever_it_is)
{
    struct house h;
    struct letter on_its_way = letter(), waiting = letter(), coming_home = letter();

    begin(&h, 3);
    waiting.shy = 1;
    waiting.not_yet = 100;
    relay_start(&waiting.relay, &h.stops[0]);
    relay_start_at(&coming_home.relay, &h.stops[0], 1);
    turn(&h, 1);
    relay_start(&on_its_way.relay, &h.stops[0]);
    end(&h);
    cr_assert_str_eq(waiting.log, "d");
    cr_assert_str_eq(coming_home.log, "1d");
    cr_assert_str_eq(on_its_way.log, "d");
}

Test(relay, from_outside_all_are_visited_and_the_first_is_home)
{
    for (size_t workers = 1; workers <= 3; workers++) {
        static const char *const logs[] = {"", "0h", "01h", "012h"};
        struct house h;
        struct letter l = letter();

        begin(&h, workers);
        relay_start_from_outside(&l.relay, h.shared, 0);
        for (size_t i = 0; i < workers; i++)
            turn(&h, i);
        turn(&h, 0);
        cr_assert_str_eq(l.log, logs[workers]);
        end(&h);
    }
}

Test(relay, from_outside_it_waits_and_is_dropped_as_any_other)
{
    struct house h;
    struct letter shy = letter(), unread = letter();

    begin(&h, 2);
    shy.shy = 0;
    shy.not_yet = 2;
    relay_start_from_outside(&shy.relay, h.shared, 0);
    turn(&h, 0);
    cr_assert_str_eq(shy.log, "");
    turn(&h, 0);
    turn(&h, 1);
    turn(&h, 0);
    cr_assert_str_eq(shy.log, "01h");
    relay_start_from_outside(&unread.relay, h.shared, 0);
    end(&h);
    cr_assert_str_eq(unread.log, "d");
}
