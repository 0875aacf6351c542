/* handover: see the header. */
#include "worker/handover.h"

#include "base/log.h"
#include "net/channel.h"
#include "session/life.h"
#include "session/move.h"
#include "session/mover.h"
#include "session/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many sessions at most are unpacked in one turn: some twenty microseconds each. */
#define PENDING_MAX 64

/* ---- the channel ---- */

struct handover_channel *handover_channel_new(int fd)
{
    struct handover_channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        abort();
    channel->fd = fd;
    atomic_init(&channel->users, 1);
    pthread_mutex_init(&channel->mutex, NULL);
    pthread_cond_init(&channel->opened, NULL);
    return channel;
}

struct handover_channel *handover_channel_use(struct handover_channel *channel)
{
    atomic_fetch_add(&channel->users, 1);
    return channel;
}

void handover_channel_leave(struct handover_channel *channel)
{
    if (!channel || atomic_fetch_sub(&channel->users, 1) > 1)
        return;
    close(channel->fd);
    pthread_cond_destroy(&channel->opened);
    pthread_mutex_destroy(&channel->mutex);
    free(channel);
}

void handover_channel_abandon(struct handover_channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    atomic_store(&channel->abandoned, true);
    pthread_cond_broadcast(&channel->opened);
    pthread_mutex_unlock(&channel->mutex);
    shutdown(channel->fd, SHUT_RDWR);
}

static void wait_for_room(struct handover_channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    while (channel->pending >= PENDING_MAX && !atomic_load(&channel->abandoned))
        pthread_cond_wait(&channel->opened, &channel->mutex);
    channel->pending++;
    pthread_mutex_unlock(&channel->mutex);
}

static void make_room(struct handover_channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    channel->pending--;
    pthread_cond_signal(&channel->opened);
    pthread_mutex_unlock(&channel->mutex);
}

/* ---- the old process ---- */

int handover_send(void *arg, const struct buf *packed, const int *fds, int fd_count)
{
    const struct handover_channel *channel = arg;
    return channel_send(channel->fd, buf_head(packed), buf_len(packed), fds, fd_count, false);
}

struct answer {
    struct mail mail;
    uint64_t id;
    bool taken;
};

static void open_answer(struct mail *mail, void *reader)
{
    struct answer *answer = container_of(mail, struct answer, mail);
    struct session_mover *mover = session_host_at(reader)->mover;
    if (mover)
        session_mover_answered(mover, answer->id, answer->taken);
    free(answer);
}

static void drop_answer(struct mail *mail)
{
    free(container_of(mail, struct answer, mail));
}

void handover_answer(struct worker_slot *slot, uint64_t id, bool taken)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        abort();
    *answer = (struct answer){
        .mail = {.open = open_answer, .drop = drop_answer}, .id = id, .taken = taken};
    mailbox_post(&slot->box, &answer->mail);
}

/* ---- the new process ---- */

struct arrival {
    struct mail mail;
    struct handover_channel *channel;
    const struct traffic_listener_options *listener;
    uint64_t id;
    int fds[2];
    size_t len;
    char packed[];
};

static void forget(struct arrival *arrival)
{
    explicit_bzero(arrival->packed, arrival->len);
    traffic_listener_release(arrival->listener);
    make_room(arrival->channel);
    handover_channel_leave(arrival->channel);
    free(arrival);
}

bool handover_tell(struct handover_channel *channel, uint64_t id, bool taken)
{
    char text[48];
    int len = snprintf(text, sizeof(text), "%s %" PRIu64, taken ? "taken" : "refused", id);
    atomic_fetch_add(taken ? &channel->taken : &channel->refused, 1);
    return channel_send(channel->fd, text, (size_t)len, NULL, 0, true) == 0;
}

/* Nothing of it is read before this returns. If the old process has gone, it is this one's all the same: nobody else has
 * it. */
static void open_arrival(struct mail *mail, void *reader)
{
    struct arrival *arrival = container_of(mail, struct arrival, mail);
    struct session_host *host = session_host_at(reader);
    const char *why = "";
    bool taken = session_unpack(host, arrival->listener, arrival->fds[0], arrival->fds[1],
                                arrival->packed, arrival->len, &why) == 0;
    if (!taken)
        log_event(LOG_WARN, "a session could not be taken over",
                  "session=%" PRIu64 " reason=\"%s\"", arrival->id, why);
    if (!handover_tell(arrival->channel, arrival->id, taken) && taken &&
        atomic_load(&arrival->channel->abandoned))
        session_close(container_of(host->sessions.prev, struct session, in_host), CLOSED_MOVED,
                      "it stays with the other process");
    forget(arrival);
}

static void drop_arrival(struct mail *mail)
{
    struct arrival *arrival = container_of(mail, struct arrival, mail);
    for (int i = 0; i < 2; i++)
        if (arrival->fds[i] >= 0)
            close(arrival->fds[i]);
    forget(arrival);
}

void handover_post(struct worker_slot *slot, struct handover_channel *channel,
                   const struct traffic_listener_options *listener, uint64_t id, const char *packed,
                   size_t len, const int *fds, int fd_count)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival) + len);
    if (!arrival)
        abort();
    wait_for_room(channel);
    *arrival = (struct arrival){.mail = {.open = open_arrival, .drop = drop_arrival},
                                .channel = handover_channel_use(channel),
                                .listener = traffic_listener_keep(listener),
                                .id = id,
                                .fds = {fds[0], fd_count > 1 ? fds[1] : -1},
                                .len = len};
    memcpy(arrival->packed, packed, len);
    mailbox_post(&slot->box, &arrival->mail);
}
