/* mail: see the header. The mutex is held for a few instructions, and never while a letter is open:
 * what is done then may be posting. */
#include "threads/mail.h"

#include "base/list.h"

#include <assert.h>

void mailbox_init(struct mailbox *box, void (*ring)(void *arg), void *arg)
{
    *box = (struct mailbox){.ring = ring, .arg = arg};
    pthread_mutex_init(&box->mutex, NULL);
    list_init(&box->mail);
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    pthread_mutex_lock(&box->mutex);
    bool first = list_empty(&box->mail);
    list_init(&mail->in_box);
    list_append(&box->mail, &mail->in_box);
    if (first && !box->shut)
        box->ring(box->arg); /* under the mutex: not after mailbox_shut() */
    pthread_mutex_unlock(&box->mutex);
}

void mailbox_ring(struct mailbox *box)
{
    pthread_mutex_lock(&box->mutex);
    if (box->ring && !box->shut)
        box->ring(box->arg);
    pthread_mutex_unlock(&box->mutex);
}

static void take_all(struct mailbox *box, struct list *taken)
{
    list_init(taken);
    pthread_mutex_lock(&box->mutex);
    list_splice(taken, &box->mail);
    pthread_mutex_unlock(&box->mutex);
}

void mailbox_read(struct mailbox *box, void *reader)
{
    struct list taken, *node;
    take_all(box, &taken);
    while ((node = list_take(&taken))) {
        struct mail *mail = container_of(node, struct mail, in_box);
        mail->open(mail, reader);
    }
}

void mailbox_shut(struct mailbox *box)
{
    pthread_mutex_lock(&box->mutex);
    box->shut = true;
    pthread_mutex_unlock(&box->mutex);
}

void mailbox_empty(struct mailbox *box)
{
    struct list taken, *node;
    take_all(box, &taken);
    while ((node = list_take(&taken))) {
        struct mail *mail = container_of(node, struct mail, in_box);
        mail->drop(mail);
    }
}

void mailbox_free(struct mailbox *box)
{
    assert(list_empty(&box->mail));
    pthread_mutex_destroy(&box->mutex);
}
