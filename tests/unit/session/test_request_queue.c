/*
 * request_queue: whatever happens to a session's requests, and in whatever order, its counters say what its list says.
 */
#include "session/request_queue.h"
#include "unit/dies.h"

#include <stdio.h>
#include <stdlib.h>

/* Nobody looks into these: where a request is, is all that counts. */
static char nodes[3];
#define NODE(i) ((struct upstream *)(void *)&nodes[i])

struct line {
    struct request_pool pool;
    struct request_queue queue;
    struct held_total all;
    struct hold hold;
    /* what the list cannot tell */
    size_t charged;
    struct upstream *at;
    bool mixed;
};

static void begin(struct line *l)
{
    *l = (struct line){.charged = 0};
    request_pool_init(&l->pool, sizeof(struct session_request));
    queue_init(&l->queue);
    hold_init(&l->hold, &l->all, 1 << 20, 1000);
}

static struct session_request *one_at(struct list *node)
{
    return session_request(node);
}

static void end(struct line *l)
{
    struct list *node;
    hold_leave(&l->queue.held);
    while ((node = list_take(&l->queue.requests)))
        session_request_free(&l->pool, one_at(node));
    cr_assert_eq(l->pool.live, 0);
    request_pool_free(&l->pool);
}

/* ---- a client, and an upstream ---- */

/* A request of so many bytes, in the queue. */
static struct session_request *adds(struct line *l, size_t len, bool maybe_write, bool write)
{
    struct session_request *request = session_request_new(&l->pool, len);
    memset(request->data, 'x', len);
    request->len = len;
    request->maybe_write = maybe_write;
    request->write = write;
    queue_add(&l->queue, request);
    return request;
}

static struct session_request *adds_read(struct line *l)
{
    return adds(l, 10, false, false);
}

static struct session_request *adds_write(struct line *l)
{
    return adds(l, 10, true, true);
}

/* As session_send() does it. */
static void departs(struct line *l, struct session_request *request, struct upstream *to)
{
    l->mixed = l->queue.inflight > 0 && (l->mixed || l->at != to);
    if (l->queue.inflight == 0)
        l->at = to;
    queue_depart(&l->queue, request, to);
    request_move(&request->wire, REQUEST_QUEUED); /* upstream_submit() */
    request->upstream = to;
}

static void is_sent(struct session_request *request)
{
    request_move(&request->wire, REQUEST_SENT);
}

static void moves(struct line *l, struct session_request *request, enum request_state state)
{
    queue_move(&l->queue, request, state);
}

static void leaves(struct line *l, struct session_request *request)
{
    queue_remove(&l->queue, request);
    session_request_free(&l->pool, request);
}

/* Its requests begin to be held, as session_enter_hold() does it. */
static void hold_begins(struct line *l)
{
    hold_enter(&l->hold, &l->queue.held, 0, 1);
    list_each (it, &l->queue.requests) {
        if (one_at(it)->state == REQUEST_WAITING)
            hold_grow(&l->queue.held, request_cost(one_at(it)));
    }
}

static void is_rewritten(struct line *l, struct session_request *request, const char *bytes)
{
    struct buf whole = {0};
    buf_append(&whole, bytes, strlen(bytes));
    queue_set_bytes(&l->queue, request, &whole);
    buf_free(&whole);
}

/* ---- the counters ---- */

/* As the list has it. */
static struct request_queue counted(struct line *l)
{
    struct request_queue found = {.bytes = l->charged};
    list_each (it, &l->queue.requests) {
        struct session_request *request = one_at(it);
        bool waits = request->state == REQUEST_WAITING;
        bool flies = request->state == REQUEST_QUEUED || request->state == REQUEST_SENT;
        found.count++;
        found.writes += request->maybe_write;
        found.inflight += flies;
        found.inflight_writes += flies && request->write;
        found.rejected += request->state == REQUEST_REJECTED;
        found.bytes += request_cost(request);
        if (waits && !found.next)
            found.next = request;
    }
    return found;
}

/* Where those in flight are. */
static void is_known_where(const struct line *l)
{
    cr_assert_eq(l->queue.mixed, l->mixed);
    cr_assert_eq(l->queue.at, l->at);
    for (const struct list *it = l->queue.requests.next; it != &l->queue.requests; it = it->next) {
        const struct session_request *r = session_const_request(it);
        bool flies = r->state == REQUEST_QUEUED || r->state == REQUEST_SENT;
        cr_assert(!flies || l->mixed || r->upstream == l->queue.at);
    }
}

/* What waits costs so much, which is more than its bytes. */
static size_t cost_of_waiting(struct line *l)
{
    size_t sum = 0;
    list_each (it, &l->queue.requests)
        sum += one_at(it)->state == REQUEST_WAITING ? request_cost(one_at(it)) : 0;
    return sum;
}

static void is_right(struct line *l)
{
    struct request_queue found = counted(l);
    size_t held = hold_waits(&l->queue.held) ? cost_of_waiting(l) : 0;
    if (found.inflight == 0) {
        l->at = NULL;
        l->mixed = false;
    }
    cr_assert_eq(l->queue.count, found.count);
    cr_assert_eq(l->queue.writes, found.writes);
    cr_assert_eq(l->queue.inflight, found.inflight);
    cr_assert_eq(l->queue.inflight_writes, found.inflight_writes);
    cr_assert_eq(l->queue.rejected, found.rejected);
    cr_assert_eq(l->queue.bytes, found.bytes);
    cr_assert_eq(l->queue.next, found.next);
    cr_assert_eq(l->queue.unclassified, 0, "that is the session's to count");
    cr_assert_eq(l->queue.held.bytes, held);
    cr_assert_eq(l->hold.bytes, held);
    cr_assert_eq(l->all.bytes, held);
    is_known_where(l);
}

/* ---- who waits ---- */

Test(request_queue, nothing_is_counted_in_an_empty_one)
{
    struct line l;
    memset(&l, 0x5a, sizeof(l));
    begin(&l);
    memset(&l.queue, 0x5a, sizeof(l.queue));
    queue_init(&l.queue);
    is_right(&l);
    cr_assert(list_empty(&l.queue.requests));
    cr_assert_not(hold_waits(&l.queue.held));
    cr_assert_not(list_linked(&l.queue.held.in_hold));
    end(&l);
}

Test(request_queue, they_stand_in_the_order_in_which_they_came)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_read(&l), *second = adds_read(&l);
    cr_assert_eq(one_at(l.queue.requests.next), first);
    cr_assert_eq(one_at(l.queue.requests.prev), second);
    cr_assert_eq(l.queue.next, first);
    is_right(&l);
    end(&l);
}

Test(request_queue, the_next_is_the_first_that_waits)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_read(&l), *second = adds_read(&l), *third = adds_read(&l);
    departs(&l, first, NODE(0));
    cr_assert_eq(l.queue.next, second);
    moves(&l, second, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.next, third);
    departs(&l, third, NODE(0));
    cr_assert_null(l.queue.next);
    struct session_request *fourth = adds_read(&l);
    cr_assert_eq(l.queue.next, fourth);
    is_right(&l);
    end(&l);
}

Test(request_queue, the_next_stays_when_one_behind_it_is_answered)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_read(&l), *second = adds_read(&l), *third = adds_read(&l);
    moves(&l, second, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.next, first);
    moves(&l, first, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.next, third);
    is_right(&l);
    end(&l);
}

Test(request_queue, one_that_waits_again_stands_where_it_stood)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_read(&l), *second = adds_read(&l), *third = adds_read(&l);
    departs(&l, first, NODE(0));
    departs(&l, second, NODE(0));
    moves(&l, second, REQUEST_WAITING);
    cr_assert_eq(l.queue.next, second, "before the third, which did not leave");
    moves(&l, first, REQUEST_WAITING);
    cr_assert_eq(l.queue.next, first);
    cr_assert_eq(one_at(third->in_session.prev), second);
    is_right(&l);
    end(&l);
}

Test(request_queue, an_answered_one_counts_until_it_is_delivered)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_write(&l), *second = adds_read(&l);
    departs(&l, first, NODE(0));
    moves(&l, first, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.count, 2);
    cr_assert_eq(l.queue.writes, 1);
    queue_remove(&l.queue, first);
    cr_assert_not(list_linked(&first->in_session));
    cr_assert_eq(l.queue.count, 1);
    cr_assert_eq(l.queue.writes, 0);
    cr_assert_eq(l.queue.next, second);
    is_right(&l);
    session_request_free(&l.pool, first);
    end(&l);
}

Test(request_queue, what_was_answered_may_wait_again)
{
    struct line l;
    begin(&l);
    struct session_request *request = adds_write(&l);
    departs(&l, request, NODE(0));
    is_sent(request);
    moves(&l, request, REQUEST_ANSWERED); /* its connection was lost */
    moves(&l, request, REQUEST_WAITING);
    cr_assert_eq(l.queue.next, request);
    cr_assert_eq(l.queue.bytes, sizeof(struct session_request));
    is_right(&l);
    end(&l);
}

Test(request_queue, a_second_answer_instead_of_the_first_changes_no_counter)
{
    struct line l;
    begin(&l);
    struct session_request *request = adds_write(&l);
    moves(&l, request, REQUEST_ANSWERED);
    moves(&l, request, REQUEST_ANSWERED);
    is_right(&l);
    end(&l);
}

/* ---- what is in flight ---- */

Test(request_queue, what_is_queued_or_sent_is_in_flight)
{
    struct line l;
    begin(&l);
    struct session_request *write = adds_write(&l), *read = adds_read(&l);
    departs(&l, write, NODE(0));
    cr_assert_eq(l.queue.inflight, 1);
    cr_assert_eq(l.queue.inflight_writes, 1);
    departs(&l, read, NODE(0));
    is_sent(write);
    cr_assert_eq(l.queue.inflight, 2);
    cr_assert_eq(l.queue.inflight_writes, 1);
    moves(&l, write, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.inflight, 1);
    cr_assert_eq(l.queue.inflight_writes, 0);
    is_right(&l);
    end(&l);
}

Test(request_queue, a_read_that_might_have_been_a_write_counts_only_as_unfinished)
{
    struct line l;
    begin(&l);
    struct session_request *request = adds(&l, 10, true, false);
    cr_assert_eq(l.queue.writes, 1);
    departs(&l, request, NODE(0));
    cr_assert_eq(l.queue.inflight_writes, 0);
    is_right(&l);
    end(&l);
}

Test(request_queue, on_one_upstream_they_are_not_mixed)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_read(&l), *second = adds_read(&l);
    departs(&l, first, NODE(1));
    departs(&l, second, NODE(1));
    cr_assert_eq(l.queue.at, NODE(1));
    cr_assert_not(l.queue.mixed);
    is_right(&l);
    end(&l);
}

Test(request_queue, on_several_upstreams_they_are_mixed_until_all_have_landed)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_read(&l), *second = adds_read(&l), *third = adds_read(&l);
    departs(&l, first, NODE(0));
    departs(&l, second, NODE(1));
    cr_assert(l.queue.mixed);
    moves(&l, first, REQUEST_ANSWERED);
    cr_assert(l.queue.mixed);
    departs(&l, third, NODE(0));
    moves(&l, second, REQUEST_ANSWERED);
    cr_assert(l.queue.mixed);
    moves(&l, third, REQUEST_WAITING);
    cr_assert_not(l.queue.mixed);
    cr_assert_eq(l.queue.at, NULL);
    departs(&l, third, NODE(2));
    cr_assert_eq(l.queue.at, NODE(2));
    cr_assert_not(l.queue.mixed);
    is_right(&l);
    end(&l);
}

Test(request_queue, a_rejected_one_is_counted_until_it_waits_again_or_is_answered)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds_write(&l), *second = adds_write(&l);
    departs(&l, first, NODE(0));
    departs(&l, second, NODE(0));
    is_sent(first);
    is_sent(second);
    moves(&l, first, REQUEST_REJECTED);
    moves(&l, second, REQUEST_REJECTED);
    cr_assert_eq(l.queue.rejected, 2);
    cr_assert_eq(l.queue.inflight, 0);
    is_right(&l);
    moves(&l, first, REQUEST_WAITING);
    cr_assert_eq(l.queue.rejected, 1);
    moves(&l, second, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.rejected, 0);
    is_right(&l);
    end(&l);
}

/* ---- bytes ---- */

/* Also while it is sent: a node that does not answer must not make the proxy take in more and more. */
Test(request_queue, a_request_counts_until_it_is_answered_and_delivered)
{
    struct line l;
    begin(&l);
    struct session_request *large = adds(&l, 5000, false, false);
    struct session_request *small = adds(&l, 20, false, false);
    size_t both = 2 * sizeof(struct session_request) + 5000;
    cr_assert_eq(request_cost(large), sizeof(struct session_request) + 5000);
    cr_assert_eq(request_cost(small), sizeof(struct session_request));
    cr_assert_eq(l.queue.bytes, both);
    departs(&l, large, NODE(0));
    is_sent(large);
    cr_assert_eq(l.queue.bytes, both);
    moves(&l, large, REQUEST_ANSWERED); /* its connection was lost */
    moves(&l, large, REQUEST_WAITING);
    cr_assert_eq(l.queue.bytes, both);
    moves(&l, large, REQUEST_ANSWERED);
    cr_assert_eq(l.queue.bytes, both);
    leaves(&l, large);
    cr_assert_eq(l.queue.bytes, sizeof(struct session_request));
    is_right(&l);
    end(&l);
}

Test(request_queue, bytes_beside_the_requests_count_too_and_are_not_held)
{
    struct line l;
    begin(&l);
    size_t cost = request_cost(adds(&l, 20, false, false));
    hold_begins(&l);
    queue_charge(&l.queue, 7);
    cr_assert_eq(l.queue.bytes, cost + 7);
    cr_assert_eq(l.hold.bytes, cost);
    queue_discharge(&l.queue, 3);
    cr_assert_eq(l.queue.bytes, cost + 4);
    cr_assert_eq(l.hold.bytes, cost);
    l.charged = 4;
    is_right(&l);
    end(&l);
}

Test(request_queue, new_bytes_count_instead_of_the_old_ones)
{
    static const char words[] = "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n";
    struct line l;
    begin(&l);
    struct session_request *request = adds(&l, 400, false, false);
    adds(&l, 1, false, false);
    hold_begins(&l);
    is_rewritten(&l, request, words);
    cr_assert_eq(request->len, sizeof(words) - 1);
    cr_assert_arr_eq(request->data, words, sizeof(words) - 1);
    cr_assert_eq(request->argc, 2);
    cr_assert_eq(l.queue.bytes, 2 * sizeof(struct session_request) + 400, "its memory stays");
    cr_assert_eq(l.hold.bytes, cost_of_waiting(&l));
    cr_assert_eq(l.queue.next, request);
    is_right(&l);
    is_rewritten(&l, request, "*1\r\n$4\r\nPING\r\n");
    cr_assert_eq(request->argc, 1);
    is_right(&l);
    end(&l);
}

Test(request_queue, the_hold_counts_what_waits_while_it_lasts)
{
    struct line l;
    begin(&l);
    struct session_request *first = adds(&l, 100, false, false);
    cr_assert_eq(l.hold.bytes, 0);
    hold_begins(&l);
    size_t one = request_cost(first);
    cr_assert_eq(one, sizeof(*first), "its bytes have a place in it");
    cr_assert_eq(l.hold.bytes, one);
    struct session_request *second = adds(&l, 2000, false, false);
    cr_assert_eq(l.hold.bytes, 2 * one + 2000);
    moves(&l, first, REQUEST_ANSWERED); /* it waited too long */
    cr_assert_eq(l.hold.bytes, one + 2000);
    hold_leave(&l.queue.held);
    cr_assert_eq(l.hold.bytes, 0);
    departs(&l, second, NODE(0));
    moves(&l, second, REQUEST_WAITING);
    cr_assert_eq(l.hold.bytes, 0);
    is_right(&l);
    end(&l);
}

/* ---- what must not be ---- */

struct fault {
    struct line *line;
    struct session_request *request;
    enum request_state state;
};

static void add(void *with)
{
    struct fault *f = with;
    queue_add(&f->line->queue, f->request);
}

static void remove_it(void *with)
{
    struct fault *f = with;
    queue_remove(&f->line->queue, f->request);
}

static void depart(void *with)
{
    struct fault *f = with;
    queue_depart(&f->line->queue, f->request, NODE(0));
}

static void rewrite(void *with)
{
    struct fault *f = with;
    is_rewritten(f->line, f->request, "*1\r\n$4\r\nPING\r\n");
}

static void move(void *with)
{
    struct fault *f = with;
    queue_move(&f->line->queue, f->request, f->state);
}

Test(request_queue, what_does_not_wait_is_not_added)
{
    struct line l;
    begin(&l);
    struct session_request *request = session_request_new(&l.pool, 0);
    request_move(&request->wire, REQUEST_ANSWERED);
    said_dying(add, &(struct fault){&l, request, 0});
    session_request_free(&l.pool, request);
    end(&l);
}

Test(request_queue, what_is_not_answered_does_not_leave)
{
    struct line l;
    begin(&l);
    struct fault fault = {&l, adds_read(&l), 0};
    said_dying(remove_it, &fault);
    departs(&l, fault.request, NODE(0));
    said_dying(remove_it, &fault);
    end(&l);
}

Test(request_queue, what_has_departed_does_not_depart_and_keeps_its_bytes)
{
    struct line l;
    begin(&l);
    struct fault fault = {&l, adds_read(&l), 0};
    departs(&l, fault.request, NODE(0));
    said_dying(depart, &fault);
    said_dying(rewrite, &fault);
    moves(&l, fault.request, REQUEST_ANSWERED);
    said_dying(depart, &fault);
    said_dying(rewrite, &fault);
    end(&l);
}

/* Brings a new request there. */
static struct session_request *in_state(struct line *l, enum request_state state)
{
    struct session_request *request = adds_write(l);
    if (state == REQUEST_WAITING)
        return request;
    departs(l, request, NODE(0));
    if (state != REQUEST_QUEUED)
        is_sent(request);
    if (state == REQUEST_REJECTED || state == REQUEST_ANSWERED)
        moves(l, request, state);
    return request;
}

Test(request_queue, a_move_that_must_not_be_names_both_states_and_aborts)
{
    static const enum request_state forbidden[][2] = {
        {REQUEST_WAITING, REQUEST_WAITING},   {REQUEST_WAITING, REQUEST_REJECTED},
        {REQUEST_QUEUED, REQUEST_REJECTED},   {REQUEST_SENT, REQUEST_WAITING},
        {REQUEST_REJECTED, REQUEST_REJECTED}, {REQUEST_ANSWERED, REQUEST_REJECTED}};
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        struct line l;
        char wanted[60];
        begin(&l);
        struct session_request *request = in_state(&l, forbidden[i][0]);
        const char *said = said_dying(move, &(struct fault){&l, request, forbidden[i][1]});
        snprintf(wanted, sizeof(wanted), "machine=request from=%s to=%s",
                 request_rows[forbidden[i][0]].name, request_rows[forbidden[i][1]].name);
        cr_assert_not_null(strstr(said, wanted), "%s", said);
        end(&l);
    }
}

/* They are the upstream's states: a request that entered one here would be in flight, and not counted. */
Test(request_queue, nothing_is_queued_or_sent_by_a_move)
{
    static const enum request_state moves_to[][2] = {{REQUEST_WAITING, REQUEST_QUEUED},
                                                     {REQUEST_QUEUED, REQUEST_SENT},
                                                     {REQUEST_SENT, REQUEST_SENT}};
    for (size_t i = 0; i < sizeof(moves_to) / sizeof(moves_to[0]); i++) {
        struct line l;
        begin(&l);
        struct session_request *request = in_state(&l, moves_to[i][0]);
        said_dying(move, &(struct fault){&l, request, moves_to[i][1]});
        end(&l);
    }
}

/* ---- any sequence ---- */

static unsigned long long random_state;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(random_state >> 33) % limit;
}

static struct session_request *any(struct line *l)
{
    struct list *it = l->queue.requests.next;
    for (unsigned i = below(l->queue.count); i > 0; i--)
        it = it->next;
    return one_at(it);
}

/* Something that may happen to a request in its state. */
static void goes_on(struct line *l, struct session_request *r)
{
    switch ((enum request_state)r->state) {
    case REQUEST_WAITING:
        if (below(6) == 0)
            is_rewritten(l, r,
                         below(2) ? "*1\r\n$4\r\nPING\r\n" : "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n");
        else if (below(4))
            departs(l, r, NODE(below(8) ? 0 : below(3)));
        else
            moves(l, r, REQUEST_ANSWERED);
        break;
    case REQUEST_QUEUED:
        if (below(2))
            is_sent(r);
        else
            moves(l, r, below(2) ? REQUEST_WAITING : REQUEST_ANSWERED);
        break;
    case REQUEST_SENT:
        moves(l, r, below(3) ? REQUEST_ANSWERED : REQUEST_REJECTED);
        break;
    case REQUEST_REJECTED:
        moves(l, r, below(2) ? REQUEST_WAITING : REQUEST_ANSWERED);
        break;
    case REQUEST_ANSWERED:
        if (below(3))
            leaves(l, r);
        else
            moves(l, r, below(2) ? REQUEST_WAITING : REQUEST_ANSWERED);
        break;
    }
}

/* What the hold and a tunnel do meanwhile. */
static void happens_beside(struct line *l)
{
    size_t bytes = below(500);
    if (below(2)) {
        if (hold_waits(&l->queue.held))
            hold_leave(&l->queue.held);
        else
            hold_begins(l);
    } else if (l->charged >= bytes) {
        queue_discharge(&l->queue, bytes);
        l->charged -= bytes;
    } else {
        queue_charge(&l->queue, bytes);
        l->charged += bytes;
    }
}

Test(request_queue, the_counters_are_right_after_any_sequence_of_moves)
{
    unsigned longest = 0, rejected = 0, mixed = 0, idle = 0;
    struct line l;
    begin(&l);
    random_state = 12;
    for (int step = 0; step < 20000; step++) {
        unsigned what = below(10), most = 1 + (unsigned)step / 100 % 16;
        if (what == 0)
            happens_beside(&l);
        else if (l.queue.count == 0 || (what < 4 && l.queue.count < most))
            adds(&l, below(300), below(2), below(3) == 0);
        else
            goes_on(&l, any(&l));
        is_right(&l);
        longest = l.queue.count > longest ? l.queue.count : longest;
        rejected += l.queue.rejected > 0;
        mixed += l.queue.mixed;
        idle += l.queue.inflight == 0;
    }
    /* it was not always the same that happened */
    cr_assert(longest > 5 && rejected > 1000 && mixed > 1000 && idle > 1000, "%u %u %u %u", longest,
              rejected, mixed, idle);
    end(&l);
}
