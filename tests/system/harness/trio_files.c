/*
 * trio_files: see trio_files.h. What is written is the redis-ha chart's configuration, as far as it
 * matters here, on this trio's addresses.
 */
#include "harness/trio_files.h"

#include "harness/names.h"
#include "harness/secure.h"
#include "harness/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 400 };

static void set_host(struct trio *t, int i)
{
    if (t->options.partitions) {
        net_watch_address(i, t->host[i], TRIO_HOST);
        net_address(i, t->name[i], TRIO_HOST);
        return;
    }
    snprintf(t->host[i], TRIO_HOST, "%s.%d", t->scratch.prefix, i + 1);
    if (t->options.names)
        snprintf(t->name[i], TRIO_HOST, "redis-%d.test", i + 1);
    else
        memcpy(t->name[i], t->host[i], TRIO_HOST);
}

void trio_set_hosts(struct trio *t)
{
    for (int i = 0; i < TRIO_MAX; i++) {
        t->port[i] = TRIO_PORT;
        set_host(t, i);
    }
    if (t->options.partitions)
        net_watch_address(TRIO_MAX, t->proxy_host, TRIO_HOST);
    else
        snprintf(t->proxy_host, TRIO_HOST, "%s.100", t->scratch.prefix);
}

static void path_of(const struct trio *t, char *out, size_t size, const char *kind, int i,
                    const char *end)
{
    snprintf(out, size, "%s/%s-%d.%s", t->scratch.dir, kind, i + 1, end);
}

int trio_write_names(const struct trio *t)
{
    char path[96], text[1024] = "127.0.0.1 localhost\n";
    snprintf(path, sizeof(path), "%s/hosts", t->scratch.dir);
    for (int i = 0; i < TRIO_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s\n", t->host[i],
                 t->name[i]);
    return file_write(path, text);
}

int trio_open_names(struct trio *t)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/hosts", t->scratch.dir);
    return trio_write_names(t) < 0 ? -1 : names_open(path);
}

/* Where a server listens: with partitions, at both of its host's addresses. */
static void place_lines(FILE *out, const struct trio *t, int i, int port, bool sentinel)
{
    bool two = t->options.partitions;
    fprintf(out, "bind %s%s%s\n", t->host[i], two ? " " : "", two ? t->name[i] : "");
    secure_port_lines(out, t, port, sentinel);
}

/* The same as text, which is freed by the caller. */
static char *place_text(const struct trio *t, int i, int port, bool sentinel)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    place_lines(out, t, i, port, sentinel);
    fclose(out);
    return text;
}

int trio_write_node(const struct trio *t, int i, int follow)
{
    const struct trio_options *o = &t->options;
    bool newer = servers_have(7, 0);
    char path[128], text[4096], pass[512] = "", user[160] = "", from[64] = "", *place;
    path_of(t, path, sizeof(path), "redis", i, "conf");
    if (o->password)
        snprintf(pass, sizeof(pass), "requirepass %s\nmasterauth %s\n", o->password, o->password);
    if (o->client_user)
        snprintf(user, sizeof(user), "user %s on >%s ~* &* +@all\n", o->client_user,
                 o->client_password);
    if (follow >= 0)
        snprintf(from, sizeof(from), "replicaof %s %d\n", t->name[follow], t->port[follow]);
    place = place_text(t, i, t->port[i], false);
    snprintf(text, sizeof(text),
             "%sdir %s\ndbfilename redis-%d.rdb\nsave %s\n"
             "appendonly %s\n%s redis-%d.aof\nappendfsync no\n"
             "protected-mode no\n%sreplica-announce-ip %s\n"
             "min-replicas-to-write %d\nmin-replicas-max-lag 5\n"
             "repl-diskless-sync yes\nrepl-diskless-sync-delay %d\n%s%s%s%s\n",
             place, t->scratch.dir, i + 1, o->persistent ? "900 1" : "\"\"",
             o->journal ? "yes" : "no", newer ? "appenddirname" : "appendfilename", i + 1,
             newer ? "enable-debug-command yes\n" : "", t->name[i], o->min_replicas,
             o->fast ? 0 : 5, pass, user, from, o->node_lines ? o->node_lines : "");
    free(place);
    return file_write(path, text);
}

/* The line that a Sentinel has put into its file; "" when there is none. */
static void id_line(const char *path, char *out, size_t size)
{
    char *text = file_text(path), *line = strstr(text, "sentinel myid ");
    snprintf(out, size, "%.*s", line ? (int)strcspn(line, "\n") + 1 : 0, line ? line : "");
    free(text);
}

int trio_write_sentinel(const struct trio *t, int i, int master)
{
    const struct trio_options *o = &t->options;
    char path[128], text[4096], pass[256] = "", *place, id[80];
    path_of(t, path, sizeof(path), "sentinel", i, "conf");
    id_line(path, id, sizeof(id));
    if (o->password)
        snprintf(pass, sizeof(pass), "sentinel auth-pass %s %s\n", TRIO_GROUP, o->password);
    place = place_text(t, i, TRIO_SENTINEL_PORT, true);
    snprintf(text, sizeof(text),
             "%s%sdir %s\nprotected-mode no\n%ssentinel announce-ip %s\n"
             "sentinel monitor %s %s %d %d\n%ssentinel down-after-milliseconds %s %d\n"
             "sentinel failover-timeout %s %d\nsentinel parallel-syncs %s 5\n%s",
             id, place, t->scratch.dir,
             o->names ? "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n" : "",
             t->name[i], TRIO_GROUP, t->name[master], t->port[master], o->sentinels / 2 + 1, pass,
             TRIO_GROUP, o->down_after_ms ? o->down_after_ms : 10000, TRIO_GROUP,
             o->failover_timeout_ms ? o->failover_timeout_ms : 180000, TRIO_GROUP,
             o->sentinel_lines ? o->sentinel_lines : "");
    free(place);
    return file_write(path, text);
}

int trio_readdress(const struct trio *t, const char *kind, int i)
{
    char path[128], *text, *out = NULL;
    size_t len = 0;
    bool by_address = strcmp(t->name[i], t->host[i]) == 0, node = strcmp(kind, "redis") == 0;
    const char *announce = node ? "replica-announce-ip" : "sentinel announce-ip";
    path_of(t, path, sizeof(path), kind, i, "conf");
    text = file_text(path);
    FILE *file = open_memstream(&out, &len);
    place_lines(file, t, i, node ? t->port[i] : TRIO_SENTINEL_PORT, !node);
    if (by_address)
        fprintf(file, "%s %s\n", announce, t->name[i]);
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        bool ours = strncmp(line, "bind ", 5) == 0 || strncmp(line, "port ", 5) == 0 ||
                    strncmp(line, "tls-", 4) == 0 || (by_address && strstr(line, "announce-ip"));
        if (!ours)
            fprintf(file, "%s\n", line);
    }
    fclose(file);
    int result = file_write(path, out);
    free(out);
    free(text);
    return result;
}

pid_t trio_run(const struct trio *t, int host, const char *const *argv, const char *log)
{
    const char *wrapped[24];
    char place[LINE_MAX_BYTES];
    net_wrap(&t->net, host, argv, place, sizeof(place), wrapped);
    return process_start(wrapped, log);
}

pid_t trio_start_server(const struct trio *t, const char *kind, int i, const char *option,
                        const char *value)
{
    char conf[128], log[128];
    path_of(t, conf, sizeof(conf), kind, i, "conf");
    path_of(t, log, sizeof(log), kind, i, "log");
    const char *argv[] = {strcmp(kind, "redis") == 0 ? "redis-server" : "redis-sentinel", conf,
                          option, value, NULL};
    return trio_run(t, i, argv, log);
}
