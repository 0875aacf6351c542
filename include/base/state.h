/*
 * state: the check that the setter of every state machine makes. A machine has one enum, one function that changes it,
 * and one table that says for each state what it is called and which states may follow:
 *
 *     static const struct state_row rows[] = {
 *         [IDLE] = {"idle", STATE_BIT(OPEN)},
 *         [OPEN] = {"open", STATE_BIT(IDLE) | STATE_BIT(CLOSED)},
 *         [CLOSED] = {"closed", 0},
 *     };
 *     static const struct state_table table = STATE_TABLE("connection", rows);
 *
 *     static void enter(struct connection *c, enum state state)
 *     {
 *         state_check(&table, c->state, state);
 *         c->state = state;
 *     }
 *
 * A transition that the table does not have is a fault of this program, never of a peer: it is logged with both states'
 * names, and the program aborts. The check is one lookup in a bit mask, and stays on in every build.
 */
#ifndef REDISPROXY_BASE_STATE_H
#define REDISPROXY_BASE_STATE_H

#include "base/log.h"

#include <stdint.h>
#include <stdlib.h>

struct state_row {
    const char *name; /* for the log */
    uint32_t next;    /* STATE_BIT() of each state that may follow, itself included if it may */
};

struct state_table {
    const char *machine; /* for the log */
    const struct state_row *rows;
    unsigned count;
};

#define STATE_BIT(state) (UINT32_C(1) << (state))
#define STATE_TABLE(name, of)                                                                      \
    {                                                                                              \
        .machine = (name), .rows = (of), .count = sizeof(of) / sizeof((of)[0])                     \
    }

/* The state's name, for people. */
static inline const char *state_name(const struct state_table *table, unsigned state)
{
    return state < table->count ? table->rows[state].name : "?";
}

/* Logs the transition and aborts. */
static inline __attribute__((cold, noreturn)) void state_forbidden(const struct state_table *table,
                                                                   unsigned from, unsigned to)
{
    log_event(LOG_ERROR, "a state was entered that must not follow the one before: this is a bug",
              "machine=%s from=%s to=%s", table->machine, state_name(table, from),
              state_name(table, to));
    abort();
}

/* Returns if `to` may follow `from`; otherwise does not return. Any thread. */
static inline void state_check(const struct state_table *table, unsigned from, unsigned to)
{
    if (__builtin_expect(from >= table->count || to >= table->count ||
                             !(table->rows[from].next & STATE_BIT(to)),
                         0))
        state_forbidden(table, from, to);
}

#endif
