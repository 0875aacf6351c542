/*
 * upstream_write: writes what is queued, once a turn.
 *
 * Short requests are gathered into one piece of memory for the system call,
 * long ones, and those that hold a secret, are written from where they are.
 * What the kernel took is SENT, were it only the first byte: from then on the node may execute it.
 */
#include "nodes/upstream_parts.h"

#include <limits.h>
#include <string.h>

#define PARTS_MAX 64
/* What a system call is worth of a turn (turn_took()). */
#define FLUSH_STEPS 4
/* Longer requests are written from where they are. */
#define GATHER_MAX 1024

/* Fills `parts` with what is to be written, from send_at on. Returns how many there are. */
static int gather(struct upstream *up, struct iovec *parts)
{
    char *gathered = up->turn->gather;
    size_t room = sizeof(up->turn->gather), skip = up->sent;
    int count = 0;
    int left = up->window && up->state == UPSTREAM_READY ? upstream_left_in_window(up) : INT_MAX;
    bool open = false; /* the last part is gathered memory that may grow */

    for (struct list *it = up->send_at; it != &up->queue; it = it->next) {
        struct request *request = queued(it);
        char *data = request->data + skip;
        size_t len = request->len - skip;
        skip = 0;
        if (left-- == 0)
            break;
        if (len <= GATHER_MAX && !request->secret) {
            if (len > room || (!open && count == PARTS_MAX))
                break;
            memcpy(gathered, data, len);
            if (open)
                parts[count - 1].iov_len += len;
            else
                parts[count++] = (struct iovec){gathered, len};
            gathered += len;
            room -= len;
            open = true;
        } else {
            if (count == PARTS_MAX)
                break;
            parts[count++] = (struct iovec){data, len};
            open = false;
        }
    }
    return count;
}

/* Nobody answers it: it is done when it is written. */
static void written(struct upstream *up, struct request *request)
{
    list_remove(&request->in_upstream);
    request_deliver(&up->turn->requests, request, NULL, 0, true, true);
}

/* The kernel took `taken` bytes: whose were they? */
static void advance(struct upstream *up, size_t taken)
{
    while (taken > 0) {
        struct request *request = queued(up->send_at);
        size_t left = request->len - up->sent;
        request_move(request, REQUEST_SENT);
        if (taken < left) {
            up->sent += taken;
            return;
        }
        taken -= left;
        up->send_at = up->send_at->next;
        up->sent = 0;
        if (upstream_is_tunnel(up))
            written(up, request);
    }
}

static size_t parts_len(const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    return len;
}

void upstream_flush(struct upstream *up)
{
    struct iovec parts[PARTS_MAX];
    list_remove(&up->in_turn);
    if (!stream_is_open(&up->stream))
        return;
    while (up->send_at != &up->queue && !upstream_is_held_back(up)) {
        int count = gather(up, parts);
        ssize_t taken = stream_write(&up->stream, parts, count);
        if (taken < 0) {
            upstream_broke(up, (int)taken);
            return;
        }
        counter_add(&up->traffic->sent, (size_t)taken);
        counter_add(&up->node_traffic->sent, (size_t)taken);
        advance(up, (size_t)taken);
        turn_took(up->turn, FLUSH_STEPS + (size_t)taken / 1024);
        if ((size_t)taken < parts_len(parts, count))
            break;
    }
    upstream_update_want(up);
}
