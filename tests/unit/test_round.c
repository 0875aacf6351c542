/*
 * round: a letter visits each of the other workers once and comes home; a worker may keep it for a
 * while; wherever it is when the workers end, it is dropped once. Here the test reads the mail.
 */
#include "traffic/round.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MOST = 4 };

struct house {
    struct office *office;
    struct session_host hosts[MOST];
    bool rung[MOST];
};

struct letter {
    struct round round;
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
    h->office = office_new(workers, 1);
    for (size_t i = 0; i < workers; i++) {
        h->hosts[i].office = h->office;
        h->hosts[i].number = i;
        list_init(&h->hosts[i].rounds);
        mailbox_init(&h->office->desks[i].box, ring, &h->rung[i]);
    }
}

static void end(struct house *h)
{
    for (size_t i = 0; i < h->office->desk_count; i++) {
        mailbox_empty(&h->office->desks[i].box);
        rounds_drop(&h->hosts[i]);
    }
    for (size_t i = 0; i < h->office->desk_count; i++)
        mailbox_free(&h->office->desks[i].box);
    office_free(h->office);
}

/* The worker's turn, if it was rung for. */
static void turn(struct house *h, size_t worker)
{
    if (h->rung[worker]) {
        h->rung[worker] = false;
        mailbox_read(&h->office->desks[worker].box, &h->hosts[worker]);
    }
    rounds_retry(&h->hosts[worker]);
}

static void note(struct round *round, char what)
{
    struct letter *letter = container_of(round, struct letter, round);
    size_t len = strlen(letter->log);

    cr_assert_lt(len + 1, sizeof(letter->log));
    letter->log[len] = what;
}

static bool visit(struct round *round, struct session_host *there)
{
    struct letter *letter = container_of(round, struct letter, round);

    if (there->number == letter->shy && letter->not_yet-- > 0)
        return false;
    note(round, (char)('0' + there->number));
    return true;
}

static void back(struct round *round, struct session_host *home)
{
    cr_assert_eq(round->home, home->number);
    note(round, 'h');
}

static void drop(struct round *round)
{
    note(round, 'd');
}

static struct letter letter(void)
{
    return (struct letter){.round = {.visit = visit, .back = back, .drop = drop}};
}

Test(round, visits_all_others_and_comes_home)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 4);
    round_start(&l.round, &h.hosts[2]);
    for (int i = 0; i < 3; i++)
        for (size_t worker = 0; worker < 4; worker++)
            turn(&h, worker);
    cr_assert_str_eq(l.log, "301h");
    end(&h);
    cr_assert_str_eq(l.log, "301h");
}

Test(round, is_over_at_once_where_there_are_no_others)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 1);
    round_start(&l.round, &h.hosts[0]);
    cr_assert_str_eq(l.log, "h");
    end(&h);
}

Test(round, goes_to_one_alone)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 4);
    round_start_at(&l.round, &h.hosts[3], 1);
    for (size_t worker = 0; worker < 4; worker++)
        turn(&h, worker);
    cr_assert_str_eq(l.log, "1h");
    end(&h);
}

Test(round, waits_where_it_is_told_to)
{
    struct house h;
    struct letter l = letter();

    begin(&h, 3);
    l.shy = 1;
    l.not_yet = 3;
    round_start(&l.round, &h.hosts[0]);
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

Test(round, is_dropped_wherever_it_is)
{
    struct house h;
    struct letter on_its_way = letter(), waiting = letter(), coming_home = letter();

    begin(&h, 3);
    waiting.shy = 1;
    waiting.not_yet = 100;
    round_start(&waiting.round, &h.hosts[0]);
    round_start_at(&coming_home.round, &h.hosts[0], 1);
    turn(&h, 1);
    round_start(&on_its_way.round, &h.hosts[0]);
    end(&h);
    cr_assert_str_eq(waiting.log, "d");
    cr_assert_str_eq(coming_home.log, "1d");
    cr_assert_str_eq(on_its_way.log, "d");
}
