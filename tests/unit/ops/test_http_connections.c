/*
 * http_connections: there are never more than so many, none is older than its deadline, and it is the oldest that
 * goes.
 */
#include "ops/http_connections.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_CONNECTIONS_MAX = 64 };
enum { MANY = 3 * HTTP_CONNECTIONS_MAX };

static struct http_connections all;
static struct http_connection *connection[MANY];
static int peer[MANY];

static void come(int i, int64_t now)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer[i] = ends[1];
    connection[i] = http_connection_open(&all, ends[0], now);
}

/* Its peer reads an end. */
static bool is_cut(int i)
{
    char byte;
    return recv(peer[i], &byte, 1, MSG_DONTWAIT) == 0;
}

static void go(int i)
{
    int fd = connection[i]->fd;
    http_connection_close(&all, connection[i]);
    close(fd);
    close(peer[i]);
}

Test(http_connections, one_too_many_costs_the_oldest_its_place)
{
    http_connections_init(&all, HTTP_CONNECTIONS_MAX);
    for (int i = 0; i < MANY; i++)
        come(i, i);
    cr_expect_eq(all.count, HTTP_CONNECTIONS_MAX);
    for (int i = 0; i < MANY; i++)
        cr_expect_eq(is_cut(i), i < MANY - HTTP_CONNECTIONS_MAX, "%d", i);
    for (int i = 0; i < MANY; i++)
        go(i);
    cr_expect_eq(all.count, 0);
}

Test(http_connections, who_was_answered_is_as_new)
{
    http_connections_init(&all, HTTP_CONNECTIONS_MAX);
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        come(i, 0);
    http_connection_answered(&all, connection[0], 1);
    come(HTTP_CONNECTIONS_MAX, 2);
    cr_expect(!is_cut(0));
    cr_expect(is_cut(1));
    /* It was cut while its answer went out. */
    http_connection_answered(&all, connection[1], 3);
    cr_expect_eq(all.count, HTTP_CONNECTIONS_MAX);
    for (int i = 0; i <= HTTP_CONNECTIONS_MAX; i++)
        go(i);
    cr_expect_eq(all.count, 0);
}

Test(http_connections, each_has_a_deadline)
{
    http_connections_init(&all, HTTP_CONNECTIONS_MAX);
    cr_expect_eq(http_connections_expire(&all, 0), -1);
    come(0, 1000);
    come(1, 1500);
    http_connection_answered(&all, connection[0], 3000);
    cr_expect_eq(http_connections_expire(&all, 3000), HTTP_REQUEST_MS - 1500);
    cr_expect_eq(http_connections_expire(&all, 1500 + HTTP_REQUEST_MS - 1), 1);
    cr_expect(!is_cut(1));
    cr_expect_eq(http_connections_expire(&all, 1500 + HTTP_REQUEST_MS), 1500);
    cr_expect(is_cut(1) && !is_cut(0));
    cr_expect_eq(http_connections_expire(&all, 3000 + HTTP_REQUEST_MS), -1);
    cr_expect(is_cut(0));
    go(0);
    go(1);
}
