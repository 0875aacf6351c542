/*
 * admin: the thread, its connections, and what goes on between a request and its answer.
 *
 *     accept -> may this peer? -> a line -> verb->begin(call) ... admin_done(call) -> the answer -> the end
 *
 * A connection has one deadline from its beginning to its last byte, but for the time that its verb takes. Of too many the
 * oldest that only dawdles is cut; where all are being served, the new one is refused. A client that leaves loses its
 * answer; what it asked for goes on.
 */
#include "ops/admin.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "ops/admin_request.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
/* For the request's line, and once more for reading the answer. */
#define CONNECTION_MS 5000
/* How exactly that is looked at. */
#define LOOK_MS 100

struct admin {
    struct admin_core core;
    struct admin_socket *socket;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t async;
    uv_poll_t listening;
    uv_prepare_t prepare;
    uv_timer_t tick;
    uint64_t tick_ms;        /* 0: it is not running */
    bool starved;            /* there was no descriptor for a connection: until the next tick */
    struct list connections; /* the oldest first */
    size_t count;
    _Atomic(const struct config *) wanted, followed;
    atomic_bool stop;
};

struct connection {
    struct list entry;
    struct admin *admin;
    uv_poll_t poll;
    int fd;
    int64_t since_ms; /* it came, or was answered; */
    struct ucred peer;
    struct buf in, out;
    struct admin_call *call; /* is being worked on */
    bool closing;
};

/* ---- the end of a connection ---- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    close(c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}

static void end(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->call)
        c->call->connection = NULL; /* it goes on, and its answer is nobody's */
    list_remove(&c->entry);
    c->admin->count--;
    uv_close((uv_handle_t *)&c->poll, on_closed);
}

/* ---- the answer ---- */

static void on_event(uv_poll_t *poll, int status, int events);

static void write_out(struct connection *c)
{
    while (buf_len(&c->out) > 0) {
        ssize_t sent = send(c->fd, buf_head(&c->out), buf_len(&c->out), MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            uv_poll_start(&c->poll, UV_WRITABLE, on_event);
            return;
        }
        if (sent <= 0)
            break;
        buf_consume(&c->out, (size_t)sent);
    }
    end(c);
}

static void say(struct connection *c, const char *text, size_t len)
{
    c->since_ms = clock_ms();
    buf_append(&c->out, text, len);
    buf_append(&c->out, "\n", 1);
    write_out(c);
}

static void answered(struct admin_call *call, const char *text, size_t len)
{
    struct connection *c = call->connection;
    if (!c)
        return;
    c->call = NULL;
    say(c, text, len);
}

/* ---- the request ---- */

static void begin(struct connection *c, const char *line, size_t len)
{
    struct admin_call *call = calloc(1, sizeof(*call));
    if (!call)
        abort();
    *call = (struct admin_call){.core = &c->admin->core,
                                .request = cJSON_ParseWithLength(line, len),
                                .since_ms = clock_ms(),
                                .uid = c->peer.uid,
                                .pid = c->peer.pid,
                                .answered = answered,
                                .connection = c};
    c->call = call;
    uv_poll_stop(&c->poll);
    admin_request_begin(call);
}

static void refuse(struct connection *c, const char *why)
{
    char text[300];
    int len = snprintf(text, sizeof(text), "{\"version\":%d,\"ok\":false,\"error\":\"%s\"}",
                       ADMIN_VERSION, why);
    say(c, text, (size_t)len);
}

static void read_in(struct connection *c)
{
    char *room = buf_reserve(&c->in, ADMIN_LINE_MAX);
    ssize_t got = recv(c->fd, room, ADMIN_LINE_MAX, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        end(c);
        return;
    }
    buf_grew(&c->in, (size_t)got);
    const char *line_end = memchr(buf_head(&c->in), '\n', buf_len(&c->in));
    if (line_end && (size_t)(line_end - buf_head(&c->in)) <= ADMIN_LINE_MAX)
        begin(c, buf_head(&c->in), (size_t)(line_end - buf_head(&c->in)));
    else if (buf_len(&c->in) > ADMIN_LINE_MAX)
        refuse(c, "the request is too long: one line of 8 KB at most");
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct connection *c = poll->data;
    if (status < 0)
        end(c);
    else if (buf_len(&c->out) > 0)
        write_out(c);
    else if (events & UV_READABLE)
        read_in(c);
}

/* ---- coming ---- */

/* Room for one more: cuts the oldest whose request has not come, or whose answer is not read. */
static bool make_room(struct admin *admin)
{
    list_each (it, &admin->connections) {
        struct connection *c = container_of(it, struct connection, entry);
        if (admin->count < CONNECTIONS_MAX)
            break;
        if (!c->call)
            end(c);
    }
    return admin->count < CONNECTIONS_MAX;
}

static void welcome(struct admin *admin, int fd)
{
    struct connection *c = calloc(1, sizeof(*c));
    socklen_t len = sizeof(c->peer);
    if (!c)
        abort();
    c->admin = admin;
    c->fd = fd;
    c->since_ms = clock_ms();
    list_init(&c->entry);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &len) != 0 ||
        uv_poll_init(&admin->loop, &c->poll, fd) != 0) {
        close(fd);
        free(c);
        return;
    }
    c->poll.data = c;
    bool room = make_room(admin);
    list_append(&admin->connections, &c->entry);
    admin->count++;
    if (!admin_socket_admits(admin->socket, fd, &c->peer)) {
        log_event(LOG_WARN, "administration is refused", "uid=%lu pid=%ld",
                  (unsigned long)c->peer.uid, (long)c->peer.pid);
        refuse(c, "this is for the proxy's user, root, and the members of admin_group");
    } else if (!room) {
        refuse(c, "too many requests are being worked on: try again");
    } else {
        uv_poll_start(&c->poll, UV_READABLE, on_event);
    }
}

static void on_listening(uv_poll_t *poll, int status, int events)
{
    struct admin *admin = poll->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int fd = accept4(admin->socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            admin->starved = uv_poll_stop(poll) == 0; /* the loop would not sleep */
        if (fd < 0)
            return;
        welcome(admin, fd);
    }
}

/* ---- time ---- */

static void cut_late(struct admin *admin, int64_t now)
{
    list_each (it, &admin->connections) {
        struct connection *c = container_of(it, struct connection, entry);
        if (!c->call && now - c->since_ms >= CONNECTION_MS)
            end(c);
    }
}

static void step_jobs(struct admin *admin, int64_t now, bool ending)
{
    struct list due, *node;
    list_init(&due);
    list_splice(&due, &admin->core.jobs);
    while ((node = list_take(&due))) {
        struct admin_job *job = container_of(node, struct admin_job, in_jobs);
        if (job->step(job, now, ending))
            list_append(&admin->core.jobs, node);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct admin *admin = timer->data;
    int64_t now = clock_ms();
    cut_late(admin, now);
    step_jobs(admin, now, false);
    if (admin->starved)
        uv_poll_start(&admin->listening, UV_READABLE, on_listening);
    admin->starved = false;
}

/* While there is nothing to do, the thread sleeps. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct admin *admin = prepare->data;
    uint64_t wanted = !list_empty(&admin->core.jobs)       ? ADMIN_STEP_MS
                      : admin->count > 0 || admin->starved ? LOOK_MS
                                                           : 0;
    if (wanted == admin->tick_ms || admin->core.ending)
        return;
    admin->tick_ms = wanted;
    if (wanted)
        uv_timer_start(&admin->tick, on_tick, wanted, wanted);
    else
        uv_timer_stop(&admin->tick);
}

/* ---- life ---- */

static void shut(struct admin *admin)
{
    if (admin->core.ending)
        return;
    admin->core.ending = true;
    mailbox_shut(&admin->core.box);
    step_jobs(admin, clock_ms(), true);
    list_each (it, &admin->connections)
        end(container_of(it, struct connection, entry));
    uv_close((uv_handle_t *)&admin->listening, NULL);
    uv_close((uv_handle_t *)&admin->tick, NULL);
    uv_close((uv_handle_t *)&admin->prepare, NULL);
    uv_close((uv_handle_t *)&admin->async, NULL);
}

/* Between two callbacks nobody has a pointer into the one before. */
static void follow(struct admin *admin)
{
    const struct config *wanted = atomic_load(&admin->wanted);
    admin->core.sources.config = wanted;
    atomic_store(&admin->followed, wanted);
}

static void on_async(uv_async_t *async)
{
    struct admin *admin = async->data;
    follow(admin);
    mailbox_read(&admin->core.box, admin);
    if (atomic_load(&admin->stop))
        shut(admin);
}

static void ring(void *arg)
{
    struct admin *admin = arg;
    uv_async_send(&admin->async);
}

static void *run(void *arg)
{
    struct admin *admin = arg;
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    return NULL;
}

struct admin *admin_start(struct admin_socket *listening, const struct admin_sources *sources)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin)
        abort();
    admin->socket = listening;
    admin->core.sources = *sources;
    atomic_init(&admin->wanted, sources->config);
    atomic_init(&admin->followed, sources->config);
    admin->core.loop = &admin->loop;
    admin->core.started_ms = clock_ms();
    admin->core.started_wall_ms = clock_wall_ms();
    list_init(&admin->core.jobs);
    list_init(&admin->connections);
    if (uv_loop_init(&admin->loop) || uv_async_init(&admin->loop, &admin->async, on_async) ||
        uv_timer_init(&admin->loop, &admin->tick) ||
        uv_prepare_init(&admin->loop, &admin->prepare) ||
        uv_poll_init(&admin->loop, &admin->listening, listening->fd))
        abort(); /* no descriptors or memory for one loop: nothing can run */
    admin->async.data = admin->tick.data = admin->listening.data = admin->prepare.data = admin;
    mailbox_init(&admin->core.box, ring, admin);
    uv_prepare_start(&admin->prepare, on_prepare);
    uv_poll_start(&admin->listening, UV_READABLE, on_listening);
    int error = pthread_create(&admin->thread, NULL, run, admin);
    if (!error)
        return admin;
    log_event(LOG_ERROR, "the admin thread cannot start", "error=\"%s\"", strerror(error));
    shut(admin);
    run(admin);
    uv_loop_close(&admin->loop);
    mailbox_free(&admin->core.box);
    free(admin);
    return NULL;
}

void admin_follow(struct admin *admin, const struct config *config)
{
    if (!admin)
        return;
    atomic_store(&admin->wanted, config);
    uv_async_send(&admin->async);
}

bool admin_follows(const struct admin *admin, const struct config *config)
{
    return !admin || atomic_load(&admin->followed) == config;
}

void admin_draining(struct admin *admin)
{
    if (admin)
        atomic_store(&admin->core.draining, true);
}

void admin_stop(struct admin *admin)
{
    if (!admin)
        return;
    atomic_store(&admin->stop, true);
    uv_async_send(&admin->async);
    pthread_join(admin->thread, NULL);
    uv_loop_close(&admin->loop);
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    mailbox_empty(&admin->core.box);
    mailbox_free(&admin->core.box);
    free(admin);
}
