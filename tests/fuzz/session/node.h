/*
 * node: what node.c (the nodes' life) and redis.c (what they do with commands)
 * share.
 */
#ifndef REDISPROXY_TESTS_FUZZ_SESSION_NODE_H
#define REDISPROXY_TESTS_FUZZ_SESSION_NODE_H

#include "world.h"

#define ARGS 12

struct command_line {
    struct slice arg[ARGS];
    int count;
};

struct conn {
    struct list in_node;
    struct wire *wire; /* NULL: nobody hears it any more */
    struct fake_node *node;
    uint64_t id;
    uint64_t since; /* it is there */
    struct buf inbox, outbox;
    size_t looked_at;            /* of the inbox, when it came */
    bool began_right, to_master; /* of the command that is not whole: might it be sent there? */
    struct resp_reply delivered; /* where in a reply the proxy is */
    bool clients;                /* RESET was seen: it carries clients' commands */
    bool served;                 /* one of them was executed */
    bool resp3, tx, dirty, monitor, tracking, executing;
    char user;
    int db;
    struct buf queue;
    unsigned queued;
    bool queued_write;
    struct buf blocked; /* the command that waits */
    uint64_t blocked_until;
    uint8_t subs[3];
};

struct fake_node {
    int number;
    bool master, slow, down, leaving;
    enum trouble trouble;
    struct list conns;
    struct topology_node view;
};

/* ACL DELUSER: only the default one is left. */
extern bool users_gone;

/* The whole command at this place of a queue; false: it is not whole. */
bool parse(const struct buf *from, size_t at, struct command_line *line, size_t *len);
bool is(const struct command_line *line, int number, const char *word);
/* A word of the proxy's handshake, which any connection may carry. */
bool is_setup(const struct command_line *line);
/* The record of the client's command, if it carries its word. */
struct record *tag_in(const struct command_line *line, struct client **client, unsigned *number);
/* Executes one command of the connection's; false: there is none, or it has to wait. */
bool execute_one(struct conn *conn);
/* What blocks there is answered: NULL: with what it waited for. */
void unblock(struct conn *conn, const char *reply);
const char *null_array(const struct conn *conn);
void say(struct conn *conn, const char *text);

#endif
