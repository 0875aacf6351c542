/*
 * http_connections: see http_connections.h.
 */
#include "ops/http_connections.h"

#include <stdlib.h>
#include <sys/socket.h>

void http_connections_init(struct http_connections *connections, size_t max)
{
    connections->max = max;
    list_init(&connections->all);
    connections->count = 0;
}

static struct http_connection *oldest(const struct http_connections *connections)
{
    return container_of(connections->all.next, struct http_connection, entry);
}

static void join(struct http_connections *connections, struct http_connection *connection,
                 int64_t now)
{
    connection->since = now;
    list_append(&connections->all, &connection->entry);
    connections->count++;
}

static void leave(struct http_connections *connections, struct http_connection *connection)
{
    if (!list_linked(&connection->entry))
        return;
    list_remove(&connection->entry);
    connections->count--;
}

static void cut(struct http_connections *connections, struct http_connection *connection)
{
    leave(connections, connection);
    shutdown(connection->fd, SHUT_RDWR);
}

struct http_connection *http_connection_open(struct http_connections *connections, int fd,
                                             int64_t now)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        abort();
    connection->fd = fd;
    if (connections->count >= connections->max)
        cut(connections, oldest(connections));
    join(connections, connection, now);
    return connection;
}

void http_connection_answered(struct http_connections *connections,
                              struct http_connection *connection, int64_t now)
{
    if (!list_linked(&connection->entry))
        return;
    leave(connections, connection);
    join(connections, connection, now);
}

void http_connection_close(struct http_connections *connections, struct http_connection *connection)
{
    leave(connections, connection);
    free(connection);
}

int http_connections_expire(struct http_connections *connections, int64_t now)
{
    while (connections->count) {
        int64_t left = oldest(connections)->since + HTTP_REQUEST_MS - now;
        if (left > 0)
            return (int)left;
        cut(connections, oldest(connections));
    }
    return -1;
}
