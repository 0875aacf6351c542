/*
 * transaction_state: which states follow which, and what is kept so that a transaction can be sent again: all of it, in
 * order, or nothing.
 */
#include "session/transaction_state.h"

#include "session/session_request.h"
#include "unit/dies.h"

#include <stdio.h>

#define STATES (TX_UNHELD + 1)
#define MEGABYTE ((size_t)1024 * 1024)

/* ---- states ---- */

struct move {
    struct transaction *tx;
    enum tx to;
};

static void enter(void *with)
{
    struct move *move = with;
    tx_enter(move->tx, move->to);
}

Test(transaction_state, a_new_one_is_closed_and_its_log_is_complete)
{
    struct transaction tx;
    memset(&tx, 0x5a, sizeof(tx));
    tx_init(&tx);
    cr_assert_eq(tx.state, TX_NONE);
    cr_assert(tx.logged);
    cr_assert(list_empty(&tx.log));
    cr_assert_eq(tx.bytes, 0);
    cr_assert_not(tx.watching || tx.watch_broken || tx.confirmed || tx.watch_confirmed ||
                  tx.refused || tx.dirty || tx.scans || tx.lost || tx.rejected || tx.publishes ||
                  tx.scripts || tx.rights);
    cr_assert_eq(tx.script_tries, 0);
    cr_assert_null(tx.refused_multi);
}

/* A broken one stays broken, until it ends; whatever else must not be aborts. */
Test(transaction_state, a_broken_one_is_mended_by_nothing_but_its_end)
{
    static const char *const names[STATES] = {"none", "open", "abort", "nil", "busy", "unheld"};
    static const char *const allowed[STATES] = {
        /* to:  none, open, abort, nil, busy, unheld */
        [TX_NONE] = "111111", [TX_OPEN] = "111111", [TX_ABORT] = "101010",
        [TX_NIL] = "100100",  [TX_BUSY] = "100010", [TX_UNHELD] = "100001"};
    for (unsigned from = 0; from < STATES; from++)
        for (unsigned to = 0; to < STATES; to++) {
            struct transaction tx = {.state = (uint8_t)from};
            char wanted[60];
            if (allowed[from][to] == '1') {
                tx_enter(&tx, (enum tx)to);
                cr_assert_eq(tx.state, to);
                continue;
            }
            const char *said = said_dying(enter, &(struct move){&tx, (enum tx)to});
            snprintf(wanted, sizeof(wanted), "machine=transaction from=%s to=%s", names[from],
                     names[to]);
            cr_assert_not_null(strstr(said, wanted), "%s", said);
        }
}

Test(transaction_state, what_is_broken_is_answered_here)
{
    for (unsigned state = 0; state < STATES; state++) {
        struct transaction tx = {.state = (uint8_t)state};
        cr_assert_eq(tx_answered_here(&tx), state != TX_NONE && state != TX_OPEN, "state %u",
                     state);
    }
}

/* ---- the log ---- */

struct kept {
    struct request_pool pool;
    struct transaction tx;
};

static void begin(struct kept *k)
{
    request_pool_init(&k->pool, sizeof(struct session_request));
    tx_init(&k->tx);
}

static void end(struct kept *k)
{
    tx_empty_log(&k->tx, &k->pool);
    cr_assert_eq(k->pool.live, 0);
    request_pool_free(&k->pool);
}

/* A request of so many bytes was delivered. */
static struct session_request *delivers(struct kept *k, const char *name, size_t len)
{
    struct session_request *request = session_request_new(&k->pool, len);
    request->command = command_find((struct slice){name, strlen(name)}, (struct slice){NULL, 0});
    request->len = len;
    request->state = REQUEST_ANSWERED;
    buf_append(&request->reply, "+QUEUED\r\n", 9);
    tx_log(&k->tx, &k->pool, request);
    return request;
}

/* How many stand in the log; their bytes have to be the log's. */
static unsigned in_log(const struct kept *k)
{
    unsigned count = 0;
    size_t bytes = 0;
    for (const struct list *it = k->tx.log.next; it != &k->tx.log; it = it->next) {
        count++;
        bytes += session_const_request(it)->len;
    }
    cr_assert_eq(k->tx.bytes, bytes);
    cr_assert_eq(k->pool.live, count, "who is not in the log was freed");
    return count;
}

Test(transaction_state, the_log_has_what_was_delivered_in_order_and_without_its_reply)
{
    struct kept k;
    begin(&k);
    struct session_request *wanted[] = {delivers(&k, "MULTI", 20), delivers(&k, "SET", 300),
                                        delivers(&k, "INCR", 4)};
    size_t i = 0;
    cr_assert_eq(in_log(&k), 3);
    cr_assert_eq(k.tx.bytes, 324);
    list_each (it, &k.tx.log) {
        struct session_request *request = session_request(it);
        cr_assert_eq(request, wanted[i++]);
        cr_assert_eq(buf_len(&request->reply), 0);
    }
    cr_assert(k.tx.logged);
    end(&k);
}

Test(transaction_state, emptying_the_log_frees_it_and_leaves_the_rest)
{
    struct kept k;
    begin(&k);
    delivers(&k, "MULTI", 20);
    delivers(&k, "SET", 30);
    k.tx.state = TX_OPEN;
    k.tx.lost = k.tx.rejected = k.tx.watching = true;
    tx_empty_log(&k.tx, &k.pool);
    cr_assert_eq(in_log(&k), 0);
    cr_assert(k.tx.lost && k.tx.rejected,
              "it is still to be sent again: the rest of it is on its way");
    cr_assert_eq(k.tx.state, TX_OPEN);
    cr_assert(k.tx.watching);
    end(&k);
}

Test(transaction_state, what_is_forgotten_is_not_sent_again)
{
    struct kept k;
    begin(&k);
    delivers(&k, "MULTI", 20);
    k.tx.state = TX_OPEN;
    k.tx.lost = k.tx.rejected = k.tx.watching = true;
    tx_forget(&k.tx, &k.pool);
    cr_assert_eq(in_log(&k), 0);
    cr_assert_not(k.tx.lost);
    cr_assert_not(k.tx.rejected);
    cr_assert(k.tx.logged);
    cr_assert_eq(k.tx.state, TX_OPEN);
    cr_assert(k.tx.watching);
    end(&k);
}

/* Parts of one that was given up may have been answered after that. */
Test(transaction_state, multi_begins_a_new_log)
{
    struct kept k;
    begin(&k);
    delivers(&k, "SET", 30);
    delivers(&k, "SET", 40);
    struct session_request *multi = delivers(&k, "MULTI", 20);
    cr_assert_eq(in_log(&k), 1);
    cr_assert_eq(k.tx.log.next, &multi->in_session);
    end(&k);
}

/* MULTI and so many bytes behind it, 16 MB in all at most. */
static void fills(struct kept *k, size_t bytes)
{
    delivers(k, "MULTI", 20);
    for (bytes -= 20; bytes > MEGABYTE; bytes -= MEGABYTE)
        delivers(k, "SET", MEGABYTE);
    delivers(k, "SET", bytes);
}

Test(transaction_state, sixteen_megabytes_are_kept)
{
    struct kept k;
    begin(&k);
    fills(&k, 16 * MEGABYTE);
    cr_assert_eq(k.tx.bytes, 16 * MEGABYTE);
    cr_assert_eq(in_log(&k), 17);
    cr_assert(k.tx.logged);
    end(&k);
}

/* 16 MB, and one byte. */
static void overflows(struct kept *k)
{
    fills(k, 16 * MEGABYTE);
    k->tx.lost = k->tx.rejected = true;
    delivers(k, "SET", 1);
}

Test(transaction_state, with_one_byte_more_all_of_it_is_given_up)
{
    struct kept k;
    begin(&k);
    overflows(&k);
    cr_assert_eq(in_log(&k), 0);
    cr_assert_not(k.tx.logged);
    cr_assert_not(k.tx.lost || k.tx.rejected, "it cannot be sent again");
    end(&k);
}

Test(transaction_state, behind_what_was_given_up_nothing_is_kept)
{
    struct kept k;
    begin(&k);
    overflows(&k);
    delivers(&k, "SET", 5);
    cr_assert_eq(in_log(&k), 0);
    cr_assert_not(k.tx.logged);
    end(&k);
}

Test(transaction_state, an_emptied_log_is_complete_again)
{
    struct kept k;
    begin(&k);
    overflows(&k);
    tx_empty_log(&k.tx, &k.pool);
    cr_assert(k.tx.logged);
    delivers(&k, "SET", 5);
    cr_assert_eq(in_log(&k), 1);
    end(&k);
}

Test(transaction_state, the_next_multi_is_kept_again)
{
    struct kept k;
    begin(&k);
    overflows(&k);
    delivers(&k, "MULTI", 20);
    delivers(&k, "SET", 5);
    cr_assert(k.tx.logged);
    cr_assert_eq(in_log(&k), 2);
    end(&k);
}

Test(transaction_state, one_request_over_the_bound_is_given_up_as_well)
{
    struct kept k;
    begin(&k);
    delivers(&k, "MULTI", 20);
    delivers(&k, "SET", 17 * MEGABYTE);
    cr_assert_eq(in_log(&k), 0);
    cr_assert_not(k.tx.logged);
    end(&k);
}
