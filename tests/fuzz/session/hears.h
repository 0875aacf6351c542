/*
 * hears: what hears*.c share. hears.c says whose a reply is; the others, whether it may be that.
 */
#ifndef REDISPROXY_TESTS_FUZZ_SESSION_HEARS_H
#define REDISPROXY_TESTS_FUZZ_SESSION_HEARS_H

#include "world.h"

#define WRONG(c, reply, what)                                                                      \
    fail(__FILE__, __LINE__, what, "t%u.%u (kind %d) heard %.*s", (c)->number, (c)->next,          \
         (c)->records[(c)->next].kind, (reply).len < 120 ? (int)(reply).len : 120, (reply).data)

/* ---- hears.c ---- */

bool starts(struct slice reply, const char *text);
bool equals(struct slice reply, const char *text);
/* The string that begins at the message's head; moves on. */
struct slice take_string(struct slice *message);
/* A reply without its first line. */
struct slice behind_head(struct slice reply);
/* Its reply carries its word. */
bool has_word(enum kind kind);
/* What changes the connection, and was part of a transaction. */
bool changes_connection(enum kind kind);
void must_not_be_executed(struct client *c, const struct record *record, struct slice reply);

/* ---- hears_pushed.c ---- */

/* Whether nobody asked for it: a message, a line of MONITOR's. */
bool judge_unasked(struct client *c, struct slice reply);
void judge_confirmation(struct client *c, struct record *record, struct slice reply);

/* ---- hears_answers.c ---- */

/* A string that shows whose reply it is. */
void judge_own(struct client *c, unsigned number, struct slice text, bool in_tx);
/* Its RESET was performed. */
void reset_heard(struct client *c);
void judge_answer(struct client *c, enum kind kind, struct slice reply);

/* ---- hears_tx.c ---- */

void end_tx(struct client *c);
void none_executed(struct client *c, struct slice reply);
void judge_exec(struct client *c, struct slice reply);
/* Of a command inside MULTI. */
void judge_queued(struct client *c, struct record *record, struct slice reply);

#endif
