/*
 * upstream with a tap: on a subscribed connection every whole message is shown
 * to the session, which says whose it is.
 */
#include "unit/fake_node.h"

static void says_read(struct watched *s, const char *text)
{
    node_says_and_is_read(s->world, s->fd, s->up, &s->cut, text, strlen(text));
}

/* What a tap has seen, one message a line. */
struct tap {
    struct watched s;
    char seen[500];
    bool ends; /* the next message is the last of the first request's reply */
    bool untap;
    int lost_with; /* cuts that the owner had heard of when on_lost came */
};

static enum tap_verdict on_message(void *lease_data, struct request *head, const char *message,
                                   size_t len)
{
    struct tap *t = lease_data;

    cr_assert_eq(message[len - 1], '\n');
    snprintf(t->seen + strlen(t->seen), sizeof(t->seen) - strlen(t->seen), "%s%.*s",
             head ? "" : "!", (int)len, message);
    if (memmem(message, len, "message", 7))
        return TAP_PUSH;
    if (memmem(message, len, "first", 5))
        return TAP_PART;
    if (t->untap)
        upstream_set_tap(t->s.up, NULL);
    return TAP_ANSWER;
}

static bool is_reply(void *lease_data, char type)
{
    (void)lease_data;
    return type == '$';
}

static const struct upstream_tap tap = {on_message, is_reply};

static struct world *tapped(struct tap *t)
{
    struct world *w;

    memset(t, 0, sizeof(*t));
    w = watched_ready(&t->s);
    t->s.up->lease_data = t;
    upstream_set_tap(t->s.up, &tap);
    return w;
}

#define PUSH "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n"
#define FIRST "*3\r\n$9\r\nsubscribe\r\n$5\r\nfirst\r\n:1\r\n"
#define SECOND "*3\r\n$9\r\nsubscribe\r\n$6\r\nsecond\r\n:2\r\n"

static void tap_in_pieces(size_t first, size_t piece)
{
    static const char all[] = PUSH FIRST PUSH SECOND PUSH "-ERR oops\r\n" PUSH;
    struct tap t;
    struct world *w = tapped(&t);
    struct asked subscribe, other;

    ask(w, &subscribe, t.s.up, "S");
    ask(w, &other, t.s.up, "O");
    node_hears(w, t.s.fd, "SO");
    for (size_t at = 0, now = first; at < sizeof(all) - 1; at += now, now = piece) {
        size_t left = sizeof(all) - 1 - at;
        node_says_and_is_read(w, t.s.fd, t.s.up, &t.s.cut, all + at, now < left ? now : left);
    }
    cr_assert_not(t.s.cut, "%s", t.s.why);
    cr_assert_str_eq(t.seen, PUSH FIRST PUSH SECOND PUSH "-ERR oops\r\n"
                                                         "!" PUSH);
    was_answered(&subscribe, FIRST SECOND);
    was_answered(&other, "-ERR oops\r\n");
    watched_end(&t.s);
}

Test(upstream, a_tap_sees_whole_messages_wherever_they_are_cut)
{
    size_t len = sizeof(PUSH FIRST PUSH SECOND PUSH "-ERR oops\r\n" PUSH) - 1;

    for (size_t first = 1; first <= len; first++)
        tap_in_pieces(first, len);
    tap_in_pieces(1, 1);
    tap_in_pieces(7, 7);
}

Test(upstream, a_tap_can_take_itself_off)
{
    struct tap t;
    struct world *w = tapped(&t);
    struct asked one, two;

    t.untap = true;
    ask(w, &one, t.s.up, "1");
    ask(w, &two, t.s.up, "2");
    node_hears(w, t.s.fd, "12");
    says_read(&t.s, PUSH "+1\r\n$7\r\nmess");
    says_read(&t.s, "age\r\n");
    was_answered(&one, "+1\r\n");
    was_answered(&two, "$7\r\nmessage\r\n");
    cr_assert_str_eq(t.seen, PUSH "+1\r\n");
    watched_end(&t.s);
}

/* However large it is, nothing of it is kept. */
Test(upstream, a_tapped_string_is_passed_on_as_it_comes)
{
    struct tap t;
    struct world *w = tapped(&t);
    struct asked one, two;

    ask(w, &one, t.s.up, "1");
    ask(w, &two, t.s.up, "2");
    node_hears(w, t.s.fd, "12");
    says_read(&t.s, PUSH "$9\r\nmess");
    is_under_way(&one);
    cr_assert_str_eq(one.reply, "$9\r\nmess");
    says_read(&t.s, "age\r\n\r\n" PUSH "*1\r\n");
    was_answered(&one, "$9\r\nmessage\r\n\r\n");
    says_read(&t.s, "$1\r\nx\r\n" PUSH);
    was_answered(&two, "*1\r\n$1\r\nx\r\n");
    cr_assert_str_eq(t.seen, PUSH PUSH "*1\r\n$1\r\nx\r\n" /* it might be a message */
                                       "!" PUSH);
    watched_end(&t.s);
}

Test(upstream, a_tapped_answer_without_a_request_ends_it)
{
    struct tap t;
    struct world *w = tapped(&t);

    (void)w;
    says_read(&t.s, "+what\r\n");
    was_cut(&t.s, true, "a reply without a request");
    watched_end(&t.s);
}

static void on_lost(void *lease_data)
{
    struct tap *t = lease_data;

    cr_assert_eq(t->lost_with, 0, "told once");
    t->lost_with = t->s.cuts;
    cr_assert_eq(t->s.up->state, UPSTREAM_CLOSED);
}

Test(upstream, a_leases_holder_hears_of_its_end_before_its_requests_do)
{
    struct tap t;
    struct world *w = tapped(&t);
    struct asked asked;

    t.s.up->on_lost = on_lost;
    ask(w, &asked, t.s.up, "x");
    node_hears(w, t.s.fd, "x");
    node_says(t.s.fd, PUSH "*3\r\n$7\r\nmess"); /* half a message goes with it */
    shutdown(t.s.fd, SHUT_WR);
    until(t.s.cut, world_turn(w));
    cr_assert_eq(t.lost_with, 1, "after the pool, which lets go of it");
    has_failed(&asked, REQUEST_LOST);
    cr_assert_str_eq(t.seen, PUSH);
    watched_end(&t.s);
}
