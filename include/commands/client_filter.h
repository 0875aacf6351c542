/*
 * client_filter: the filters of CLIENT LIST and CLIENT KILL, and what Redis calls the properties of a client that
 * they look at.
 *
 * On the thread of the session's worker.
 */
#ifndef REDISPROXY_COMMANDS_CLIENT_FILTER_H
#define REDISPROXY_COMMANDS_CLIENT_FILTER_H

#include "session/state.h"

/* What Redis calls a client's type. */
enum client_kind { CLIENT_ANY, CLIENT_NORMAL, CLIENT_PUBSUB, CLIENT_MASTER, CLIENT_REPLICA };

/* A client passes when all of it holds. */
struct client_filter {
    bool by_id;    /* only the clients with these ids */
    uint64_t *ids; /* sorted; on the heap */
    size_t id_count;
    struct slice addr, laddr, user; /* without data: any. They point into the request. */
    enum client_kind kind;
    int64_t max_age; /* seconds that it has been connected at least (MAXAGE); 0: any */
    bool skip_asker; /* not the client that sent the command (SKIPME) */
};

/* Read the arguments of CLIENT LIST, or of CLIENT KILL, into *filter. They return false for arguments that this
 * proxy does not understand, which the node is to judge. The caller frees filter->ids, also after false. */
bool client_filter_of_list(const struct session_request *r, struct client_filter *filter);
bool client_filter_of_kill(const struct session_request *r, struct client_filter *filter);

/* Whether the filter names this id, or no id at all. */
bool client_filter_has_id(const struct client_filter *filter, uint64_t id);

/* The session that sent the command, for workers that do not have it. */
struct asker {
    size_t group;
    uint64_t id;
};

/* Whether the session passes the filter of this asker. Sessions of another group than the asker's never do. */
bool client_filter_passes(const struct client_filter *filter, const struct session *s,
                          const struct asker *asker);

/* ---- a session's properties, in Redis' words ---- */

enum client_kind client_kind(const struct session *s);
/* Its user's name, "default" for who has named none. It points into the session. */
struct slice client_user(const struct session *s);
/* Whole seconds from `then_ms`, a time of turn_now(), until now. */
int64_t client_seconds_since(const struct session *s, int64_t then_ms);
/* Writes the address of the client (`peer`), or the one that it has connected to, into `out`, which it returns. */
const char *client_address(char *out, size_t size, const struct session *s, bool peer);

#endif
