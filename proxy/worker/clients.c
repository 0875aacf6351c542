/* clients: see the header. */
#include "worker/clients.h"

#include "base/log.h"
#include "threads/mail.h"
#include "worker/worker_state.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void refuse(int fd, bool plain)
{
    static const char text[] = "-ERR max number of clients reached\r\n";
    if (plain && write(fd, text, sizeof(text) - 1) < 0)
        (void)0; /* it is closed either way */
    close(fd);
}

static void count_refused(struct worker *w, const struct traffic_listener_options *listener,
                          enum refuse_reason reason)
{
    counter_add(&w->host.counters->listeners[listener->number].refused[reason], 1);
}

/* A client of this worker from now on, or of nobody. */
static void take(struct worker *w, const struct traffic_listener_options *listener, int fd,
                 uint64_t id)
{
    w->given++;
    if (session_open(&w->host, listener, fd, id) != 0) {
        count_refused(w, listener, REFUSE_FAILED);
        log_event(LOG_WARN, "a client could not be taken", "reason=\"%s\"", strerror(errno));
    }
}

/* An accepted socket on its way to another worker, who may have other options by then: the listener's are kept. */
struct given_client {
    struct mail mail;
    const struct traffic_listener_options *listener;
    uint64_t id;
    int fd;
};

static void open_given(struct mail *mail, void *reader)
{
    struct given_client *given = container_of(mail, struct given_client, mail);
    take(container_of(session_host_at(reader), struct worker, host), given->listener, given->fd,
         given->id);
    traffic_listener_release(given->listener);
    free(given);
}

static void drop_given(struct mail *mail)
{
    struct given_client *given = container_of(mail, struct given_client, mail);
    close(given->fd);
    traffic_listener_release(given->listener);
    free(given);
}

static void give_to_worker(const struct shared *shared, size_t to,
                           const struct traffic_listener_options *listener, int fd, uint64_t id)
{
    struct given_client *given = calloc(1, sizeof(*given));
    if (!given)
        abort();
    *given = (struct given_client){.mail = {.open = open_given, .drop = drop_given},
                                   .listener = traffic_listener_retain(listener),
                                   .id = id,
                                   .fd = fd};
    mailbox_post(&shared->slots[to].box, &given->mail);
}

void clients_on_accept(void *owner, int fd)
{
    struct accept_point *point = owner;
    struct worker *w = point->worker;
    size_t to = balance_next(&w->balance, w->host.count, traffic_max_clients(w->options, fd));
    if (to == BALANCE_FULL) {
        count_refused(w, point->options, REFUSE_MAX_CLIENTS);
        refuse(fd, !point->options->tls);
        return;
    }
    uint64_t id = session_id_of(++w->accepted, to);
    atomic_store_explicit(&worker_slot_of(w)->accepted, w->accepted, memory_order_relaxed);
    if (to == w->host.stop.number)
        take(w, point->options, fd, id);
    else
        give_to_worker(w->host.stop.shared, to, point->options, fd, id);
}
