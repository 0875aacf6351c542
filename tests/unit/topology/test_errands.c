/* errands: each is run or dropped once, and one that is run may bring another one. */
#include "topology/errands.h"

#include <criterion/criterion.h>

struct work {
    struct errand errand;
    struct errands *errands;
    struct work *next; /* that it brings; NULL: none */
    int run, dropped;
};

static void on_run(struct errand *errand, struct control *control)
{
    struct work *work = container_of(errand, struct work, errand);
    (void)control;
    work->run++;
    if (work->next)
        errands_add(work->errands, &work->next->errand);
}

static void on_drop(struct errand *errand)
{
    container_of(errand, struct work, errand)->dropped++;
}

Test(errands, each_is_run_or_dropped_once)
{
    struct errands errands;
    struct work works[3];
    errands_init(&errands);
    for (int i = 0; i < 3; i++)
        works[i] = (struct work){.errand = {.run = on_run, .drop = on_drop}, .errands = &errands};
    works[0].next = &works[2];
    errands_add(&errands, &works[0].errand);
    errands_add(&errands, &works[1].errand);
    errands_run(&errands, NULL);
    cr_expect(works[0].run == 1 && works[1].run == 1 && works[2].run == 0);
    errands_close(&errands);
    cr_expect(works[2].dropped == 1 && works[0].dropped + works[1].dropped == 0);
}
