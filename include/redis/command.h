/*
 * command: what the proxy knows of each Redis command. One checked-in table
 * (proxy/redis/commands.def), held by a test against a live server's COMMAND;
 * lookups ignore case and allocate nothing. Immutable. Any thread.
 */
#ifndef REDISPROXY_REDIS_COMMAND_H
#define REDISPROXY_REDIS_COMMAND_H

#include "redis/resp.h"

#include <stdint.h>

/* The server's own flags, under Redis' names (COMMAND's third field). */
enum command_flag {
    COMMAND_READONLY = 1 << 0,
    COMMAND_WRITE = 1 << 1,
    COMMAND_BLOCKING = 1 << 2,
    COMMAND_NOSCRIPT = 1 << 3,
    COMMAND_MAY_REPLICATE = 1 << 4,
    COMMAND_MOVABLE_KEYS = 1 << 5,
    /* Ours: allowed on the read port although it lacks READONLY (connection, introspection,
     * transactions, subscriptions; scripts, which are sent in their read-only form). */
    COMMAND_READ_PORT = 1 << 8,
    /* Ours: not in Redis 7.0; it came later, or is none at all (POST, HOST:). */
    COMMAND_NEWER = 1 << 9,
    /* Ours: a module's, or perhaps one: its code may do whatever a script may. */
    COMMAND_MODULE = 1 << 10,
    /* Ours: may change who is let in by the node. */
    COMMAND_RIGHTS = 1 << 11,
};

/* How a command travels (decision 1). */
enum command_way {
    /* on an upstream of its session's own, which the session keeps: whatever is not known to be
     * safe */
    WAY_LEASE,
    /* on a shared upstream: one reply, the connection's state unchanged, never closed by it */
    WAY_SHARE,
    /* it may wait: on a leased upstream that goes back to the pool when it is answered. XREAD,
     * XREADGROUP wait only with BLOCK */
    WAY_BLOCK,
    /* on a leased upstream that goes back to the pool when it is answered: a script, which may keep
     * its connection for as long as it likes, and what must not wait behind others */
    WAY_ALONE,
    WAY_SESSION, /* the session performs it itself; see the verb */
    WAY_REFUSE,  /* never sent: SYNC, PSYNC, REPLCONF, POST, HOST: */
};

/* What a session has to do about a command beyond sending it. */
enum command_verb {
    VERB_NONE,
    /* performed by the session */
    VERB_AUTH,
    VERB_HELLO,
    VERB_SELECT,
    VERB_QUIT,
    VERB_RESET,
    VERB_CLIENT_ID, /* these four ask the node first */
    VERB_CLIENT_INFO,
    VERB_CLIENT_LIST,
    VERB_CLIENT_KILL,
    VERB_CLIENT_GETNAME,
    VERB_CLIENT_SETNAME,
    VERB_CLIENT_SETINFO,
    VERB_CLIENT_REPLY,
    VERB_CLIENT_UNBLOCK,
    /* change what the session may share */
    VERB_MULTI,
    VERB_EXEC,
    VERB_DISCARD,
    VERB_WATCH,
    VERB_UNWATCH,
    VERB_CLIENT_TRACKING,
    VERB_CLIENT_NO_EVICT,
    VERB_CLIENT_NO_TOUCH,
    VERB_CLIENT_IMPORT_SOURCE,
    VERB_CLIENT_REDIR, /* CLIENT GETREDIR, CLIENT TRACKINGINFO: tell another client's id */
    VERB_SUBSCRIBE,
    VERB_PSUBSCRIBE,
    VERB_SSUBSCRIBE,
    VERB_UNSUBSCRIBE,
    VERB_PUNSUBSCRIBE,
    VERB_SUNSUBSCRIBE,
    VERB_MONITOR,
    /* rewritten to their _RO forms on the read port; never sent again on an error */
    VERB_EVAL,
    VERB_EVALSHA,
    VERB_FCALL,
    /* SCRIPT LOAD, SCRIPT FLUSH: to every node of the group (Redis replicates functions itself) */
    VERB_EVERYWHERE,
    /* SCRIPT KILL and kin, which a busy node answers, though it lets nobody SELECT */
    VERB_ANY_DB,
    VERB_CLIENT_PAUSE,
    VERB_CLIENT_UNPAUSE,
    /* CLIENT CAPA: sent without what the client can do */
    VERB_CLIENT_CAPA,
    /* WAIT, WAITAOF: on a lease that is made to count what the session wrote elsewhere */
    VERB_WAIT,
    /* its answer gets a section of the proxy's */
    VERB_INFO,
    /* SCAN, HSCAN, SSCAN, ZSCAN: a cursor is of the process that gave it */
    VERB_SCAN,
    /* ACL LOG: tells, but with RESET it changes something */
    VERB_ACL_LOG,
    /* PUBSUB's questions: who is subscribed? */
    VERB_PUBSUB,
    /* SYNC, PSYNC; REPLCONF: where replication is allowed */
    VERB_SYNC,
    VERB_REPLCONF,
    VERBS, /* how many there are */
};

/* SUBSCRIBE to SUNSUBSCRIBE. */
static inline bool command_is_subscription(uint8_t verb)
{
    return verb >= VERB_SUBSCRIBE && verb <= VERB_SUNSUBSCRIBE;
}

/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. */
static inline bool command_is_transaction(uint8_t verb)
{
    return verb >= VERB_MULTI && verb <= VERB_UNWATCH;
}

/* CLIENT TRACKING, NO-EVICT, NO-TOUCH, IMPORT-SOURCE: tell the node something about the connection, which stays so. */
static inline bool command_is_told(uint8_t verb)
{
    return verb >= VERB_CLIENT_TRACKING && verb <= VERB_CLIENT_IMPORT_SOURCE;
}

struct command {
    const char *name;           /* lower case; a subcommand as "config|set" */
    const struct command *subs; /* subcommands, or NULL */
    uint16_t nsubs;
    int16_t arity; /* as in COMMAND: negative means at least */
    uint16_t flags;
    int16_t first_key, last_key, key_step; /* as in COMMAND */
    uint8_t way;                           /* enum command_way */
    uint8_t verb;                          /* enum command_verb */
    uint16_t number; /* 1, 2, 3, ... in the table's order; 0: the table does not know it */
};

/* The command with this name, or its subcommand when it has some and `sub` names one (a container
 * without a known subcommand yields the container itself). NULL: the table does not know it. */
const struct command *command_find(struct slice name, struct slice sub);

/* Whether it is spelled as the proxy spells what it sends for itself (Auth, Client, Command, Config,
 * Hello, Info, Ping, Reset, Role, Select), and no client does. MONITOR shows commands as they were
 * sent: so it can be told whose they were. */
bool command_is_own(struct slice name);

/* How many numbers there are: the greatest is one less. */
unsigned command_numbers(void);
/* The command with this number, NULL for 0. */
const struct command *command_by_number(unsigned number);

/* What takes its time in the same way: for the histograms. */
#define COMMAND_CLASS_LIST(X)                                                                      \
    X(READ, "read")                                                                                \
    X(WRITE, "write")                                                                              \
    X(BLOCKING, "blocking") /* what may wait for others: BLPOP, and XREAD with or without BLOCK */ \
    X(SCRIPT, "script")                                                                            \
    X(TRANSACTION, "transaction")                                                                  \
    X(PUBSUB, "pubsub")                                                                            \
    X(OTHER, "other")
#define COMMAND_CLASS_(id, label) COMMAND_CLASS_##id,
enum command_class { COMMAND_CLASS_LIST(COMMAND_CLASS_) COMMAND_CLASSES };
#undef COMMAND_CLASS_
enum command_class command_class(const struct command *command);
const char *command_class_name(enum command_class class);

/* All commands, for the tests. */
const struct command *command_table(size_t *count);

/* Whether it names keys: what does is about data, not about its connection. */
bool command_has_keys(const struct command *command);

/* Whether a request with `argc` arguments has the right number of them. */
bool command_arity_ok(const struct command *command, int argc);

#endif
