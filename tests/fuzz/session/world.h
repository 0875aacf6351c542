/*
 * world: what surrounds the sessions in the fuzzer: streams without sockets
 * (wire.c), nodes (node.c), clients that know what they have to hear
 * (client.c, hears*.c), and the books that both sides keep, since a node's deeds are
 * judged by what its client was told.
 *
 *     client --wire--> session, router, pool, upstream (the real ones) --wire--> node
 *
 * Time stands still unless the input lets it pass, and nothing here asks the
 * kernel for anything: the same input always gives the same run.
 */
#ifndef REDISPROXY_TESTS_FUZZ_SESSION_WORLD_H
#define REDISPROXY_TESTS_FUZZ_SESSION_WORLD_H

#include "base/buf.h"
#include "base/list.h"
#include "commands/table.h"
#include "net/stream.h"
#include "nodes/learn.h"
#include "nodes/router.h"
#include "nodes/scripts.h"
#include "redis/resp.h"
#include "session/host.h"
#include "topology/topology.h"

#define NODES 2
#define SLOTS 3 /* clients at a time */
#define CLIENTS 8
#define COMMANDS 120 /* of one client */
#define CHANNELS 4
#define CONNECT_TIMEOUT_MS 1000

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                     \
    } while (0)
void fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/* Told when FUZZ_TRACE is set, for reading a play that failed. */
extern bool trace;
#define TRACE(...)                                                                                 \
    do {                                                                                           \
        if (trace)                                                                                 \
            trace_line(__VA_ARGS__);                                                               \
    } while (0)
void trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- wire.c ---- */

#define ROOM_ENOUGH ((size_t)1 << 30)

struct wire;
struct wire_peer {
    void (*heard)(void *peer, const char *data, size_t len); /* the proxy wrote */
    void (*ended)(void *peer);                               /* the proxy closed */
};
struct wire {
    struct list in_wires;
    struct stream *stream; /* NULL: the proxy is done with it */
    bool connecting;
    struct buf in; /* the proxy may read it */
    int end;       /* behind `in`: 0, UV_EOF, or an error */
    bool told;     /* of an end that was no EOF */
    size_t room;   /* the kernel takes this much of what the proxy writes */
    const struct wire_peer *peer;
    void *owner;
};
/* What uv_now() says. */
extern uint64_t wire_now;
void wires_begin(void);
void wires_end(void);
/* Somebody connects to the proxy: this descriptor is for session_open(). */
int wire_dial(const struct wire_peer *peer, void *owner, struct wire **wire);
/* Tells the proxy's side what its epoll would. Returns whether anything was told. */
bool wires_turn(void);
bool wire_open(const struct wire *wire);
/* Runs what is due. */
void timers_run(void);

/* ---- the books ---- */

/* One command of a client. */
struct record {
    uint8_t kind;
    uint8_t parts;     /* confirmations of a SUBSCRIBE */
    bool write;        /* may not be executed twice */
    unsigned executed; /* by nodes */
    unsigned refused;  /* by nodes, which did not execute it */
    unsigned ends;     /* connections that nodes had ended when it was issued */
};

struct client {
    unsigned number; /* from 1 */
    struct wire *wire;
    enum route route;
    bool ended;   /* by the proxy */
    bool may_end; /* there was a reason */
    struct buf to_send;
    struct buf heard;
    struct record records[COMMANDS + 1]; /* by their number, from 1 */
    unsigned issued, next;               /* the last one; the one whose reply is next */
    unsigned passed;                     /* the first before that whose reply it does not want */
    unsigned parts;                      /* of a subscription's confirmations, heard so far */
    unsigned last_write;                 /* executed */
    unsigned acknowledged;               /* the last write whose success was heard */
    bool issued_tx, issued_subscribe, issued_reply; /* what stands open, as far as was issued */
    /* as of the replies heard */
    char user;
    int db;
    bool resp3, off, skip, tx, watched, watching, doomed, monitoring, tracking, named;
    bool loose; /* what it did unheard may have changed these */
    bool blind; /* one cannot tell any more which reply is whose */
    unsigned queued[COMMANDS], queued_count;
    uint8_t subs[3];
    unsigned last_message[3];
};

struct books {
    struct client *clients[CLIENTS + 1]; /* by number */
    unsigned client_count;
    struct topology *shown; /* what the workers have adopted */
    bool unserved;          /* there was a time when something could not be served */
    bool lost;              /* a connection to a node ended */
    unsigned ends;          /* so many did */
    bool cut_short;         /* in the middle of a reply */
    bool refused;           /* some command was, by a node */
    bool strangers;         /* users were taken away */
    bool unblocked;         /* by CLIENT UNBLOCK of a client */
};
extern struct books books;

/* "t2.7": the command and its client; NULL: it is no such word. */
struct record *record_of(struct slice tag, struct client **client, unsigned *number);

/* ---- node.c ---- */

/* What a node answers instead of executing. */
enum trouble { WELL, LOADING, NOREPLICAS, READONLY_ONCE, TROUBLES };

void nodes_begin(void);
void nodes_end(void);
const struct topology_node *node_view(int node);
void node_become(int node, bool master);
bool node_is_master(int node);
void node_trouble(int node, enum trouble trouble);
bool node_is_leaving(int node);
void node_leave(int node); /* it pauses writes, and ends with the next node_crash() */
void node_crash(int node, bool clean);
void node_down(int node, bool down); /* connecting to it is refused */
void node_slow(int node, bool slow); /* acts only when told so */
void node_forget_users(void);
/* Executes at most so many commands of each connection. */
bool node_execute(int node, unsigned most);
/* Its replies reach the proxy, at most so many bytes of each connection. */
bool node_deliver(int node, size_t most);
void node_squeeze(int node, size_t room);
/* Ends one of its connections. */
void node_cut(int node, unsigned which, int how);
void node_publish(int node, unsigned channel);
bool node_wake_blocked(int node);
void node_expire_blocked(int node);
bool nodes_act(void); /* those that are not slow do all that they can */

/* ---- client.c ---- */

enum kind {
    GET,
    GET_BIG,
    SET,
    SET_BIG,
    PING,
    EVAL,
    MULTI,
    EXEC,
    DISCARD,
    WATCH,
    UNWATCH,
    SUBSCRIBE,
    PSUBSCRIBE,
    SSUBSCRIBE,
    UNSUBSCRIBE,
    UNSUBSCRIBE_ALL,
    PUNSUBSCRIBE_ALL,
    SUNSUBSCRIBE_ALL,
    BLPOP,
    BLPOP_SHORT,
    XREAD_BLOCK,
    REPLY_ON,
    REPLY_OFF,
    REPLY_SKIP,
    SELECT_0,
    SELECT_1,
    SELECT_BAD,
    AUTH_A,
    AUTH_B,
    AUTH_BAD,
    HELLO_2,
    HELLO_3,
    HELLO_AUTH,
    RESET,
    QUIT,
    ID,
    SETNAME,
    GETNAME,
    UNKNOWN,
    MODULE,
    WAIT,
    SCRIPT_LOAD,
    TRACKING_ON,
    TRACKING_OFF,
    NO_EVICT,
    MONITOR,
    SYNC,
    GARBAGE,
    BAD_ARITY,
    UNBLOCK,
    KINDS
};

struct client *client_new(struct session_host *host,
                          const struct traffic_listener_options *options);
/* Appends a command to what it will send. */
void client_issue(struct client *c, enum kind kind, unsigned detail, bool as_line);
/* So many bytes of that reach the proxy. */
bool client_send(struct client *c, size_t most);
void client_leave(struct client *c, bool half);
void client_free(struct client *c);

/* ---- hears.c ---- */

/* Judges what has come. */
void client_judge(struct client *c);
/* Everything has had its time: nothing may be missing. */
/* Whether it waits for nothing any more. */
bool client_heard_all(struct client *c);
void client_has_heard_all(struct client *c);

#endif
