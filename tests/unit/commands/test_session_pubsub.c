/*
 * session, subscribed: what becomes of its subscriptions when the master
 * changes. One test for each mistake that was once made here.
 */
#include "unit/session_stage.h"

#define CONFIRMED "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"
#define UNCONFIRMED "*3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n"

static void confirms(struct stage *s, struct client c, int fd)
{
    node_gets(s, fd, "SUBSCRIBE ch");
    node_answers(s, fd, c, CONFIRMED);
}

static struct client subscribed(struct stage *s)
{
    struct client c = client(s);

    client_asks(c, "SUBSCRIBE ch");
    confirms(s, c, admits(s, 0, "master"));
    return c;
}

static void is_subscribed_again(struct stage *s, struct client c)
{
    int fd = admits(s, 1, "master");

    node_gets(s, fd, "SUBSCRIBE ch");
    node_says(fd, CONFIRMED MESSAGE);
    hears(s, c, MESSAGE); /* and not the confirmation, for which nobody asked */
    goes_through(s, c, fd, "PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

Test(session_pubsub, subscriptions_are_made_again_on_the_new_master)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = subscribed(&s);
    show(&s, switched);
    is_subscribed_again(&s, c);
    stage_end(&s);
}

Test(session_pubsub, a_subscription_that_was_withdrawn_is_made_again)
{
    static const struct scene not_yet = {.master = 1};
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = subscribed(&s);
    show(&s, switched);
    fd = node_accept(s.w, &s.nodes[1]);
    node_hears(s.w, fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    show(&s, not_yet);
    node_hears_the_end(s.w, fd);
    nobody_comes(&s, 1);
    show(&s, switched);
    is_subscribed_again(&s, c);
    stage_end(&s);
}

Test(session_pubsub, a_subscription_that_is_refused_after_a_switch_ends_the_session)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = subscribed(&s);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SUBSCRIBE ch");
    node_says(fd, "-NOPERM no permission\r\n");
    node_hears_the_end(s.w, c.fd);
    nobody_comes(&s, 1);
    stage_end(&s);
}

Test(session_pubsub, a_user_who_is_refused_after_a_switch_ends_the_session)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "AUTH u p | SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    for (int i = 0; i < 2; i++) { /* the upstream's and the client's */
        node_gets(&s, fd, i == 0 ? "Auth u p" : "AUTH u p");
        node_says(fd, "+OK\r\n");
    }
    hears(&s, c, "+OK\r\n");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "Auth u p");
    node_says(fd, "+OK\r\n");
    confirms(&s, c, fd);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "Auth u p");
    node_says(fd, "-WRONGPASS invalid username-password pair\r\n");
    node_hears_the_end(s.w, c.fd);
    nobody_comes(&s, 1);
    stage_end(&s);
}

/* ---- a node that ends the subscriber's connection ---- */

static const struct scene well = {.master = 0, .writable = true};

/* Its output limit, CLIENT KILL: what it published meanwhile is lost, and directly the client knows. */
Test(session_pubsub, a_subscriber_whose_node_ends_it_in_office_is_disconnected)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.nodes[0].view.up = true;
    show(&s, well);
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    confirms(&s, c, fd);
    node_says(fd, MESSAGE);
    close(fd);
    hears(&s, c, MESSAGE);
    node_hears_the_end(s.w, c.fd);
    nobody_comes(&s, 0);
    cr_assert_eq(s.host.disconnected, 1);
    stage_end(&s);
}

/* The connection's end comes before the news: the process was restarted, the role changed. */
Test(session_pubsub, a_subscriber_whose_node_changed_is_subscribed_again)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.nodes[0].view.up = true;
    show(&s, well);
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    confirms(&s, c, fd);
    close(fd);
    nobody_comes(&s, 0); /* it is not known yet */
    s.nodes[0].view.tenure++;
    show(&s, well);
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SUBSCRIBE ch");
    node_says(fd, CONFIRMED MESSAGE);
    hears(&s, c, MESSAGE);
    close(fd);
    show(&s, switching);
    show(&s, switched);
    is_subscribed_again(&s, c);
    cr_assert_eq(s.host.disconnected, 0);
    stage_end(&s);
}

/* ---- messages, and what only looks like one ---- */

Test(session_pubsub, a_list_that_reads_like_a_message_is_an_answer)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = MULTIPLEXING_NO;
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    confirms(&s, c, fd);
    goes_through(&s, c, fd, "UNSUBSCRIBE ch | LRANGE l 0 -1 | LRANGE l 0 -1 | PING",
                 "*3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n" MESSAGE CONFIRMED "+PONG\r\n");
    client_asks(
        c, "GET k"); /* nothing is subscribed: the connection is lost, and nothing made again */
    node_gets(&s, fd, "GET k");
    node_answers(&s, fd, c, "$-1\r\n");
    show(&s, switched);
    client_asks(c, "GET k");
    node_gets(&s, admits(&s, 1, "master"), "GET k");
    stage_end(&s);
}

/* What the proxy says for itself is nothing that a client did. */
Test(session_pubsub, monitor_shows_what_clients_do)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "MONITOR");
    node_says(fd, "+OK\r\n"
                  "+1795391682.558940 [0 127.0.0.1:46918] \"Info\" \"replication\"\r\n"
                  "+1795391682.558941 [0 127.0.0.1:46918] \"Ping\"\r\n"
                  "+1795391682.558942 [0 127.0.0.1:46918] \"INFO\" \"replication\"\r\n"
                  "+1795391682.558943 [0 lua] \"get\" \"] \\\"Info\\\"\"\r\n");
    hears(&s, c,
          "+OK\r\n"
          "+1795391682.558942 [0 127.0.0.1:46918] \"INFO\" \"replication\"\r\n"
          "+1795391682.558943 [0 lua] \"get\" \"] \\\"Info\\\"\"\r\n");
    stage_end(&s);
}

/* In RESP3 the other session need not be subscribed to anything. */
static void redirected(enum multiplexing multiplexing)
{
    struct stage s;
    struct client hears_it, c;
    int shared, lease = -1, own;

    stage_begin(&s);
    s.listeners[ROUTE_MASTER].multiplexing = multiplexing;
    hears_it = client(&s);
    client_asks(hears_it, "HELLO 3");
    shared = admits(&s, 0, "master");
    for (int i = multiplexing == MULTIPLEXING_NO; i < 2;
         i++) { /* the upstream's and the client's */
        node_gets(&s, shared, i == 0 ? "Hello 3" : "HELLO 3");
        node_says(shared, "%1\r\n$5\r\nproto\r\n:3\r\n");
    }
    hears(&s, hears_it, "%1\r\n$5\r\nproto\r\n:3\r\n");
    if (multiplexing ==
        MULTIPLEXING_NO) { /* it has its connection, and something on its way there */
        client_asks(hears_it, "GET k");
        lease = shared;
        node_gets(&s, lease, "GET k");
    }
    c = client(&s);
    client_asks(c, "CLIENT TRACKING on REDIRECT 1099511627777");
    own = admits(&s, 0, "master");
    if (multiplexing == MULTIPLEXING_YES) {
        lease = admits(&s, 0, "master");
        node_gets(&s, lease, "Hello 3");
        node_says(lease, "%1\r\n$5\r\nproto\r\n:3\r\n");
    }
    node_gets(&s, own, "CLIENT TRACKING on REDIRECT 77");
    node_answers(&s, own, c, "+OK\r\n");
    if (multiplexing == MULTIPLEXING_NO)
        node_answers(&s, lease, hears_it, "$1\r\nv\r\n");
    node_answers(&s, lease, hears_it, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
    stage_end(&s);
}

Test(session_pubsub, invalidations_reach_the_session_that_they_are_redirected_to)
{
    redirected(MULTIPLEXING_YES);
}

Test(session_pubsub, and_so_they_do_on_a_connection_that_it_had)
{
    redirected(MULTIPLEXING_NO);
}

/* In RESP2 Redis refuses MONITOR to a subscriber: it is not tried again after a switch, where its
 * refusal would end the session. */
Test(session_pubsub, a_refused_monitor_is_not_repeated)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    confirms(&s, c, fd);
    goes_through(&s, c, fd, "MONITOR", "-ERR Can't execute 'monitor'\r\n");
    show(&s, switched);
    is_subscribed_again(&s, c);
    stage_end(&s);
}

Test(session_pubsub, monitor_is_repeated_before_subscriptions)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "MONITOR | SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "MONITOR");
    node_answers(&s, fd, c, "+OK\r\n");
    confirms(&s, c, fd);
    show(&s, switched);
    node_gets(&s, admits(&s, 1, "master"), "MONITOR | SUBSCRIBE ch");
    stage_end(&s);
}

/* In RESP2 a subscriber may not set its name, and Redis would say so: whether it is one is not known
 * before the UNSUBSCRIBE is answered. */
Test(session_pubsub, what_the_session_does_itself_waits_for_the_confirmation)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    confirms(&s, c, fd);
    client_asks(c, "UNSUBSCRIBE ch | CLIENT SETNAME joe | CLIENT GETNAME");
    node_gets(&s, fd, "UNSUBSCRIBE ch");
    node_gets_nothing(&s, fd);
    node_answers(&s, fd, c, UNCONFIRMED);
    node_permits(&s, fd, ASKED_SETNAME); /* the connection stays the session's */
    stage_end(&s);
}

/* Who was subscribed, and is not any more, with the connection that it still has. */
static struct client was_subscribed(struct stage *s, int *fd)
{
    struct client c;
    stage_begin(s);
    c = client(s);
    client_asks(c, "SUBSCRIBE ch");
    *fd = admits(s, 0, "master");
    confirms(s, c, *fd);
    goes_through(s, c, *fd, "UNSUBSCRIBE ch", UNCONFIRMED);
    return c;
}

/* It is asked for where the last one was, at once: others may publish as soon as they can be asked. */
Test(session_pubsub, who_has_subscribed_subscribes_again_on_the_same_connection)
{
    struct stage s;
    int fd;
    struct client c = was_subscribed(&s, &fd);
    client_asks(c, "SUBSCRIBE ch");
    confirms(&s, c, fd);
    stage_end(&s);
}

/* Nor does it wait for what is on its way there: Celery unsubscribes from one result when it subscribes to the next. */
Test(session_pubsub, who_has_subscribed_does_not_wait_to_subscribe_again)
{
    struct stage s;
    int fd;
    struct client c = was_subscribed(&s, &fd);
    client_asks(c, "UNSUBSCRIBE ch");
    node_gets(&s, fd, "UNSUBSCRIBE ch");
    client_asks(c, "SUBSCRIBE ch");
    node_gets(&s, fd, "SUBSCRIBE ch"); /* before the other one is answered */
    node_says(fd, UNCONFIRMED);
    hears(&s, c, UNCONFIRMED);
    node_answers(&s, fd, c, CONFIRMED);
    node_says(fd, MESSAGE);
    hears(&s, c, MESSAGE);
    stage_end(&s);
}

/* Inside MULTI they would be queued. */
Test(session_pubsub, subscriptions_are_made_again_before_an_open_transaction)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    fd = reaches_master(&s, c, "MONITOR | MULTI | SET k v");
    node_answers(&s, fd, c, "+OK\r\n+OK\r\n+QUEUED\r\n");
    show(&s, switched);
    client_asks(c, "EXEC");
    node_gets(&s, admits(&s, 1, "master"), "MONITOR | MULTI | SET k v | EXEC");
    stage_end(&s);
}

/* In RESP2 Redis refuses it to a subscriber, so nobody else may say that it was begun. */
Test(session_pubsub, a_subscriber_s_multi_is_asked_for_again)
{
    struct stage s;
    struct client c;
    int fd;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "SUBSCRIBE ch");
    fd = admits(&s, 0, "master");
    confirms(&s, c, fd);
    client_asks(c, "MULTI | PING");
    node_gets(&s, fd, "MULTI | PING");
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SUBSCRIBE ch | MULTI | PING");
    node_says(fd, CONFIRMED "-ERR Can't execute 'multi'\r\n");
    hears(&s, c, "-ERR Can't execute 'multi'\r\n");
    stage_end(&s);
}
