/*
 * client_filter: the filters of CLIENT LIST and CLIENT KILL, and what they look at in a session.
 */
#ifndef REDISPROXY_COMMANDS_CLIENT_FILTER_H
#define REDISPROXY_COMMANDS_CLIENT_FILTER_H

#include "session/state.h"

/* What Redis calls a client's type. */
enum client_kind { CLIENT_ANY, CLIENT_NORMAL, CLIENT_PUBSUB, CLIENT_MASTER, CLIENT_REPLICA };

struct client_filter {
    bool by_id;
    uint64_t *ids;
    size_t id_count;
    struct slice addr, laddr, user; /* no data: any; they point into the request */
    enum client_kind kind;
    int64_t max_age; /* seconds; 0: any */
    bool skip_asker;
};

/* What LIST is to show, and KILL to end. False: the node knows better. The ids are to be freed either
 * way. */
bool client_filter_of_list(const struct request *r, struct client_filter *filter);
bool client_filter_of_kill(const struct request *r, struct client_filter *filter);

bool client_filter_has_id(const struct client_filter *filter, uint64_t id);
/* Who asks, wherever it is. */
struct asker {
    size_t group;
    uint64_t id;
};

/* Whether it is meant, when that one asks: a session of the same group. */
bool client_filter_passes(const struct client_filter *filter, const struct session *s,
                          const struct asker *asker);

enum client_kind client_kind(const struct session *s);
struct slice client_user(const struct session *s);
int64_t client_seconds_since(const struct session *s, int64_t then_ms);
/* Writes its client's address, or its own. Returns out. */
const char *client_address(char *out, size_t size, const struct session *s, bool peer);

#endif
