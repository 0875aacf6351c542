/*
 * proxy: see proxy.h.
 */
#include "harness/proxy.h"

#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/wait.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LISTEN_DEADLINE_MS = 10000, SERVE_DEADLINE_MS = 20000, END_DEADLINE_MS = 20000 };

const char *proxy_program(void)
{
    const char *path = getenv("REDISPROXY");
    return path && *path ? path : "build/redisproxy";
}

int proxy_workers(void)
{
    const char *number = getenv("WORKERS");
    return number && *number ? atoi(number) : 2;
}

int proxy_write_file(const struct trio *t, const char *name, const char *text, bool in_place)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", t->scratch.dir, name);
    return in_place ? file_write(path, text) : file_replace(path, text);
}

/* The lines for the proxy's own passwords. Returns 0, or -1 when a file cannot be written. */
static int write_passwords(FILE *out, const struct trio *t, const struct proxy_options *options)
{
    const char *own = t->options.password, *sentinel = options->sentinel_password;
    if (own && !options->password_file)
        fprintf(out, "password = %s\n", own);
    if (own && options->password_file) {
        fprintf(out, "password_file = %s/%s\n", t->scratch.dir, PROXY_PASSWORD_FILE);
        if (proxy_write_file(t, PROXY_PASSWORD_FILE, own, true) < 0)
            return -1;
    }
    if (!sentinel)
        return 0;
    fprintf(out, "sentinel_password_file = %s/%s\n", t->scratch.dir, PROXY_SENTINEL_PASSWORD_FILE);
    return proxy_write_file(t, PROXY_SENTINEL_PASSWORD_FILE, sentinel, true);
}

int proxy_configure(const struct proxy *p, const struct trio *t,
                    const struct proxy_options *options)
{
    char *text;
    size_t len;
    static const char *const routes[] = {"master", "replica", "split"};
    FILE *out = open_memstream(&text, &len);
    const char *lines = options->proxy_lines ? options->proxy_lines : "";
    char admin[128];
    fprintf(out, "[proxy]\nhttp = %s:%d\n", p->host, PROXY_HTTP);
    if (!strstr(lines, "workers = "))
        fprintf(out, "workers = %d\n", proxy_workers());
    if (!strstr(lines, "admin = "))
        fprintf(out, "admin = %s\n", proxy_admin(p, admin, sizeof(admin)));
    fprintf(out, "%s\n[master %s]\nsentinels = ", lines, TRIO_GROUP);
    for (int i = 0; i < t->options.sentinels; i++)
        fprintf(out, "%s%s:%d", i ? ", " : "", t->name[i], secure_sentinel_port());
    fputc('\n', out);
    int result = write_passwords(out, t, options);
    secure_master_lines(out, t);
    fputs(options->master_lines ? options->master_lines : "", out);
    for (int i = 0; i < 3; i++) {
        fprintf(out, "\n[listen %s:%d]\nmaster = %s\nroute = %s\n%s", p->host, PROXY_MASTER + i,
                TRIO_GROUP, routes[i], options->listen_lines ? options->listen_lines : "");
        if (secure_clients())
            secure_listen_lines(out, t);
    }
    fputs(options->sections ? options->sections : "", out);
    fclose(out);
    if (file_replace(p->config, text) < 0)
        result = -1;
    free(text);
    return result;
}

/* Connects and goes. */
static bool accepts(const char *host, int port)
{
    int fd = raw_open_plain(host, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool all_accept(const char *host)
{
    return accepts(host, PROXY_MASTER) && accepts(host, PROXY_REPLICA) &&
           accepts(host, PROXY_SPLIT) && accepts(host, PROXY_HTTP);
}

/* A shell lowers the limit, and becomes the program. */
static pid_t run_limited(const struct proxy *p, const struct trio *t, int open_files)
{
    char command[80];
    snprintf(command, sizeof(command), "ulimit -n %d && exec \"$0\" -c \"$1\"", open_files);
    return trio_run(t, TRIO_MAX,
                    (const char *[]){"/bin/sh", "-c", command, proxy_program(), p->config, NULL},
                    p->log);
}

/* With what starts it in front. */
static pid_t run_under(const struct proxy *p, const struct trio *t, const char *const *under)
{
    const char *argv[24];
    size_t count = 0;
    while (under && under[count] && count < 20) {
        argv[count] = under[count];
        count++;
    }
    argv[count++] = proxy_program();
    argv[count++] = "-c";
    argv[count++] = p->config;
    argv[count] = NULL;
    return trio_run(t, TRIO_MAX, argv, p->log);
}

int proxy_start(struct proxy *p, const struct trio *t, const struct proxy_options *options)
{
    static int number;
    static const struct proxy_options none;
    *p = (struct proxy){0};
    snprintf(p->host, sizeof(p->host), "%s", t->proxy_host);
    snprintf(p->config, sizeof(p->config), "%s/proxy-%d-%d.conf", t->scratch.dir, getpid(), number);
    snprintf(p->log, sizeof(p->log), "%s/proxy-%d-%d.log", t->scratch.dir, getpid(), number++);
    if (proxy_configure(p, t, options ? options : &none) < 0)
        return -1;
    if (options && options->open_files)
        p->pid = run_limited(p, t, options->open_files);
    else
        p->pid = run_under(p, t, options ? options->under : NULL);
    if (p->pid > 0 && wait_until(LISTEN_DEADLINE_MS, all_accept(p->host)))
        return 0;
    fprintf(stderr, "%s does not listen on %s\n", proxy_program(), p->host);
    process_kill(&p->pid);
    file_show(p->log);
    return -1;
}

int proxy_said(const struct proxy *p, const char *text)
{
    char *log = file_text(p->log);
    int count = 0;
    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        count++;
    free(log);
    return count;
}

int proxy_reload(const struct proxy *p)
{
    int good = proxy_said(p, "\"the configuration was reloaded\"");
    int bad = proxy_said(p, "\"the configuration was not reloaded");
    bool done = false;
    kill(p->pid, SIGHUP);
    if (!wait_until(LISTEN_DEADLINE_MS,
                    (done = proxy_said(p, "\"the configuration was reloaded\"") > good) ||
                        proxy_said(p, "\"the configuration was not reloaded") > bad))
        return -1;
    return done;
}

/* A write on the master port; on the read port enough new sessions to meet every replica. */
static bool serves(const struct proxy *p, const struct trio *t)
{
    redisContext *c = proxy_client(p, PROXY_MASTER);
    bool good =
        strncmp(ask(c, "PING"), "+PONG", 5) == 0 || strncmp(ask(c, "PING"), "-NOAUTH", 7) == 0;
    redisFree(c);
    int slaves = 0;
    for (int i = 0; good && i < t->options.nodes; i++) {
        c = proxy_client(p, PROXY_REPLICA);
        if (t->options.password)
            ask(c, "AUTH %s", t->options.password);
        slaves += strcmp(info_field(c, "replication", "role"), "slave") == 0;
        redisFree(c);
    }
    return good && slaves == t->options.nodes;
}

int proxy_wait_serving(const struct proxy *p, const struct trio *t)
{
    if (wait_until(SERVE_DEADLINE_MS, serves(p, t)))
        return 0;
    fprintf(stderr, "the proxy does not serve\n");
    file_show(p->log);
    return -1;
}

static bool reports_sanitizer(const struct proxy *p)
{
    char *log = file_text(p->log);
    bool bad = strstr(log, "Sanitizer") || strstr(log, "runtime error:");
    free(log);
    return bad;
}

int proxy_verdict(struct proxy *p, int ms)
{
    int status = 0;
    const char *wrong = NULL;
    char text[64];
    if (p->pid <= 0 || !process_ended(p->pid, ms, &status)) {
        wrong = "it has not ended";
        process_kill(&p->pid);
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        snprintf(text, sizeof(text), "it ended with %s %d", WIFEXITED(status) ? "code" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        wrong = text;
    } else if (reports_sanitizer(p)) {
        wrong = "a sanitizer reports";
    }
    p->pid = 0;
    if (!wrong)
        return 0;
    fprintf(stderr, "the proxy: %s\n", wrong);
    file_show(p->log);
    return -1;
}

int proxy_stop(struct proxy *p)
{
    if (p->pid > 0)
        kill(p->pid, SIGTERM);
    return proxy_verdict(p, END_DEADLINE_MS);
}

void proxy_export(const struct proxy *p)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", p->pid);
    setenv("PROXY_PID", pid, 1);
    setenv("PROXY_HOST", p->host, 1);
    setenv("PROXY_LOG", p->log, 1);
}

int proxy_attach(struct proxy *p)
{
    *p = (struct proxy){0};
    if (!getenv("PROXY_PID") || !getenv("PROXY_HOST") || !getenv("PROXY_LOG"))
        return -1;
    p->pid = atoi(getenv("PROXY_PID"));
    snprintf(p->host, sizeof(p->host), "%s", getenv("PROXY_HOST"));
    snprintf(p->log, sizeof(p->log), "%s", getenv("PROXY_LOG"));
    return 0;
}

redisContext *proxy_client(const struct proxy *p, int port)
{
    return client_open(p->host, port);
}

int proxy_worker_of(redisContext *client)
{
    return (int)(atoll(ask(client, "CLIENT ID") + 1) % 64);
}

redisContext *proxy_client_of(const struct proxy *p, int port, int worker)
{
    redisContext *others[16], *c = NULL;
    int count = 0;
    while (!c && count < 16) { /* the wrong ones stay, or the next would be as wrong */
        redisContext *next = proxy_client(p, port);
        if (proxy_worker_of(next) == worker)
            c = next;
        else
            others[count++] = next;
    }
    while (count > 0)
        redisFree(others[--count]);
    return c ? c : proxy_client(p, port);
}

bool proxy_logged(const struct proxy *p, const char *text)
{
    char *log = file_text(p->log);
    bool there = strstr(log, text) != NULL;
    free(log);
    return there;
}

long proxy_gauge(const struct proxy *p, const char *name, int worker)
{
    static _Thread_local char text[1 << 20];
    char label[32] = "";
    long sum = -1;
    size_t len = strlen(name);
    if (worker >= 0)
        snprintf(label, sizeof(label), "{worker=\"%d\"} ", worker);
    if (http_get(p->host, PROXY_HTTP, "/metrics", text, sizeof(text)) != 200)
        return -1;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        char *value = strrchr(line, ' ');
        if (value && strncmp(line, name, len) == 0 && strchr(" {", line[len]) &&
            strncmp(line + len, label, strlen(label)) == 0)
            sum = (sum < 0 ? 0 : sum) + atol(value + 1);
    }
    return sum;
}

static long memory(const struct proxy *p, const char *field)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
    char *status = file_text(path), *at = strstr(status, field);
    long kb = at ? atol(at + strlen(field)) : -1;
    free(status);
    return kb * 1024;
}

long proxy_memory(const struct proxy *p)
{
    return memory(p, "VmRSS:");
}

long proxy_peak(const struct proxy *p)
{
    return memory(p, "VmHWM:");
}

void proxy_forget_peak(const struct proxy *p)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/clear_refs", p->pid);
    if (file_write(path, "5") < 0)
        fprintf(stderr, "%s cannot be written: the peak is the one since the start\n", path);
}

bool proxy_sanitized(void)
{
    char command[PATH_MAX + 80];
    snprintf(command, sizeof(command), "grep -qaE '__(asan|tsan)_init' '%s'", proxy_program());
    return system(command) == 0;
}

const char *proxy_admin(const struct proxy *p, char *out, size_t size)
{
    snprintf(out, size, "%.*s.sock", (int)(strlen(p->log) - strlen(".log")), p->log);
    return out;
}

int proxy_ctl(const struct proxy *p, char *output, size_t size, const char *format, ...)
{
    char line[512], path[128], *rest = line, *word;
    const char *argv[16] = {"ctl", "-s", proxy_admin(p, path, sizeof(path))};
    int count = 3;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    while (count < 14 && (word = strsep(&rest, " ")))
        if (*word)
            argv[count++] = word;
    return proxy_run(argv, output, size);
}

int proxy_run(const char *const *arguments, char *output, size_t size)
{
    char log[] = "/tmp/redisproxy-run-XXXXXX";
    const char *argv[16] = {proxy_program()};
    int fd = mkstemp(log), status = -1, result = -1;
    if (fd < 0)
        return -1;
    close(fd);
    for (int i = 0; i < 14 && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    pid_t pid = process_start(argv, log);
    if (process_ended(pid, 10000, &status))
        result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    else
        process_kill(&pid);
    char *text = file_text(log);
    snprintf(output, size, "%s", text);
    free(text);
    unlink(log);
    return result;
}
