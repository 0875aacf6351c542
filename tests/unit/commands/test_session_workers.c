/*
 * session: what goes from one worker to others, in every order that threads can bring about. The
 * workers share the test's thread and loop, and read their mail when the test says so.
 */
#include "threads/relay.h"
#include "unit/session_stage.h"

#define WORKERS 3

struct workers {
    struct stage s; /* with worker 0 */
    struct session_host others[WORKERS - 1];
    struct scripts *scripts[WORKERS - 1];
};

static struct session_host *host_of(struct workers *c, size_t worker)
{
    return worker ? &c->others[worker - 1] : &c->s.host;
}

static void ring(void *arg)
{
    (void)arg; /* the test knows */
}

static void workers_begin(struct workers *c)
{
    stage_begin_of(&c->s, WORKERS);
    for (size_t i = 1; i < WORKERS; i++) {
        struct session_host *host = host_of(c, i);
        *host = c->s.host;
        host->stop.number = i;
        host->count = 0;
        session_host_init(host);
        c->scripts[i - 1] = scripts_new(64 * 1024);
        host->scripts = &c->scripts[i - 1];
        host->router =
            router_new(&c->s.w->turn, &c->s.options, c->s.shared, i, &session_router_events, host);
        router_adopt(host->router, board_acquire(c->s.w->turn.board));
    }
    for (size_t i = 0; i < WORKERS; i++)
        mailbox_init(&c->s.shared->slots[i].box, ring, NULL);
}

static void workers_end(struct workers *c)
{
    for (size_t i = 0; i < WORKERS; i++)
        session_close_all(host_of(c, i));
    for (size_t i = 1; i < WORKERS; i++)
        router_close(c->others[i - 1].router);
    settles(&c->s);
    for (size_t i = 0; i < WORKERS; i++) {
        mailbox_empty(&c->s.shared->slots[i].box);
        relays_drop(&host_of(c, i)->stop);
    }
    for (size_t i = 0; i < WORKERS; i++)
        mailbox_free(&c->s.shared->slots[i].box);
    for (size_t i = 1; i < WORKERS; i++) {
        scripts_free(c->scripts[i - 1]);
        router_free(c->others[i - 1].router);
    }
    stage_end(&c->s);
}

static void reads_mail(struct workers *c, size_t worker)
{
    mailbox_read(&c->s.shared->slots[worker].box, &host_of(c, worker)->stop);
    relays_retry(&host_of(c, worker)->stop);
}

/* All of them, until nothing is under way. */
static void mail_goes(struct workers *c)
{
    for (int i = 0; i < 3; i++)
        for (size_t worker = 0; worker < WORKERS; worker++)
            reads_mail(c, worker);
}

static struct client client_of(struct workers *c, size_t worker, uint64_t *id)
{
    struct stage *s = &c->s;
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    *id = session_id_of(++s->last_id, worker);
    cr_assert_eq(connect(client.fd, (struct sockaddr *)&s->door_at, sizeof(s->door_at)), 0);
    client.theirs = accept4(s->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(client.theirs, 0);
    cr_assert_eq(session_open(host_of(c, worker), &s->listeners[ROUTE_MASTER], client.theirs, *id),
                 0);
    return client;
}

static void asks_of(struct client client, const char *format, uint64_t id)
{
    char text[200];
    snprintf(text, sizeof(text), format, (unsigned long long)id);
    client_asks(client, text);
}

/* ---- scripts ---- */

/* A text that worker 2 saw, on its way. */
struct text {
    struct relay relay;
};

static bool text_visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    (void)relay;
    (void)scripts_saw(there->scripts[0], (struct slice){"return(7)", 9});
    return true;
}

static void text_drop(struct relay *relay)
{
    (void)relay;
}

static void text_back(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *home = session_host_at(stop);
    (void)relay;
    (void)home;
}

static bool remembers(struct workers *c, size_t worker)
{
    struct slice sha = {"bc70ae583496ef68242126e5f723b4224435af02", 40};
    return scripts_text(host_of(c, worker)->scripts[0], sha).data != NULL;
}

/* Worker 0 passes a text on behind its own flush. */
Test(session_workers, a_flush_is_behind_all_texts)
{
    static struct workers c;
    struct text text = {.relay = {.visit = text_visit, .back = text_back, .drop = text_drop}};
    struct client flushes;
    uint64_t id;
    int fd;

    workers_begin(&c);
    flushes = client_of(&c, 0, &id);
    (void)scripts_saw(c.others[1].scripts[0], (struct slice){"return(7)", 9});
    client_asks(flushes, "SCRIPT FLUSH");
    fd = admits(&c.s, 0, "master");
    node_gets(&c.s, fd, "SCRIPT FLUSH"); /* and it is on its way to worker 1 */
    relay_start(&text.relay, &c.others[1].stop);
    node_says(fd, "+OK\r\n");
    hears_nothing(&c.s, flushes);
    reads_mail(&c, 0); /* the text goes on, behind the flush */
    mail_goes(&c);
    hears(&c.s, flushes, "+OK\r\n");
    for (size_t i = 0; i < WORKERS; i++)
        cr_expect_not(remembers(&c, i), "worker %zu", i);
    workers_end(&c);
}

/* ---- who asks may leave ---- */

Test(session_workers, an_answer_for_nobody_is_dropped)
{
    static struct workers c;
    struct client asks;
    uint64_t id;
    int fd;

    workers_begin(&c);
    asks = client_of(&c, 0, &id);
    fd = reaches_master(&c.s, asks, "CLIENT LIST");
    node_says(fd, "$60\r\nid=77 addr=9.9.9.9:9 laddr=8.8.8.8:8 fd=5 name= age=50 ida=1\n\r\n");
    settles(&c.s);
    reads_mail(&c, 1);
    close(asks.fd);
    settles(&c.s);
    session_close_all(&c.s.host);
    cr_assert_eq(c.s.host.count, 0);
    mail_goes(&c);
    workers_end(&c);
}

/* It is dropped with the question, when the workers end before it is answered. */
Test(session_workers, a_question_on_its_way_is_dropped)
{
    static struct workers c;
    struct client asks;
    uint64_t id;
    int fd;

    workers_begin(&c);
    asks = client_of(&c, 0, &id);
    client_asks(asks, "CLIENT KILL TYPE normal | SCRIPT FLUSH");
    fd = admits(&c.s, 0, "master");
    node_gets(&c.s, fd, "CLIENT KILL TYPE normal ID 1099511627776");
    node_says(fd, ":0\r\n");
    settles(&c.s);
    reads_mail(&c, 1);
    workers_end(&c);
}

/* ---- UNBLOCK ---- */

/* The switch came between the question and its answer: what blocked there blocks no longer. */
Test(session_workers, an_unblock_is_asked_again_after_a_switch)
{
    static struct workers c;
    struct client blocks, asks;
    uint64_t id, other;
    int fd;

    workers_begin(&c);
    blocks = client_of(&c, 1, &other);
    (void)reaches_master(&c.s, blocks, "BLPOP l 0");
    asks = client_of(&c, 0, &id);
    asks_of(asks, "CLIENT UNBLOCK %llu", other);
    fd = admits(&c.s, 0, "master");
    node_gets(&c.s, fd, "CLIENT GETNAME"); /* may it come in at all? */
    node_says(fd, "$-1\r\n");
    settles(&c.s);
    reads_mail(&c, 1); /* it blocks at node 0 */
    show(&c.s, switching);
    mail_goes(&c);
    node_gets_nothing(&c.s, fd);
    show(&c.s, switched);
    router_adopt(c.others[0].router, board_acquire(c.s.w->turn.board));
    fd = admits(&c.s, 1, "master");
    settles(&c.s);
    mail_goes(&c);
    hears(&c.s, asks, ":0\r\n");
    node_gets_nothing(&c.s, fd);
    workers_end(&c);
}

/* ---- REDIRECT ---- */

/* Who asks knows of the switch already; the other worker's lease is at the old master still. */
Test(session_workers, a_redirect_is_to_the_new_masters_connection)
{
    static struct workers c;
    struct client listens, tracks;
    uint64_t id, listener;
    char text[500];
    int lease, fd;

    workers_begin(&c);
    listens = client_of(&c, 1, &listener);
    lease = reaches_master(&c.s, listens, "SUBSCRIBE ch");
    node_answers(&c.s, lease, listens, "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    show(&c.s, switched); /* worker 0 alone has seen it */
    tracks = client_of(&c, 0, &id);
    asks_of(tracks, "CLIENT TRACKING ON REDIRECT %llu", listener);
    fd = admits(&c.s, 1, "master");
    settles(&c.s);
    mail_goes(&c);
    node_gets_nothing(&c.s, fd);
    router_adopt(c.others[0].router, board_acquire(c.s.w->turn.board));
    settles(&c.s);
    lease = node_accept(c.s.w, &c.s.nodes[1]);
    node_hears(c.s.w, lease, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true);
    memcpy(strstr(text, ":77"), ":78", 3);
    mail_goes(&c);
    node_gets_nothing(&c.s, fd);
    node_says(lease, text);
    node_says(lease, "+PONG\r\n");
    node_gets(&c.s, lease, "SUBSCRIBE ch");
    mail_goes(&c);
    node_gets(&c.s, fd, "CLIENT TRACKING ON REDIRECT 78");
    workers_end(&c);
}

/* ---- messages ---- */

#define CONFIRMED "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"

static void other_adopts(struct workers *c, size_t worker)
{
    router_adopt(host_of(c, worker)->router, board_acquire(c->s.w->turn.board));
}

static struct client subscribed_at(struct workers *c, size_t worker)
{
    uint64_t id;
    struct client listens = client_of(c, worker, &id);
    client_asks(listens, "SUBSCRIBE ch");
    int lease = admits(&c->s, 0, "master");
    node_gets(&c->s, lease, "SUBSCRIBE ch");
    node_says(lease, CONFIRMED);
    hears(&c->s, listens, CONFIRMED);
    return listens;
}

/* Worker 0 knows of the new master first, and has the message; worker 1 has the subscriber, and has not
 * heard yet that it lost its connection. What the others send is not kept waiting. */
Test(session_workers, a_message_waits_for_another_workers_subscriptions)
{
    static struct workers c;
    struct client publishes, writes;
    uint64_t id;
    int fd, lease;

    workers_begin(&c);
    (void)subscribed_at(&c, 1);
    publishes = client_of(&c, 0, &id);
    writes = client_of(&c, 0, &id);
    show(&c.s, switched); /* worker 0 alone has seen it */
    client_asks(publishes, "SET a 1 | PUBLISH ch hi | SET b 2");
    fd = admits(&c.s, 1, "master");
    node_gets(&c.s, fd, "SET a 1");
    node_answers(&c.s, fd, publishes, "+OK\r\n");
    goes_through(&c.s, writes, fd, "SET c 3", "+OK\r\n");
    other_adopts(&c, 2);
    node_gets_nothing(&c.s, fd);
    other_adopts(&c, 1);
    lease = admits(&c.s, 1, "master");
    node_gets(&c.s, lease, "SUBSCRIBE ch");
    node_gets_nothing(&c.s, fd);
    node_says(lease, CONFIRMED);
    node_gets(&c.s, fd, "PUBLISH ch hi | SET b 2");
    workers_end(&c);
}

/* A transaction that publishes waits with its EXEC; others do not. */
Test(session_workers, an_exec_waits_for_another_workers_subscriptions)
{
    static struct workers c;
    struct client publishes, writes;
    uint64_t id;
    int fd, lease, other;

    workers_begin(&c);
    (void)subscribed_at(&c, 1);
    publishes = client_of(&c, 0, &id);
    writes = client_of(&c, 0, &id);
    show(&c.s, switched);
    client_asks(publishes, "MULTI | PUBLISH ch hi | EXEC");
    fd = admits(&c.s, 1, "master");
    node_gets(&c.s, fd, "MULTI | PUBLISH ch hi");
    node_says(fd, "+OK\r\n+QUEUED\r\n");
    node_gets_nothing(&c.s, fd);
    client_asks(writes, "MULTI | SET k v | EXEC");
    other = admits(&c.s, 1, "master");
    node_gets(&c.s, other, "MULTI | SET k v | EXEC");
    other_adopts(&c, 2);
    other_adopts(&c, 1);
    lease = admits(&c.s, 1, "master");
    node_gets(&c.s, lease, "SUBSCRIBE ch");
    node_says(lease, CONFIRMED);
    node_gets(&c.s, fd, "EXEC");
    workers_end(&c);
}

/* Who asks how many there are is told when all of them are there. */
Test(session_workers, a_count_waits_for_another_workers_subscriptions)
{
    static struct workers c;
    struct client asks;
    uint64_t id;
    int fd, lease;

    workers_begin(&c);
    (void)subscribed_at(&c, 1);
    asks = client_of(&c, 0, &id);
    show(&c.s, switched);
    client_asks(asks, "GET k | PUBSUB NUMSUB ch");
    fd = admits(&c.s, 1, "master");
    node_gets(&c.s, fd, "GET k");
    node_answers(&c.s, fd, asks, "+OK\r\n");
    node_gets_nothing(&c.s, fd);
    other_adopts(&c, 2);
    other_adopts(&c, 1);
    lease = admits(&c.s, 1, "master");
    node_gets(&c.s, lease, "SUBSCRIBE ch");
    node_says(lease, CONFIRMED);
    node_gets(&c.s, fd, "PUBSUB NUMSUB ch");
    workers_end(&c);
}

/* A subscription that was asked for during the switch stands, too, before what is published since. */
Test(session_workers, a_message_waits_for_a_held_subscription)
{
    static struct workers c;
    struct client listens, publishes;
    uint64_t id;
    int fd, lease;

    workers_begin(&c);
    publishes = client_of(&c, 0, &id);
    listens = client_of(&c, 1, &id);
    show(&c.s, switching);
    other_adopts(&c, 1);
    other_adopts(&c, 2);
    client_asks(listens, "SUBSCRIBE ch");
    settles(&c.s);
    client_asks(publishes, "SET a 1 | PUBLISH ch hi");
    settles(&c.s);
    show(&c.s, switched);
    fd = admits(&c.s, 1, "master");
    node_gets(&c.s, fd, "SET a 1");
    node_answers(&c.s, fd, publishes, "+OK\r\n");
    other_adopts(&c, 1);
    other_adopts(&c, 2);
    lease = admits(&c.s, 1, "master");
    node_gets(&c.s, lease, "SUBSCRIBE ch");
    node_gets_nothing(&c.s, fd);
    node_answers(&c.s, lease, listens, CONFIRMED);
    node_gets(&c.s, fd, "PUBLISH ch hi");
    workers_end(&c);
}

/* A subscriber that is gone is waited for no longer. */
Test(session_workers, a_message_does_not_wait_for_who_is_gone)
{
    static struct workers c;
    struct client listens, publishes;
    uint64_t id;
    int fd;

    workers_begin(&c);
    listens = subscribed_at(&c, 1);
    publishes = client_of(&c, 0, &id);
    show(&c.s, switched);
    other_adopts(&c, 1);
    other_adopts(&c, 2);
    (void)admits(&c.s, 1, "master"); /* the subscriber's */
    client_asks(publishes, "EVAL return(7) 0");
    nobody_comes(&c.s, 1);
    close(listens.fd);
    fd = admits(&c.s, 1, "master");
    node_gets(&c.s, fd, "EVAL return(7) 0");
    workers_end(&c);
}

/* The node never lets the subscriber in again: the message goes out all the same, in time. */
Test(session_workers, a_message_does_not_wait_for_ever)
{
    static struct workers c;
    struct client publishes;
    uint64_t id;
    int fd;

    workers_begin(&c);
    (void)subscribed_at(&c, 1);
    publishes = client_of(&c, 0, &id);
    show(&c.s, switched);
    other_adopts(&c, 1);
    other_adopts(&c, 2);
    (void)node_accept(c.s.w, &c.s.nodes[1]);
    client_asks(publishes, "PUBLISH ch hi");
    fd = admits(&c.s, 1, "master"); /* within the test's deadline, by the clock */
    node_gets(&c.s, fd, "PUBLISH ch hi");
    cr_assert_eq(router_gate(c.s.host.router, 0)->early, 1);
    workers_end(&c);
}
