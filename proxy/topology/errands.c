/* errands: see the header. The mutex is not held while an errand runs. */
#include "topology/errands.h"

void errands_init(struct errands *errands)
{
    pthread_mutex_init(&errands->mutex, NULL);
    list_init(&errands->queue);
}

void errands_add(struct errands *errands, struct errand *errand)
{
    pthread_mutex_lock(&errands->mutex);
    list_init(&errand->in_queue);
    list_append(&errands->queue, &errand->in_queue);
    pthread_mutex_unlock(&errands->mutex);
}

static void take_all(struct errands *errands, struct list *taken)
{
    list_init(taken);
    pthread_mutex_lock(&errands->mutex);
    list_splice(taken, &errands->queue);
    pthread_mutex_unlock(&errands->mutex);
}

void errands_run(struct errands *errands, struct control *control)
{
    struct list taken, *node;
    take_all(errands, &taken);
    while ((node = list_take(&taken))) {
        struct errand *errand = container_of(node, struct errand, in_queue);
        errand->run(errand, control);
    }
}

void errands_close(struct errands *errands)
{
    struct list *node;
    while ((node = list_take(&errands->queue))) {
        struct errand *errand = container_of(node, struct errand, in_queue);
        errand->drop(errand);
    }
    pthread_mutex_destroy(&errands->mutex);
}
