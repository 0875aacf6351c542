/*
 * session_choice: the filters of CLIENT LIST and CLIENT KILL, and what they look at in a session. Only
 * proxy/traffic/session*.c include it.
 */
#ifndef REDISPROXY_TRAFFIC_SESSION_CHOICE_H
#define REDISPROXY_TRAFFIC_SESSION_CHOICE_H

#include "traffic/session_state.h"

/* What Redis calls a client's type. */
enum client_kind { CLIENT_ANY, CLIENT_NORMAL, CLIENT_PUBSUB, CLIENT_MASTER, CLIENT_REPLICA };

struct client_choice {
    bool by_id;
    uint64_t *ids;
    size_t count;
    struct slice addr, laddr, user; /* no data: any; they point into the request */
    enum client_kind kind;
    int64_t max_age; /* seconds; 0: any */
    bool not_me;
};

/* What LIST is to show, and KILL to end. False: the node knows better. The ids are to be freed either
 * way. */
bool client_choice_of_list(const struct request *r, struct client_choice *choice);
bool client_choice_of_kill(const struct request *r, struct client_choice *choice);

bool client_choice_has_id(const struct client_choice *choice, uint64_t id);
/* Who asks, wherever it is. */
struct asker {
    size_t group;
    uint64_t id;
};

/* Whether it is meant, when that one asks: a session of the same group. */
bool session_is_chosen(const struct client_choice *choice, const struct session *s,
                       const struct asker *asker);

enum client_kind session_kind(const struct session *s);
struct slice session_user(const struct session *s);
int64_t session_seconds_since(const struct session *s, int64_t then_ms);
/* Writes its client's address, or its own. Returns out. */
const char *session_address(char *out, size_t size, const struct session *s, bool peer);

#endif
