/*
 * reload: the configuration file is read again while the proxy serves.
 *
 *     whole file -> checked -> new sockets bound -> control plane -> admin, workers, web server -> the old one is freed
 *                      |             |
 *                      +-------------+--> an error: nothing has changed, and the answer says why
 *
 * Each of them goes on with the new options when it has come to it, says so, and needs the old ones no longer: there is no
 * count on the data path. So a reload returns when all have followed, within milliseconds; what a changed setting means
 * for connections that stand says the option table (enum option_reload) and session/leaving.h.
 *
 * Any thread; one reload at a time, the others wait.
 */
#ifndef REDISPROXY_OPS_RELOAD_H
#define REDISPROXY_OPS_RELOAD_H

#include "ops/config.h"
#include "ops/http.h"

#include <stdbool.h>
#include <stdint.h>

struct admin;
struct succession;
struct takeover;
struct tls_watch;

/* What runs, and is told. The pointers that a reload replaces are its own until reload_end(). */
struct reload_parts {
    const char *path;
    struct config *config;
    struct board *board;
    struct control *control;
    struct workers *workers;
    struct http *http;             /* NULL: off */
    struct admin *admin;           /* NULL: there is none */
    struct tls_watch *tls_watch;   /* NULL: there is no certificate */
    struct takeover *takeover;     /* from another process; NULL: from none */
    struct succession *succession; /* by another one; NULL: this process ends */
};

struct reload;

/* `parts` outlives it, and may be filled afterwards: before the first reload. */
struct reload *reload_new(struct reload_parts *parts);
/* Starts the web server on a listening descriptor, which is the server's from now on; sets parts->http. Returns 0, or -1 after
 * logging why. */
int reload_start_http(struct reload *reload, int fd) __attribute__((warn_unused_result));
/* From now on nothing is reloaded, for this reason, a sentence that lives on; NULL: it is again. Waits for one that is under
 * way. */
void reload_refuse(struct reload *reload, const char *why);
/* The same with the admin thread, which may ask for a reload from its first moment on: parts->admin is set before that one begins. */
struct admin_socket;
struct admin_sources;
int reload_start_admin(struct reload *reload, struct admin_socket *listening,
                       const struct admin_sources *sources) __attribute__((warn_unused_result));
/* Waits for one that is under way; there are none from then on, and the parts are the caller's again. */
void reload_end(struct reload *reload);
void reload_free(struct reload *reload);

/* Reads the file and goes on with it. What has changed is logged, and stands in `*text` (to be freed), a line for each, if any; after
 * an error it holds "file:line: what is wrong: how to mend it" lines, and everything is as it was. Returns whether it went well. */
bool reload_run(struct reload *reload, char **text);

/* What reload_run() would change, without doing it: the same text. Returns whether the file is good. */
bool reload_preview(struct reload *reload, char **text);

#endif
