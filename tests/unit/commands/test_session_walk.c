/*
 * session_walk: what goes over all sessions does so in slices. Sessions end and begin meanwhile, and others are served.
 */
#include "session/life.h"
#include "session/state.h"
#include "session/walk.h"
#include "unit/session_stage.h"

enum { CLIENTS = 9 };

#define LINE "id=77 addr=9.9.9.9:9 laddr=8.8.8.8:8 fd=5 name= age=50 cmd=client|list\n"
#define NOBODY "1099511627776" /* SESSION_ID_BASE */

struct crowd {
    struct stage s;
    struct client clients[CLIENTS];
    bool rung;
    int fd; /* the master's end of the first one's connection */
};

static void ring(void *arg)
{
    *(bool *)arg = true;
}

static void crowd_begin(struct crowd *c)
{
    stage_begin(&c->s);
    mailbox_init(&c->s.shared->slots[0].box, ring, &c->rung);
    for (int i = 0; i < CLIENTS; i++)
        c->clients[i] = client(&c->s);
    c->fd = reaches_master(&c->s, c->clients[0], "PING");
    node_answers(&c->s, c->fd, c->clients[0], "+PONG\r\n");
    c->s.w->turn.least = TURN_HASTY;
}

static void crowd_end(struct crowd *c)
{
    session_close_all(&c->s.host);
    relays_drop(&c->s.host.stop);
    mailbox_empty(&c->s.shared->slots[0].box);
    mailbox_free(&c->s.shared->slots[0].box);
    stage_end(&c->s);
}

static void turn(struct crowd *c)
{
    world_turn(c->s.w);
    if (c->rung)
        mailbox_read(&c->s.shared->slots[0].box, &c->s.host.stop);
    c->rung = false;
}

/* The node answers, and the walk has begun. */
static void node_lets_it_begin(struct crowd *c, const char *asked, const char *reply)
{
    node_gets(&c->s, c->fd, asked);
    node_says(c->fd, reply);
    until(!list_empty(&c->s.host.walks), turn(c));
}

static size_t lines_of(struct crowd *c)
{
    char text[8000] = "";
    size_t len = 0, lines = 0;
    while (len < 3 || strcmp(text + len - 3, "\n\r\n") != 0) {
        ssize_t n = -1;
        until((n = recv(c->clients[0].fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT)) != -1,
              turn(c));
        cr_assert_gt(n, 0);
        len += (size_t)n;
        text[len] = '\0';
    }
    for (const char *at = text; (at = strstr(at, "addr=")); at++)
        lines += at > text && at[-1] == ' ';
    return lines;
}

Test(session_walk, a_list_is_made_in_slices)
{
    static struct crowd c;
    crowd_begin(&c);
    client_asks(c.clients[0], "CLIENT LIST");
    node_lets_it_begin(&c, "CLIENT LIST", "$71\r\n" LINE "\r\n");
    struct list *next = container_of(c.s.host.walks.next, struct session_walk, in_host)->next;
    cr_assert_neq(next, &c.s.host.sessions);
    session_close(container_of(next, struct session, in_host), CLOSED_KILLED, "a test");
    cr_assert_eq(lines_of(&c), CLIENTS - 1);
    cr_assert(list_empty(&c.s.host.walks));
    crowd_end(&c);
}

Test(session_walk, all_that_are_left_may_end)
{
    static struct crowd c;
    crowd_begin(&c);
    client_asks(c.clients[0], "CLIENT LIST");
    node_lets_it_begin(&c, "CLIENT LIST", "$71\r\n" LINE "\r\n");
    while (c.s.host.sessions.next->next != c.s.host.sessions.prev)
        session_close(container_of(c.s.host.sessions.prev, struct session, in_host), CLOSED_KILLED,
                      "a test");
    cr_assert_eq(lines_of(&c), 2);
    crowd_end(&c);
}

/* Who asks may go, too, and so may the worker. */
Test(session_walk, the_one_who_asked_may_end)
{
    static struct crowd c;
    crowd_begin(&c);
    client_asks(c.clients[0], "CLIENT LIST");
    node_lets_it_begin(&c, "CLIENT LIST", "$71\r\n" LINE "\r\n");
    session_close(container_of(c.s.host.sessions.next, struct session, in_host), CLOSED_KILLED,
                  "a test");
    until(list_empty(&c.s.host.walks), turn(&c));
    turn(&c);
    cr_assert_eq(c.s.host.count, CLIENTS - 1);
    crowd_end(&c);
}

Test(session_walk, a_worker_ends_with_a_walk_under_way)
{
    static struct crowd c;
    crowd_begin(&c);
    client_asks(c.clients[0], "CLIENT LIST");
    node_lets_it_begin(&c, "CLIENT LIST", "$71\r\n" LINE "\r\n");
    crowd_end(&c);
}

/* Others are served in between. */
Test(session_walk, clients_are_killed_in_slices)
{
    static struct crowd c;
    crowd_begin(&c);
    client_asks(c.clients[0], "CLIENT KILL TYPE normal");
    node_lets_it_begin(&c, "CLIENT KILL TYPE normal ID " NOBODY, ":0\r\n");
    cr_assert_gt(c.s.host.count, 2);
    client_asks(c.clients[CLIENTS - 1], "GET k");
    node_gets(&c.s, c.fd, "GET k");
    node_says(c.fd, "$1\r\nv\r\n");
    char wanted[20];
    snprintf(wanted, sizeof(wanted), ":%d\r\n", CLIENTS - 1);
    until(bytes_waiting(c.clients[0].fd) > 0, turn(&c));
    hears(&c.s, c.clients[0], wanted);
    cr_assert_eq(c.s.host.count, 1);
    crowd_end(&c);
}

/* The address is the last one's: it is looked for in slices, too. */
Test(session_walk, an_address_is_looked_for_in_slices)
{
    static struct crowd c;
    struct sockaddr_in at;
    socklen_t len = sizeof(at);
    char text[80];
    crowd_begin(&c);
    cr_assert_eq(getsockname(c.clients[CLIENTS - 1].fd, (struct sockaddr *)&at, &len), 0);
    snprintf(text, sizeof(text), "CLIENT KILL 127.0.0.1:%d", ntohs(at.sin_port));
    client_asks(c.clients[0], text);
    until(bytes_waiting(c.fd) > 0, turn(&c));
    node_gets(&c.s, c.fd, "CLIENT KILL ID " NOBODY);
    node_says(c.fd, ":0\r\n");
    until(bytes_waiting(c.clients[0].fd) > 0, turn(&c));
    hears(&c.s, c.clients[0], "+OK\r\n");
    cr_assert_eq(c.s.host.count, CLIENTS - 1);
    crowd_end(&c);
}
