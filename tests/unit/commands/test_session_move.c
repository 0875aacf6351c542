/*
 * session_move: a session is handed over with all that its client relies on. The same worker stands for both processes:
 * the session is packed, unpacked from copies of its sockets, and the old one is closed as if it had been acknowledged.
 */
#include "session/life.h"
#include "session/move.h"
#include "session/state.h"
#include "unit/session_stage.h"

#include <sys/socket.h>

#define CONFIRMED "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n"
#define PONG_HEARD "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
#define HELLO_ANSWER "%1\r\n$2\r\nid\r\n:7\r\n"

static struct session *last_session(struct stage *s)
{
    return container_of(s->host.sessions.prev, struct session, in_host);
}

static void begin(struct stage *s)
{
    stage_begin(s);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(address_from_number(&s->listeners[i].address, "127.0.0.1", 6379), 0);
}

static int copy_of(int fd)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    cr_assert(fd < 0 || copy >= 0);
    return copy;
}

/* The last session, in its next process; `lease`: whether its lease goes along. */
static struct session *moves(struct stage *s, bool lease)
{
    struct session *old = last_session(s);
    struct buf packed = {0};
    int client_fd, lease_fd;
    const char *why = NULL;
    uint64_t id = old->id;
    cr_assert(session_may_move(old));
    cr_assert(session_pack(old, &packed, &client_fd, &lease_fd));
    cr_assert_eq(lease_fd >= 0, lease);
    client_fd = copy_of(client_fd);
    lease_fd = copy_of(lease_fd);
    session_close(old, CLOSED_MOVED, "it was handed over");
    cr_assert_eq(session_unpack(&s->host, &s->listeners[0], client_fd, lease_fd, buf_head(&packed),
                                buf_len(&packed), &why),
                 0, "%s", why);
    for (size_t i = 0; i < buf_len(&packed); i++)
        cr_assert_eq(buf_head(&packed)[i], 0); /* there may be a password in it */
    buf_free(&packed);
    cr_assert_eq(last_session(s)->id, id);
    return last_session(s);
}

static struct client subscribed(struct stage *s, int *lease)
{
    struct client c = client(s);
    client_asks(c, "SUBSCRIBE ch");
    *lease = admits(s, 0, "master");
    node_gets(s, *lease, "SUBSCRIBE ch");
    node_answers(s, *lease, c, CONFIRMED);
    return c;
}

Test(session_move, who_has_said_nothing_moves)
{
    struct stage s;
    struct client c;
    begin(&s);
    c = client(&s);
    moves(&s, false);
    node_answers(&s, reaches_master(&s, c, "GET k"), c, "$1\r\nv\r\n");
    stage_end(&s);
}

Test(session_move, user_database_protocol_and_name_are_kept)
{
    struct stage s;
    struct client c;
    struct session *now;
    int fd;
    begin(&s);
    c = client(&s);
    client_asks(c, "HELLO 3 AUTH u p");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(&s, fd, "HELLO 3 AUTH u p");
    node_says(fd, HELLO_ANSWER);
    hears(&s, c, "%1\r\n$2\r\nid\r\n:" FIRST_ID "\r\n");
    client_asks(c, "CLIENT SETNAME me");
    node_permits(&s, fd, ASKED_SETNAME);
    hears(&s, c, "+OK\r\n");
    last_session(&s)->client.reply_off = true;
    struct identity *before = last_session(&s)->identity;
    now = moves(&s, false);
    cr_assert_eq(now->identity, before); /* interned: the same user, password, database, protocol */
    cr_assert_str_eq(now->client.name, "me");
    cr_assert(now->client.reply_off);
    cr_assert_str_eq(now->client.last->name, "client|setname");
    now->client.reply_off = false;
    goes_through(&s, c, fd, "GET k", "$1\r\nv\r\n");
    stage_end(&s);
}

Test(session_move, another_database_is_kept)
{
    struct stage s;
    struct client c;
    begin(&s);
    c = client(&s);
    struct identity *two =
        identity_with_db(router_identities(s.host.router), last_session(&s)->identity, 2);
    identity_release(last_session(&s)->identity);
    last_session(&s)->identity = two;
    moves(&s, false);
    client_asks(c, "GET k");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Select 2");
    node_says(fd, "+OK\r\n");
    node_gets(&s, fd, "GET k");
    node_answers(&s, fd, c, "$1\r\nv\r\n");
    stage_end(&s);
}

Test(session_move, the_beginning_of_a_request_goes_along)
{
    struct stage s;
    struct client c;
    begin(&s);
    c = client(&s);
    node_says(c.fd, "*2\r\n$3\r\nGE");
    is_taken_in(&s, c);
    moves(&s, false);
    node_says(c.fd, "T\r\n$1\r\nk\r\n");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "GET k");
    node_answers(&s, fd, c, "$1\r\nv\r\n");
    stage_end(&s);
}

Test(session_move, a_subscriber_takes_its_lease_along_and_no_message_is_lost)
{
    struct stage s;
    struct client c;
    int fd;
    begin(&s);
    c = subscribed(&s, &fd);
    moves(&s, true);
    node_says(fd, MESSAGE);
    hears(&s, c, MESSAGE);
    goes_through(&s, c, fd, "PING", PONG_HEARD);
    nobody_comes(&s, 0);
    show(&s, switched); /* and what it is subscribed to is known */
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SUBSCRIBE ch");
    node_says(fd, CONFIRMED MESSAGE);
    hears(&s, c, MESSAGE);
    stage_end(&s);
}

/* The node was restarted, or is not the master any more for the new process. */
Test(session_move, where_the_lease_is_of_no_use_the_subscriptions_are_made_again)
{
    struct stage s;
    struct client c;
    int fd;
    begin(&s);
    s.nodes[0].view.process = 1;
    show(&s, steady);
    c = subscribed(&s, &fd);
    struct session *old = last_session(&s);
    struct buf packed = {0};
    int client_fd, lease_fd;
    const char *why;
    cr_assert(session_pack(old, &packed, &client_fd, &lease_fd));
    client_fd = copy_of(client_fd);
    lease_fd = copy_of(lease_fd);
    session_close(old, CLOSED_MOVED, "it was handed over");
    s.nodes[0].view.process = 2;
    show(&s, steady);
    cr_assert_eq(session_unpack(&s.host, &s.listeners[0], client_fd, lease_fd, buf_head(&packed),
                                buf_len(&packed), &why),
                 0);
    buf_free(&packed);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SUBSCRIBE ch");
    node_says(fd, CONFIRMED MESSAGE);
    hears(&s, c, MESSAGE);
    stage_end(&s);
}

Test(session_move, tracking_goes_on)
{
    static const char invalidate[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    struct stage s;
    struct client c;
    int fd;
    begin(&s);
    c = client(&s);
    client_asks(c, "HELLO 3 AUTH u p | CLIENT TRACKING ON BCAST | CLIENT NO-EVICT ON");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(&s, fd, "HELLO 3 AUTH u p");
    node_says(fd, HELLO_ANSWER);
    hears(&s, c, "%1\r\n$2\r\nid\r\n:" FIRST_ID "\r\n");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(&s, fd, "CLIENT TRACKING ON BCAST | CLIENT NO-EVICT ON");
    node_says(fd, "+OK\r\n+OK\r\n");
    hears(&s, c, "+OK\r\n+OK\r\n");
    moves(&s, true);
    node_says(fd, invalidate);
    hears(&s, c, invalidate);
    show(&s, switched); /* and the next node is told the same */
    hears(&s, c, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth u p | Hello 3");
    node_says(fd, "+OK\r\n" HELLO_ANSWER);
    node_gets(&s, fd, "CLIENT TRACKING ON BCAST | CLIENT NO-EVICT ON");
    stage_end(&s);
}

static void may_not(struct stage *s, const char *asked)
{
    settles(s);
    cr_assert(!session_may_move(last_session(s)), "after %s", asked);
}

Test(session_move, who_is_in_the_middle_of_something_does_not_move)
{
    static const char *const begun[] = {"GET k",     "MULTI",   "WATCH k",
                                        "BLPOP k 0", "MONITOR", "SUBSCRIBE ch"};
    for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
        struct stage s;
        begin(&s);
        struct client c = client(&s);
        int fd = reaches_master(&s, c, begun[i]);
        may_not(&s, begun[i]);
        if (i == 1 || i == 2 || i == 4) {
            node_answers(&s, fd, c, "+OK\r\n");
            may_not(&s, begun[i]);
        }
        stage_end(&s);
    }
}

Test(session_move, who_is_held_or_whose_client_has_gone_does_not_move)
{
    struct stage s;
    struct client c;
    begin(&s);
    show(&s, switching);
    c = client(&s);
    client_asks(c, "SET k v");
    may_not(&s, "SET in a hold");
    shutdown(c.fd, SHUT_WR);
    settles(&s);
    cr_assert_eq(s.host.count, 0);
    stage_end(&s);
}

/* ---- bytes that are not believed ---- */

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void is_survived(struct stage *s, const char *bytes, size_t len)
{
    int pair[2], lease[2];
    const char *why = NULL;
    char *copy =
        malloc(len ? len : 1); /* of its own, so that a sanitizer sees each byte too many */
    struct session_head head;
    memcpy(copy, bytes, len);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, lease), 0);
    (void)session_read_head((struct slice){copy, len}, &head);
    if (session_unpack(&s->host, &s->listeners[0], pair[0], lease[0], copy, len, &why) == 0)
        session_close(last_session(s), CLOSED_MOVED, "the test is over");
    else
        cr_assert_not_null(why);
    close(pair[1]);
    close(lease[1]);
    free(copy);
    world_turns(s->w, 2);
    cr_assert_eq(s->host.count, 0);
}

Test(session_move, bytes_that_are_cut_or_flipped_are_an_error_and_no_harm, .timeout = 60)
{
    struct stage s;
    struct buf good = {0}, bad = {0};
    char node[ENDPOINT_TEXT_MAX], lease[ENDPOINT_TEXT_MAX + 64];
    begin(&s);
    address_format(node, sizeof(node), &s.nodes[0].view.address);
    buf_printf(
        &good, "%s",
        wire("SESSION 1099511627777 127.0.0.1:6379 5000 20 | AUTH u p | HELLO 3 | SELECT 2 | "
             "FREE | SERVED | WROTE | NAME me | REPLY-SKIP | LAST get | SUBSCRIBE ch | "
             "PSUBSCRIBE p* | SSUBSCRIBE sh | CLIENT TRACKING ON REDIRECT 1099511627777 | "
             "CLIENT NO-EVICT ON | CHANGED"));
    snprintf(lease, sizeof(lease), "LEASE %s master 7 0 named | BYTES *2", node);
    buf_printf(&good, "%s", wire(lease));
    is_survived(&s, buf_head(&good), buf_len(&good));
    for (size_t cut = 0; cut < buf_len(&good); cut++)
        is_survived(&s, buf_head(&good), cut);
    for (int i = 0; i < 1500; i++) {
        buf_append(&bad, buf_head(&good), buf_len(&good));
        for (uint32_t flips = 1 + any(4); flips > 0; flips--)
            buf_head(&bad)[any((uint32_t)buf_len(&bad))] = (char)any(256);
        is_survived(&s, buf_head(&bad), buf_len(&bad));
        buf_free(&bad);
    }
    buf_free(&good);
    stage_end(&s);
}
