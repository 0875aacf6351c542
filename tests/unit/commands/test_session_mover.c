/*
 * session_mover: which of a worker's sessions are handed over, and when; and what becomes of them when the other process
 * refuses them, or dies. What is sent goes nowhere here: the test says what the other process does.
 */
#include "session/life.h"
#include "session/mover.h"
#include "session/state.h"
#include "unit/session_stage.h"

struct other {
    int sent, sockets;
    int error; /* what sending comes to */
};

struct scene_of_two {
    struct stage s;
    struct session_mover mover;
    struct other other;
};

static int send_there(void *arg, const struct buf *packed, const int *fds, int fd_count)
{
    struct other *other = arg;
    cr_assert_gt(buf_len(packed), 0);
    cr_assert_geq(fds[0], 0);
    if (other->error)
        return other->error;
    other->sent++;
    other->sockets += fd_count;
    return 0;
}

static void begin(struct scene_of_two *t)
{
    memset(t, 0, sizeof(*t));
    stage_begin(&t->s);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(address_from_number(&t->s.listeners[i].address, "127.0.0.1", 6379), 0);
    session_mover_init(&t->mover);
    t->s.host.mover = &t->mover;
}

static void moves(struct scene_of_two *t)
{
    session_mover_begin(&t->mover, &t->s.host, send_there, &t->other);
}

static void turns(struct scene_of_two *t)
{
    world_turn(t->s.w);
    t->mover.next_ms = 0;
    (void)session_mover_turn(&t->mover, &t->s.host);
}

static struct session *last_session(struct stage *s)
{
    return container_of(s->host.sessions.prev, struct session, in_host);
}

Test(session_mover, the_idle_are_sent_and_closed_when_they_are_taken)
{
    struct scene_of_two t;
    struct client a, b;
    begin(&t);
    a = client(&t.s);
    b = client(&t.s);
    uint64_t id = last_session(&t.s)->id;
    moves(&t);
    turns(&t);
    cr_assert_eq(t.other.sent, 2);
    node_says(b.fd, wire("GET k")); /* is the other's to read */
    settles(&t.s);
    cr_assert_gt(bytes_waiting(b.theirs), 0);
    session_mover_answered(&t.mover, id - 1, true);
    session_mover_answered(&t.mover, id, true);
    session_mover_answered(&t.mover, id + 7, true); /* nobody */
    cr_assert_eq(t.s.host.count, 0);
    cr_assert_eq(t.mover.moved, 2);
    (void)a;
    stage_end(&t.s);
}

Test(session_mover, a_request_in_flight_is_answered_first_and_the_next_is_not_read)
{
    struct scene_of_two t;
    struct client c;
    begin(&t);
    c = client(&t.s);
    int fd = reaches_master(&t.s, c, "GET k");
    moves(&t);
    turns(&t);
    node_says(c.fd, wire("GET l"));
    turns(&t);
    cr_assert_eq(t.other.sent, 0);
    node_answers(&t.s, fd, c, "$1\r\nv\r\n");
    turns(&t);
    cr_assert_eq(t.other.sent, 1);
    node_gets_nothing(&t.s, fd);
    stage_end(&t.s);
}

Test(session_mover, who_is_refused_is_served_on_and_not_sent_again)
{
    struct scene_of_two t;
    struct client c;
    begin(&t);
    c = client(&t.s);
    moves(&t);
    turns(&t);
    session_mover_answered(&t.mover, last_session(&t.s)->id, false);
    turns(&t);
    turns(&t);
    cr_assert_eq(t.other.sent, 1);
    node_answers(&t.s, reaches_master(&t.s, c, "GET k"), c, "$1\r\nv\r\n");
    stage_end(&t.s);
}

Test(session_mover, when_the_other_process_dies_all_are_served_on)
{
    struct scene_of_two t;
    struct client sent, stopping;
    begin(&t);
    stopping = client(&t.s);
    int fd = reaches_master(&t.s, stopping, "GET k");
    sent = client(&t.s);
    moves(&t);
    turns(&t);
    cr_assert_eq(t.other.sent, 1);
    cr_assert_eq(t.s.host.stopping, 1);
    session_mover_end(&t.mover, &t.s.host);
    cr_assert_eq(t.s.host.stopping, 0);
    node_answers(&t.s, fd, stopping, "$1\r\nv\r\n");
    goes_through(&t.s, sent, fd, "GET l", "$1\r\nw\r\n");
    goes_through(&t.s, stopping, fd, "GET l", "$1\r\nw\r\n");
    stage_end(&t.s);
}

Test(session_mover, a_subscribers_messages_wait_for_who_gets_it)
{
    static const char confirmed[] = "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n";
    static const char message[] = "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n";
    struct scene_of_two t;
    struct client c;
    begin(&t);
    c = client(&t.s);
    client_asks(c, "SUBSCRIBE ch");
    int fd = admits(&t.s, 0, "master");
    node_gets(&t.s, fd, "SUBSCRIBE ch");
    node_answers(&t.s, fd, c, confirmed);
    moves(&t);
    turns(&t);
    cr_assert_eq(t.other.sockets, 2);
    node_says(fd, message); /* is the other's to read */
    hears_nothing(&t.s, c);
    session_mover_end(&t.mover, &t.s.host);
    hears(&t.s, c, message); /* or not */
    stage_end(&t.s);
}

Test(session_mover, where_there_is_no_room_it_is_tried_again)
{
    struct scene_of_two t;
    begin(&t);
    (void)client(&t.s);
    t.other.error = -EAGAIN;
    moves(&t);
    turns(&t);
    cr_assert_eq(t.other.sent, 0);
    t.other.error = 0;
    turns(&t);
    cr_assert_eq(t.other.sent, 1);
    stage_end(&t.s);
}

Test(session_mover, one_that_is_closed_on_its_way_is_no_more)
{
    struct scene_of_two t;
    begin(&t);
    (void)client(&t.s);
    uint64_t id = last_session(&t.s)->id;
    moves(&t);
    turns(&t);
    session_close(last_session(&t.s), CLOSED_MOVED, "killed");
    session_mover_answered(&t.mover, id, true);
    cr_assert_eq(t.mover.moved, 0);
    turns(&t);
    stage_end(&t.s);
}
