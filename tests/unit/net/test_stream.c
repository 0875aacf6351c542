/*
 * stream: what the owner is told, how often, and what a read, a write and a
 * close do to the socket, over a socket pair and over loopback.
 */
#include "net/stream.h"

#include "base/list.h"
#include "unit/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* An owner that counts what it hears. */
struct ear {
    struct stream stream;
    uv_loop_t loop;
    int peer;
    int opened, readable, writable, gone, failed, closed;
    int error;
    bool close_on_event;
};

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct ear *ear = container_of(stream, struct ear, stream);

    ear->opened += (events & STREAM_OPEN) != 0;
    ear->readable += (events & STREAM_READABLE) != 0;
    ear->writable += (events & STREAM_WRITABLE) != 0;
    ear->gone += (events & STREAM_GONE) != 0;
    ear->failed += error != 0;
    ear->error = error;
    if (ear->close_on_event)
        stream_close(stream);
}

static void on_closed(struct stream *stream)
{
    container_of(stream, struct ear, stream)->closed++;
}

static int heard(const struct ear *ear)
{
    return ear->opened + ear->readable + ear->writable + ear->gone + ear->failed;
}

/* One end of a socket pair is the stream, the other the peer. */
static void pair(struct ear *ear)
{
    int ends[2];

    memset(ear, 0, sizeof(*ear));
    cr_assert_eq(uv_loop_init(&ear->loop), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ear->peer = ends[1];
    cr_assert_eq(stream_accept(&ear->stream, &ear->loop, ends[0], on_event, on_closed), 0);
    cr_assert(stream_is_open(&ear->stream));
}

static void end(struct ear *ear)
{
    stream_close(&ear->stream);
    loop_end(&ear->loop);
    cr_assert_eq(ear->closed, 1);
    if (ear->peer >= 0)
        close(ear->peer);
}

static void say(struct ear *ear, const char *text)
{
    cr_assert_eq(write(ear->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void reads(struct ear *ear, size_t room, const char *wanted)
{
    char got[64] = "";

    cr_assert_eq(stream_read(&ear->stream, got, room), (ssize_t)strlen(wanted), "%s", got);
    cr_assert_str_eq(got, wanted);
}

Test(stream, the_owner_pulls_what_it_wants)
{
    struct ear ear;

    pair(&ear);
    say(&ear, "hello, world");
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 0, "reading was not asked for");
    stream_want(&ear.stream, STREAM_READABLE);
    until(ear.readable == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    reads(&ear, 5, "hello");
    until(ear.readable == 2, uv_run(&ear.loop, UV_RUN_NOWAIT)); /* the rest is still there */
    reads(&ear, 60, ", world");
    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 1), 0);
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 2);
    stream_want(&ear.stream, 0);
    say(&ear, "more");
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 2, "reading was switched off");
    end(&ear);
}

/* ---- writing ---- */

#define MUCH (3 * 1000 * 1000)

static char byte_at(size_t at)
{
    return (char)(at * 31 + at / 251);
}

/* Offers what is left in three uneven pieces; returns what the kernel took. */
static ssize_t write_rest(struct ear *ear, char *bytes, size_t from)
{
    size_t left = MUCH - from, third = left / 3;
    struct iovec parts[3] = {{bytes + from, third},
                             {bytes + from + third, 7 < left - third ? 7 : left - third},
                             {NULL, 0}};
    size_t two = parts[0].iov_len + parts[1].iov_len;

    parts[2] = (struct iovec){bytes + from + two, left - two};
    return stream_write(&ear->stream, parts, 3);
}

/* Reads exactly `len` bytes at the peer and no more: they must be those that follow `from`. */
static void peer_has(struct ear *ear, size_t from, size_t len)
{
    char got[65536];

    for (size_t at = 0; at < len;) {
        ssize_t n = recv(ear->peer, got, sizeof(got), MSG_DONTWAIT);
        cr_assert_gt(n, 0, "%zu of %zu bytes came", at, len);
        for (ssize_t i = 0; i < n; i++, at++)
            if (got[i] != byte_at(from + at))
                cr_assert_fail("byte %zu is wrong", from + at);
        cr_assert_leq(at, len, "more came than was taken");
    }
    cr_assert_eq(recv(ear->peer, got, 1, MSG_DONTWAIT), -1);
}

Test(stream, a_partial_write_is_reported_to_the_byte)
{
    char *bytes = malloc(MUCH);
    struct ear ear;
    size_t sent = 0;
    int partial = 0;

    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = byte_at(i);
    pair(&ear);
    stream_want(&ear.stream, STREAM_WRITABLE);
    while (sent < MUCH) {
        int before = ear.writable;
        ssize_t taken;
        until(ear.writable > before, uv_run(&ear.loop, UV_RUN_NOWAIT));
        taken = write_rest(&ear, bytes, sent);
        cr_assert_gt(taken, 0);
        if (sent + (size_t)taken < MUCH) {
            partial++;
            cr_assert_eq(write_rest(&ear, bytes, sent + (size_t)taken), 0, "the kernel is full");
            before = ear.writable;
            loop_turns(&ear.loop, LOOP_QUIET_TURNS);
            cr_assert_eq(ear.writable, before, "and says so");
        }
        peer_has(&ear, sent, (size_t)taken);
        sent += (size_t)taken;
    }
    cr_assert_gt(partial, 2);
    end(&ear);
    free(bytes);
}

Test(stream, writing_to_a_peer_that_left_is_an_error_and_no_signal)
{
    struct ear ear;

    pair(&ear);
    close(ear.peer);
    ear.peer = -1;
    cr_assert_eq(stream_write(&ear.stream, &(struct iovec){"x", 1}, 1), UV_EPIPE);
    end(&ear);
}

/* ---- the peer goes ---- */

Test(stream, gone_is_told_once_while_nobody_reads)
{
    struct ear ear;

    pair(&ear);
    say(&ear, "bye");
    close(ear.peer);
    ear.peer = -1;
    until(ear.gone == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 1, "told once, and nothing else");
    stream_want(&ear.stream, STREAM_READABLE);
    until(ear.readable > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    reads(&ear, 60, "bye"); /* what was said before is not lost */
    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 1), UV_EOF);
    cr_assert_eq(ear.gone, 1);
    end(&ear);
}

Test(stream, with_reading_on_the_end_is_something_to_read)
{
    struct ear ear;

    pair(&ear);
    stream_want(&ear.stream, STREAM_READABLE);
    close(ear.peer);
    ear.peer = -1;
    until(ear.readable > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 1), UV_EOF);
    end(&ear);
}

/* ---- connecting ---- */

static void connect_to(struct ear *ear, const struct sockaddr_in *at)
{
    struct address to = {.sa.v4 = *at, .len = sizeof(*at)};
    int status;

    memset(ear, 0, sizeof(*ear));
    ear->peer = -1;
    cr_assert_eq(uv_loop_init(&ear->loop), 0);
    status = stream_connect(&ear->stream, &ear->loop, &to, on_event, on_closed);
    cr_assert_eq(status, 0, "%s", uv_strerror(status));
    cr_assert_eq(heard(ear), 0, "never before it returns");
    cr_assert_not(stream_is_open(&ear->stream));
}

static void open_over_loopback(struct ear *ear)
{
    struct sockaddr_in at;
    int door = bound_socket(&at);

    cr_assert_eq(listen(door, 1), 0);
    connect_to(ear, &at);
    until(heard(ear) > 0, uv_run(&ear->loop, UV_RUN_NOWAIT));
    cr_assert_eq(ear->opened, 1);
    cr_assert_eq(heard(ear), 1);
    ear->peer = accept(door, NULL, NULL);
    cr_assert_geq(ear->peer, 0);
    close(door);
}

Test(stream, a_connection_opens_once)
{
    struct ear ear;

    open_over_loopback(&ear);
    cr_assert(stream_is_open(&ear.stream));
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 1);
    cr_assert_eq(stream_write(&ear.stream, &(struct iovec){"ping", 4}, 1), 4);
    cr_assert_eq(recv(ear.peer, (char[8]){0}, 8, 0), 4);
    end(&ear);
}

static int option(const struct ear *ear, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    cr_assert_eq(getsockopt(ear->stream.fd, level, name, &value, &len), 0);
    return value;
}

static void is_watched(const struct ear *ear, int seconds, int every, int user_timeout_ms)
{
    cr_assert_eq(option(ear, SOL_SOCKET, SO_KEEPALIVE), seconds > 0);
    if (seconds > 0) {
        cr_assert_eq(option(ear, IPPROTO_TCP, TCP_KEEPIDLE), seconds);
        cr_assert_eq(option(ear, IPPROTO_TCP, TCP_KEEPINTVL), every);
        cr_assert_eq(option(ear, IPPROTO_TCP, TCP_KEEPCNT), 3);
    }
    cr_assert_eq(option(ear, IPPROTO_TCP, TCP_USER_TIMEOUT), user_timeout_ms);
}

Test(stream, a_peer_is_watched_as_the_owner_says)
{
    struct ear ear;

    open_over_loopback(&ear);
    is_watched(&ear, 15, 5, 10000);
    stream_watch_peer(&ear.stream, 300000, 0);
    is_watched(&ear, 300, 100, 0);
    stream_watch_peer(&ear.stream, 1000, 60000);
    is_watched(&ear, 1, 1, 60000);
    stream_watch_peer(&ear.stream, 0, 0);
    is_watched(&ear, 0, 0, 0);
    end(&ear);
}

Test(stream, a_reset_is_told_once_while_nobody_reads)
{
    struct linger at_once = {.l_onoff = 1};
    struct ear ear;

    open_over_loopback(&ear);
    cr_assert_eq(setsockopt(ear.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(ear.peer);
    ear.peer = -1;
    until(ear.gone == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(ear.gone, 1);
    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 1), UV_ECONNRESET);
    end(&ear);
}

/* An owner reads so much at a time: it must hear of the rest, and then of the end. */
Test(stream, what_came_before_a_reset_is_told_of_until_it_is_read)
{
    struct linger at_once = {.l_onoff = 1};
    struct ear ear;

    open_over_loopback(&ear);
    stream_want(&ear.stream, STREAM_READABLE);
    say(&ear, "hello, world");
    cr_assert_eq(setsockopt(ear.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(ear.peer);
    ear.peer = -1;
    until(ear.readable == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    reads(&ear, 5, "hello");
    until(ear.readable == 2, uv_run(&ear.loop, UV_RUN_NOWAIT));
    reads(&ear, 60, ", world");
    until(ear.readable == 3, uv_run(&ear.loop, UV_RUN_NOWAIT));
    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 1), UV_ECONNRESET);
    cr_assert_leq(ear.gone, 1, "said once");
    end(&ear);
}

/* Otherwise it would never learn that its bytes go nowhere, and the loop would never sleep. */
Test(stream, an_owner_that_only_writes_hears_of_a_reset_as_writable)
{
    struct linger at_once = {.l_onoff = 1};
    char *bytes = calloc(1, MUCH);
    struct ear ear;

    open_over_loopback(&ear);
    while (stream_write(&ear.stream, &(struct iovec){bytes, MUCH}, 1) > 0)
        ;
    stream_want(&ear.stream, STREAM_WRITABLE);
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 1, "the kernel is full");
    cr_assert_eq(setsockopt(ear.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(ear.peer);
    ear.peer = -1;
    until(ear.writable > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    cr_assert_lt(stream_write(&ear.stream, &(struct iovec){bytes, MUCH}, 1), 0);
    end(&ear);
    free(bytes);
}

Test(stream, a_refused_connection_is_told_once)
{
    struct sockaddr_in at;
    struct ear ear;
    int nobody = bound_socket(&at);

    connect_to(&ear, &at);
    until(heard(&ear) > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(ear.error, UV_ECONNREFUSED);
    cr_assert_eq(heard(&ear), 1);
    cr_assert_not(stream_is_open(&ear.stream));
    end(&ear);
    close(nobody);
}

/* ---- closing ---- */

Test(stream, close_cuts_at_once_and_frees_later)
{
    struct ear ear;

    pair(&ear);
    stream_want(&ear.stream, STREAM_READABLE | STREAM_WRITABLE);
    say(&ear, "unread");
    stream_close(&ear.stream);
    cr_assert_leq(recv(ear.peer, (char[1]){0}, 1, MSG_DONTWAIT), 0);
    cr_assert_neq(errno, EAGAIN, "the peer knows before the loop turns");
    cr_assert_not(stream_is_open(&ear.stream));
    cr_assert_eq(ear.closed, 0);
    stream_close(&ear.stream);
    until(ear.closed > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    cr_assert_eq(heard(&ear), 0, "no event comes any more");
    end(&ear);
}

Test(stream, the_owner_may_close_in_its_event)
{
    struct ear ear;

    pair(&ear);
    ear.close_on_event = true;
    stream_want(&ear.stream, STREAM_READABLE | STREAM_WRITABLE);
    say(&ear, "x");
    until(ear.closed > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    cr_assert_eq(ear.readable, 1);
    end(&ear);
}

Test(stream, closing_while_connecting_is_silent)
{
    struct sockaddr_in at;
    struct ear ear;
    int nobody = bound_socket(&at);

    connect_to(&ear, &at);
    stream_close(&ear.stream);
    until(ear.closed > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    cr_assert_eq(heard(&ear), 0);
    end(&ear);
    close(nobody);
}

/* ---- again, and not at all ---- */

/* What the first connection left behind means nothing to the second one. */
Test(stream, may_be_opened_again_when_it_is_closed)
{
    struct ear ear;
    int ends[2];

    pair(&ear);
    close(ear.peer);
    until(ear.gone == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    stream_want(&ear.stream, STREAM_READABLE | STREAM_WRITABLE);
    until(ear.readable > 0, uv_run(&ear.loop, UV_RUN_NOWAIT));
    stream_close(&ear.stream);
    until(ear.closed == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    ear.readable = ear.writable = ear.gone = ear.closed = 0;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ear.peer = ends[1];
    cr_assert_eq(stream_accept(&ear.stream, &ear.loop, ends[0], on_event, on_closed), 0);
    say(&ear, "hello");
    loop_turns(&ear.loop, LOOP_QUIET_TURNS);
    cr_assert_eq(heard(&ear), 0, "nothing was asked for yet");
    stream_want(&ear.stream, STREAM_READABLE);
    until(ear.readable == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    reads(&ear, 60, "hello");
    stream_want(&ear.stream, 0);
    close(ear.peer);
    ear.peer = -1;
    until(ear.gone == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    end(&ear);
}

/* One that was closed before it heard of anything, too. */
Test(stream, the_end_is_told_of_a_stream_that_was_opened_again)
{
    struct ear ear;
    int ends[2];

    pair(&ear);
    stream_close(&ear.stream);
    until(ear.closed == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    ear.closed = 0;
    close(ear.peer);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    cr_assert_eq(stream_accept(&ear.stream, &ear.loop, ends[0], on_event, on_closed), 0);
    ear.peer = -1;
    close(ends[1]);
    until(ear.gone == 1, uv_run(&ear.loop, UV_RUN_NOWAIT));
    end(&ear);
}

static int lowest_free_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    close(fd);
    return fd;
}

/* Neither is told of later, and neither leaves a socket behind. */
Test(stream, what_cannot_be_opened_says_so_at_once)
{
    struct ear ear = {.peer = -1};
    struct address nowhere = {.sa.v4 = {.sin_family = AF_INET, .sin_port = htons(1)},
                              .len = sizeof(struct sockaddr_in)};
    struct address strange = {.sa.any = {.sa_family = AF_UNSPEC + 200}, .len = 16};
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), lowest = lowest_free_fd();

    cr_assert_eq(uv_loop_init(&ear.loop), 0);
    lowest = lowest_free_fd();
    nowhere.sa.v4.sin_addr.s_addr = htonl(0xffffffff);
    cr_assert_lt(stream_connect(&ear.stream, &ear.loop, &nowhere, on_event, on_closed), 0);
    cr_assert_eq(lowest_free_fd(), lowest);
    cr_assert_eq(stream_connect(&ear.stream, &ear.loop, &strange, on_event, on_closed),
                 UV_EAFNOSUPPORT);
    cr_assert_lt(stream_accept(&ear.stream, &ear.loop, file, on_event, on_closed), 0);
    cr_assert_eq(fcntl(file, F_GETFD), -1, "it was taken over, and is closed");
    cr_assert_not(stream_is_open(&ear.stream));
    stream_close(&ear.stream);
    loop_end(&ear.loop);
    cr_assert_eq(heard(&ear) + ear.closed, 0);
}

Test(stream, opening_what_is_open_is_a_bug, .signal = SIGABRT)
{
    struct ear ear;
    int ends[2];

    pair(&ear);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    cr_assert_eq(stream_accept(&ear.stream, &ear.loop, ends[0], on_event, on_closed), 0);
}

Test(stream, reading_what_is_not_open_is_a_bug, .signal = SIGABRT)
{
    struct ear ear = {.peer = -1};

    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 1), 0);
}

Test(stream, writing_what_is_not_open_is_a_bug, .signal = SIGABRT)
{
    struct ear ear = {.peer = -1};

    cr_assert_eq(stream_write(&ear.stream, &(struct iovec){"x", 1}, 1), 0);
}

Test(stream, reading_into_no_room_is_a_bug, .signal = SIGABRT)
{
    struct ear ear;

    pair(&ear);
    cr_assert_eq(stream_read(&ear.stream, (char[1]){0}, 0), 0);
}

/* ---- small print ---- */

Test(stream, is_there_anything_to_read)
{
    struct ear ear;
    int ends[2];

    pair(&ear);
    cr_assert_not(stream_has_input(&ear.stream));
    say(&ear, "x");
    cr_assert(stream_has_input(&ear.stream));
    reads(&ear, 60, "x");
    cr_assert_not(stream_has_input(&ear.stream));
    stream_close(&ear.stream);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0); /* has the number that it had */
    cr_assert_eq(write(ends[0], "x", 1), 1);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    cr_assert_not(stream_has_input(&ear.stream), "it is closed");
    end(&ear);
    close(ends[0]);
    close(ends[1]);
}

Test(stream, what_is_written_goes_out_at_once)
{
    struct ear ear;

    open_over_loopback(&ear);
    cr_assert_eq(option(&ear, IPPROTO_TCP, TCP_NODELAY), 1);
    end(&ear);
}

/* errno is only about calls that fail: one that succeeds leaves what was there. */
Test(stream, an_old_error_means_nothing)
{
    struct iovec two[] = {{"ab", 2}, {"cd", 2}};
    char got[8] = "";
    struct ear ear;

    pair(&ear);
    errno = EINTR;
    cr_assert_eq(stream_write(&ear.stream, two, 2), 4);
    errno = EINTR;
    cr_assert_eq(stream_write(&ear.stream, two, 1), 2);
    errno = EPIPE;
    cr_assert_eq(stream_write(&ear.stream, &(struct iovec){"", 0}, 1), 0);
    errno = EINTR;
    cr_assert_eq(stream_write(&ear.stream, &(struct iovec){"", 0}, 1), 0);
    cr_assert_eq(recv(ear.peer, got, sizeof(got), 0), 6);
    cr_assert_str_eq(got, "abcdab");
    say(&ear, "x");
    errno = EINTR;
    reads(&ear, 60, "x");
    close(ear.peer);
    ear.peer = -1;
    errno = EINTR;
    cr_assert_eq(stream_read(&ear.stream, got, 1), UV_EOF);
    end(&ear);
}
