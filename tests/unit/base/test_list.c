/*
 * list: members keep their order, and removing one twice is harmless.
 */
#include "base/list.h"

#include <criterion/criterion.h>

struct item {
    int number;
    struct list link;
};

static int sum_in_order(struct list *head)
{
    int sum = 0;

    list_each (it, head) {
        sum = sum * 10 + container_of(it, struct item, link)->number;
    }
    return sum;
}

Test(list, order_and_removal)
{
    struct list head;
    struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3};

    list_init(&head);
    cr_assert(list_empty(&head));
    cr_assert_null(list_take(&head));
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    list_prepend(&head, &a.link);
    cr_assert_eq(sum_in_order(&head), 123);
    list_remove(&b.link);
    list_remove(&b.link);
    cr_assert(!list_linked(&b.link));
    cr_assert_eq(sum_in_order(&head), 13);
    cr_assert_eq(list_take(&head), &a.link);
    cr_assert_eq(sum_in_order(&head), 3);
}

Test(list, walking_survives_removal_and_splice_moves_all)
{
    struct list one, two;
    struct item items[5];

    list_init(&one);
    list_init(&two);
    for (int i = 0; i < 5; i++) {
        items[i].number = i + 1;
        list_append(i < 2 ? &one : &two, &items[i].link);
    }
    list_splice(&one, &two);
    cr_assert(list_empty(&two));
    cr_assert_eq(sum_in_order(&one), 12345);
    list_splice(&one, &two);
    list_each (it, &one) {
        if (container_of(it, struct item, link)->number % 2 == 0)
            list_remove(it);
    }
    cr_assert_eq(sum_in_order(&one), 135);
}
