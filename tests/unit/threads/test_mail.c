/*
 * mail: every letter is opened by its reader, in order, or dropped, exactly once; the bell rings when
 * there is something to read, and never after the box was shut.
 */
#include "threads/mail.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WRITERS = 3, LETTERS = 20000 };

struct reader {
    struct mailbox box;
    atomic_uint rung;
    unsigned opened[WRITERS], dropped;
    struct mail *answer; /* posted while a letter is open */
};

struct letter {
    struct mail mail;
    unsigned writer, number; /* number: 1, 2, 3, ... of its writer */
    struct reader *to;
};

static void ring(void *arg)
{
    struct reader *reader = arg;

    atomic_fetch_add(&reader->rung, 1);
}

static void on_open(struct mail *mail, void *arg)
{
    struct letter *letter = container_of(mail, struct letter, mail);
    struct reader *reader = arg;

    cr_assert_eq(letter->number, ++reader->opened[letter->writer]);
    if (reader->answer)
        mailbox_post(&reader->box, reader->answer);
    reader->answer = NULL;
    free(letter);
}

static void on_drop(struct mail *mail)
{
    struct letter *letter = container_of(mail, struct letter, mail);

    letter->to->dropped++;
    free(letter);
}

static struct letter *letter_new(struct reader *to, unsigned writer, unsigned number)
{
    struct letter *letter = calloc(1, sizeof(*letter));

    *letter = (struct letter){
        .mail = {.open = on_open, .drop = on_drop}, .writer = writer, .number = number, .to = to};
    return letter;
}

static void post(struct reader *to, unsigned number)
{
    mailbox_post(&to->box, &letter_new(to, 0, number)->mail);
}

static void begin(struct reader *reader)
{
    *reader = (struct reader){.dropped = 0};
    mailbox_init(&reader->box, ring, reader);
}

Test(mail, is_read_in_order)
{
    struct reader r;

    begin(&r);
    mailbox_read(&r.box, &r);
    post(&r, 1);
    post(&r, 2);
    cr_assert_geq(r.rung, 1);
    cr_assert_eq(r.opened[0], 0, "it is opened by its reader");
    mailbox_read(&r.box, &r);
    cr_assert_eq(r.opened[0], 2);
    unsigned before = r.rung;
    post(&r, 3);
    cr_assert_gt(r.rung, before, "the reader has gone since");
    mailbox_read(&r.box, &r);
    cr_assert_eq(r.opened[0], 3);
    mailbox_free(&r.box);
}

Test(mail, may_be_written_while_one_is_open)
{
    struct reader r;

    begin(&r);
    r.answer = &letter_new(&r, 0, 2)->mail;
    post(&r, 1);
    unsigned before = r.rung;
    mailbox_read(&r.box, &r);
    cr_assert_eq(r.opened[0], 1);
    cr_assert_gt(r.rung, before);
    mailbox_read(&r.box, &r);
    cr_assert_eq(r.opened[0], 2);
    mailbox_free(&r.box);
}

Test(mail, is_dropped_when_the_reader_has_gone)
{
    struct reader r;

    begin(&r);
    post(&r, 1);
    mailbox_shut(&r.box);
    unsigned before = r.rung;
    post(&r, 2);
    cr_assert_eq(r.rung, before, "its loop is closed");
    mailbox_empty(&r.box);
    cr_assert_eq(r.dropped, 2);
    cr_assert_eq(r.opened[0], 0);
    mailbox_free(&r.box);
}

/* ---- several threads ---- */

struct writer {
    pthread_t thread;
    struct reader *to;
    unsigned number;
};

static void *write_many(void *arg)
{
    const struct writer *writer = arg;

    for (unsigned i = 1; i <= LETTERS; i++)
        mailbox_post(&writer->to->box, &letter_new(writer->to, writer->number, i)->mail);
    return NULL;
}

/* Reads only what it was rung for, as a loop does that sleeps otherwise. */
Test(mail, of_several_writers_arrives, .timeout = 60)
{
    struct writer writers[WRITERS];
    struct reader r;
    unsigned all = 0;

    begin(&r);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.to = &r, .number = i};
        cr_assert_eq(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    while (all < WRITERS * LETTERS) {
        if (atomic_exchange(&r.rung, 0))
            mailbox_read(&r.box, &r);
        all = r.opened[0] + r.opened[1] + r.opened[2];
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    mailbox_free(&r.box);
}
