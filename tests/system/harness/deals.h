/*
 * deals: clients whose requests belong together, and what became of every single one:
 *
 *   traders   MULTI, INCR of one key, INCR of another, RPUSH of a sequence number, EXEC: step by step,
 *             in one pipeline, with WATCH either way, and with a megabyte in between
 *   poppers   BLPOP or BLMOVE without a limit, on a list that a pusher of their own fills now and then
 *
 * Each has keys of its own, so that every effect can be told: what EXEC answered was done once, as a
 * whole, and nothing else was; only who watches may get nil; every item is popped once, in order.
 */
#ifndef TESTS_SYSTEM_DEALS_H
#define TESTS_SYSTEM_DEALS_H

#include "harness/trio.h"

struct deals;

/* Starts them on a proxy's write port. */
struct deals *deals_start(const char *host, int port);

/* Lets everybody come to an end, holds the effects on the master against what was answered, and
 * frees it all. Writes what is wrong to `wrong` ("": nothing) and the account to stderr. */
void deals_finish(struct deals *deals, struct trio *trio, char *wrong, size_t size);

#endif
