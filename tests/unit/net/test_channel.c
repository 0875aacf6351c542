/* channel: messages keep their borders and their descriptors; what does not fit harms nobody. */
#include "net/channel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair(int ends[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

Test(channel, messages_come_one_by_one_with_their_descriptors)
{
    int ends[2], fds[CHANNEL_FDS_MAX], count, pipe_fds[2];
    char text[16];
    pair(ends);
    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    cr_assert_eq(channel_send(ends[0], "one", 3, pipe_fds, 2, true), 0);
    cr_assert_eq(channel_send(ends[0], "two", 3, NULL, 0, true), 0);
    cr_assert_eq(channel_receive(ends[1], text, sizeof(text), fds, &count), 3);
    cr_assert(memcmp(text, "one", 3) == 0 && count == 2);
    cr_assert_neq(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, 0);
    cr_assert_eq(write(fds[1], "x", 1), 1); /* the copies are the same pipe */
    cr_assert_eq(read(pipe_fds[0], text, 1), 1);
    cr_assert_eq(channel_receive(ends[1], text, sizeof(text), fds + 2, &count), 3);
    cr_assert_eq(count, 0);
    close(ends[0]);
    cr_assert_eq(channel_receive(ends[1], text, sizeof(text), fds, &count), 0);
}

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

Test(channel, what_is_too_long_is_an_error_and_leaves_no_descriptor)
{
    int ends[2], fds[CHANNEL_FDS_MAX], count;
    char text[4];
    pair(ends);
    int before = lowest_free();
    cr_assert_eq(channel_send(ends[0], "longer", 6, &ends[0], 1, true), 0);
    cr_assert_eq(channel_receive(ends[1], text, sizeof(text), fds, &count), -EMSGSIZE);
    cr_assert_eq(count, 0);
    cr_assert_eq(lowest_free(), before);
    cr_assert_eq(channel_send(ends[0], "ok", 2, NULL, 0, true), 0);
    cr_assert_eq(channel_receive(ends[1], text, sizeof(text), fds, &count), 2);
}

Test(channel, more_descriptors_than_one_takes_are_closed)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(9 * sizeof(int))];
    } control = {0};
    int ends[2], fds[CHANNEL_FDS_MAX], count, nine[9];
    char text[4];
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    pair(ends);
    for (int i = 0; i < 9; i++)
        nine[i] = ends[0];
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(nine))};
    memcpy(CMSG_DATA(head), nine, sizeof(nine));
    int before = lowest_free();
    cr_assert_eq(sendmsg(ends[0], &message, 0), 1);
    cr_assert_eq(channel_receive(ends[1], text, sizeof(text), fds, &count), -EMSGSIZE);
    cr_assert_eq(lowest_free(), before);
}

Test(channel, no_room_is_told_and_a_peer_that_has_gone)
{
    static char much[1000];
    int ends[2], error = 0;
    pair(ends);
    for (int i = 0; i < 100000 && !error; i++)
        error = channel_send(ends[0], much, sizeof(much), NULL, 0, false);
    cr_assert_eq(error, -EAGAIN);
    pair(ends);
    close(ends[1]);
    cr_assert_eq(channel_send(ends[0], much, 1, NULL, 0, false), -EPIPE);
}

/* What it had sent is there all the same, although it has not read what was sent to it. */
Test(channel, messages_of_a_peer_that_has_gone_are_there)
{
    int ends[2], fds[CHANNEL_FDS_MAX], count;
    char text[8];
    pair(ends);
    cr_assert_eq(channel_send(ends[0], "answer", 6, NULL, 0, true), 0);
    cr_assert_eq(channel_send(ends[1], "last", 4, NULL, 0, true), 0);
    close(ends[1]);
    cr_assert_eq(channel_receive(ends[0], text, sizeof(text), fds, &count), 4);
    cr_assert_eq(channel_receive(ends[0], text, sizeof(text), fds, &count), 0);
}

Test(channel, a_file_of_a_dead_process_is_replaced_and_one_that_is_used_only_when_told)
{
    char dir[] = "/tmp/channel-XXXXXX", path[64];
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/door", dir);
    int door = channel_listen(path, false), next, client;
    cr_assert_geq(door, 0);
    cr_assert_eq(channel_listen(path, false), -EADDRINUSE);
    next = channel_listen(path, true);
    cr_assert_geq(next, 0);
    client = channel_connect(path);
    cr_assert_geq(client, 0);
    pid_t pid = 0;
    int end = accept(next, NULL, NULL);
    cr_assert(channel_peer_is_ours(end, &pid));
    cr_assert_eq(pid, getpid());
    close(next);
    close(door);
    cr_assert_eq(channel_connect(path), -ECONNREFUSED);
    door = channel_listen(path, false);
    cr_assert_geq(door, 0);
    unlink(path);
    cr_assert_eq(channel_connect(path), -ENOENT);
    close(creat(path, 0600));
    cr_assert_eq(channel_listen(path, true), -EEXIST); /* somebody's file */
    unlink(path);
    rmdir(dir);
}
