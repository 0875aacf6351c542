/*
 * listener: who gets the descriptors, and what a client sees when there are
 * none left.
 */
#include "net/listener.h"

#include "unit/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#define MANY 100 /* more than one batch */

struct door {
    uv_loop_t loop;
    struct address at;
    struct listener *listener;
    int taken[MANY];
    int count;
    bool close_at_once;
    int other; /* a listening socket that got the closed one's number, and has a client */
};

/* A free port: bound by the listener itself, then asked for. */
static int bind_somewhere(struct address *at)
{
    int fd;

    cr_assert_eq(address_from_number(at, "127.0.2.3", 0), 0);
    fd = listener_bind(at, MANY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(getsockname(fd, &at->sa.any, &at->len), 0);
    return fd;
}

static int connect_to(const struct address *at)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, &at->sa.any, at->len), 0, "%s", strerror(errno));
    return fd;
}

static void on_accept(void *owner, int fd)
{
    struct door *door = owner;
    struct address other;

    door->taken[door->count++] = fd;
    if (door->close_at_once) {
        listener_close(door->listener);
        listener_close(door->listener); /* once more is harmless */
        door->other = bind_somewhere(&other);
        connect_to(&other);
    }
}

static void open_door(struct door *door)
{
    *door = (struct door){.count = 0};
    cr_assert_eq(uv_loop_init(&door->loop), 0);
    door->listener = listener_open(&door->loop, bind_somewhere(&door->at), on_accept, door);
    cr_assert_not_null(door->listener);
}

static int client(const struct door *door)
{
    return connect_to(&door->at);
}

Test(listener, a_taken_port_is_known_at_once)
{
    struct address at;
    int fd = bind_somewhere(&at);

    cr_assert_eq(listener_bind(&at, 1), -EADDRINUSE);
    close(fd);
}

Test(listener, a_port_of_a_process_that_just_ended_is_free)
{
    struct door door;
    int fd, mine;

    open_door(&door);
    mine = client(&door);
    until(door.count == 1, uv_run(&door.loop, UV_RUN_NOWAIT));
    close(door.taken[0]); /* our side first: its port waits in TIME_WAIT */
    cr_assert_eq(read(mine, (char[1]){0}, 1), 0);
    close(mine);
    listener_close(door.listener);
    loop_end(&door.loop);
    fd = listener_bind(&door.at, 1);
    cr_assert_geq(fd, 0, "%s", strerror(-fd));
    close(fd);
}

Test(listener, every_client_is_handed_over_once)
{
    struct door door;
    int mine[MANY];

    open_door(&door);
    for (int i = 0; i < MANY; i++)
        mine[i] = client(&door);
    until(door.count == MANY, uv_run(&door.loop, UV_RUN_NOWAIT));
    for (int i = 0; i < MANY; i++) {
        cr_assert(fcntl(door.taken[i], F_GETFL) & O_NONBLOCK);
        cr_assert(fcntl(door.taken[i], F_GETFD) & FD_CLOEXEC);
        close(door.taken[i]);
        close(mine[i]);
    }
    listener_close(door.listener);
    loop_end(&door.loop);
}

Test(listener, closing_in_the_callback_ends_it_there)
{
    struct door door;
    int first, second;

    open_door(&door);
    door.close_at_once = true;
    first = client(&door);
    second = client(&door);
    until(door.count > 0, uv_run(&door.loop, UV_RUN_NOWAIT));
    loop_end(&door.loop);
    cr_assert_eq(door.count, 1);
    cr_assert_leq(read(second, (char[1]){0}, 1), 0, "the other is not left waiting");
    cr_assert_eq(connect(socket(AF_INET, SOCK_STREAM, 0), &door.at.sa.any, door.at.len), -1);
    close(first);
    close(second);
    close(door.taken[0]);
    close(door.other);
}

/* Lets the process open no descriptor more; returns the limit that it had. */
static struct rlimit no_more_descriptors(void)
{
    struct rlimit had, now;
    int next = dup(0);

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &had), 0);
    close(next);
    now = (struct rlimit){(rlim_t)next, had.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    cr_assert_eq(dup(0), -1);
    return had;
}

Test(listener, without_descriptors_a_client_is_turned_away)
{
    struct door door;
    struct rlimit had;
    int turned_away, welcome;

    open_door(&door);
    turned_away = client(&door);
    had = no_more_descriptors();
    loop_turns(&door.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(door.count, 0);
    cr_assert_leq(recv(turned_away, (char[1]){0}, 1, 0), 0, "it hears of it");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &had), 0);
    welcome = client(&door);
    until(door.count == 1, uv_run(&door.loop, UV_RUN_NOWAIT));
    close(turned_away);
    close(welcome);
    close(door.taken[0]);
    listener_close(door.listener);
    loop_end(&door.loop);
}

/* Not even the spare one: epoll would tell of the client for ever. */
Test(listener, without_the_spare_one_nobody_is_accepted_for_a_moment)
{
    struct door door = {.count = 0};
    struct rlimit had;
    int fd, waiting;

    cr_assert_eq(uv_loop_init(&door.loop), 0);
    fd = bind_somewhere(&door.at);
    waiting = client(&door);
    had = no_more_descriptors();
    door.listener = listener_open(&door.loop, fd, on_accept, &door);
    uv_run(&door.loop, UV_RUN_NOWAIT);
    uv_run(&door.loop, UV_RUN_NOWAIT);
    struct pollfd loop = {.fd = uv_backend_fd(&door.loop), .events = POLLIN};
    cr_assert_eq(poll(&loop, 1, 0), 0, "nothing is to be done");
    cr_assert_gt(uv_backend_timeout(&door.loop), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &had), 0);
    until(door.count == 1, uv_run(&door.loop, UV_RUN_NOWAIT));
    close(waiting);
    close(door.taken[0]);
    listener_close(door.listener);
    loop_end(&door.loop);
}
