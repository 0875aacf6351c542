/*
 * proxy: the program under test, from $REDISPROXY (build/redisproxy when unset): a configuration
 * file, a process, its log, and the verdict at its end. The same tests run against a sanitized
 * binary: a sanitizer's report in the log, or an exit code other than 0, is a failure. It has two
 * workers, $WORKERS has another number, and a test that says "workers = " its own.
 */
#ifndef TESTS_SYSTEM_PROXY_H
#define TESTS_SYSTEM_PROXY_H

#include "harness/trio.h"

#define PROXY_MASTER 6379
#define PROXY_REPLICA 6380
#define PROXY_SPLIT 6381
#define PROXY_HTTP 8888

struct proxy {
    pid_t pid;
    char host[TRIO_HOST];
    char config[96], log[96];
};

/* Further lines for the sections [proxy], [master mymaster] and each [listen], each ended by a
 * newline; or NULL. */
struct proxy_options {
    const char *proxy_lines, *master_lines, *listen_lines;
    const char *sections;          /* whole ones, behind all others; or NULL */
    bool password_file;            /* the trio's password is in a file, not in the configuration */
    const char *sentinel_password; /* in a file as well; NULL: none */
    const char *const *under; /* a program, with arguments, that becomes the proxy; NULL: none */
    int open_files;           /* as many descriptors as the system grants it; 0: what there are */
};

/* Where the passwords' files are: beside the trio's own. */
#define PROXY_PASSWORD_FILE "password"
#define PROXY_SENTINEL_PASSWORD_FILE "sentinel-password"

/* Writes a file of a trio's folder: in its place, or beside it and then over it. */
int proxy_write_file(const struct trio *trio, const char *name, const char *text, bool in_place)
    __attribute__((warn_unused_result));

/* The program's path. */
const char *proxy_program(void);

/* Starts it for this trio, with listeners for the three routes on trio->proxy_host, and waits until
 * they accept. Returns 0, or -1 after saying why, the log included, on stderr. */
int proxy_start(struct proxy *proxy, const struct trio *trio, const struct proxy_options *options)
    __attribute__((warn_unused_result));

/* Writes its configuration anew; it does not read it by itself. Returns 0 or -1. */
int proxy_configure(const struct proxy *proxy, const struct trio *trio,
                    const struct proxy_options *options) __attribute__((warn_unused_result));
/* SIGHUP, and its answer in the log: 1: reloaded, 0: it was not, -1: none within 10 s. */
int proxy_reload(const struct proxy *proxy) __attribute__((warn_unused_result));
/* How often this stands in its log. */
int proxy_said(const struct proxy *proxy, const char *text);

/* Waits until a write goes through and every replica is read. */
int proxy_wait_serving(const struct proxy *proxy, const struct trio *trio)
    __attribute__((warn_unused_result));

/* SIGTERM; the verdict: 0, or -1 (not ended within 20 s, exit code, sanitizer report) after showing
 * the log. */
int proxy_stop(struct proxy *proxy) __attribute__((warn_unused_result));
/* The verdict on one that ends by itself, within `ms`. */
int proxy_verdict(struct proxy *proxy, int ms) __attribute__((warn_unused_result));

/* For tests that share one (as trio_export). */
void proxy_export(const struct proxy *proxy);
int proxy_attach(struct proxy *proxy) __attribute__((warn_unused_result));

/* A client on a port of the proxy. */
redisContext *proxy_client(const struct proxy *proxy, int port);

/* How many workers a proxy has whose configuration does not say. */
int proxy_workers(void);

/* Whether its log has this text by now. A thread of its own writes the log: what is wanted there is waited for. */
bool proxy_logged(const struct proxy *proxy, const char *text);
#define EXPECT_IN_LOG(proxy, text)                                                                 \
    cr_expect(wait_until(5000, proxy_logged((proxy), (text))), "the log does not say: %s", (text))

/* One of /metrics' gauges, of a worker (-1: the sum over all its labels); -1: there is none. */
long proxy_gauge(const struct proxy *proxy, const char *name, int worker);

/* Which worker has this client (the ids of the proxy's clients tell), and a client of that one; there
 * are at most 8 workers. */
int proxy_worker_of(redisContext *client);
redisContext *proxy_client_of(const struct proxy *proxy, int port, int worker);

/* The path of its admin socket. Returns out. */
const char *proxy_admin(const struct proxy *proxy, char *out, size_t size);
/* "redisproxy ctl -s its-socket ARGUMENTS", split at blanks (at most 10 words): as proxy_run(). */
int proxy_ctl(const struct proxy *proxy, char *output, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Resident memory in bytes: now, and the most since proxy_forget_peak(). */
long proxy_memory(const struct proxy *proxy);
long proxy_peak(const struct proxy *proxy);
void proxy_forget_peak(const struct proxy *proxy);

/* Whether the program was built with this sanitizer ("address", "thread"): by its symbols. */
bool proxy_sanitized(void);

/* Runs the program to its end with these arguments (argv[0] is filled in) and collects what it
 * prints. Returns its exit code, or -1 when it was still running after 10 s (it is killed). */
int proxy_run(const char *const *arguments, char *output, size_t size);

#endif
