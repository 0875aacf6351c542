/*
 * target: see target.h. The HAProxy configuration is the chart's, template by template: each node is
 * asked for its role every second, each Sentinel for the master's address (compared as a
 * substring, as tcp-check does), and a node is written to when it says master and two Sentinels
 * name it; if none is, by whatever node says master.
 */
#include "harness/target.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERVE_DEADLINE_MS = 20000 };

const char *target_name(enum target_kind kind)
{
    return kind == TARGET_HAPROXY ? "haproxy" : "redisproxy";
}

bool target_installed(enum target_kind kind)
{
    return kind == TARGET_REDISPROXY || system("command -v haproxy >/dev/null") == 0;
}

static void haproxy_sentinel_checks(FILE *out, const struct trio *t, int node)
{
    fprintf(out,
            "backend check_if_redis_is_master_%d\n"
            "  mode tcp\n  option tcp-check\n  tcp-check connect\n"
            "  tcp-check send PING\\r\\n\n  tcp-check expect string +PONG\n"
            "  tcp-check send SENTINEL\\ get-master-addr-by-name\\ " TRIO_GROUP "\\r\\n\n"
            "  tcp-check expect string %s\n"
            "  tcp-check send QUIT\\r\\n\n",
            node, t->name[node]);
    for (int i = 0; i < t->options.sentinels; i++)
        fprintf(out, "  server R%d %s:%d check inter 1s\n", i, t->name[i], TRIO_SENTINEL_PORT);
}

static void haproxy_nodes(FILE *out, const struct trio *t, const char *role)
{
    bool master = strcmp(role, "master") == 0;
    fprintf(out,
            "backend bk_redis_%s\n  mode tcp\n%s  option tcp-check\n  tcp-check connect\n"
            "  tcp-check send PING\\r\\n\n  tcp-check expect string +PONG\n"
            "  tcp-check send info\\ replication\\r\\n\n  tcp-check expect string role:%s\n"
            "  tcp-check send QUIT\\r\\n\n  tcp-check expect string +OK\n",
            role, master ? "" : "  balance roundrobin\n", role);
    for (int i = 0; i < t->options.nodes; i++) {
        if (master)
            fprintf(out,
                    "  use-server R%d if { srv_is_up(R%d) } { "
                    "nbsrv(check_if_redis_is_master_%d) ge 2 }\n",
                    i, i, i);
        fprintf(out, "  server R%d %s:%d check inter 1s fall 1 rise 1\n", i, t->name[i], TRIO_PORT);
    }
}

static int write_haproxy(const struct proxy *p, const struct trio *t)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    fprintf(out, "defaults REDIS\n  mode tcp\n  timeout connect 4s\n  timeout server 6m\n"
                 "  timeout client 6m\n  timeout check 2s\n");
    for (int i = 0; i < t->options.nodes; i++)
        haproxy_sentinel_checks(out, t, i);
    fprintf(out,
            "frontend ft_redis_master\n  bind %s:%d\n  use_backend bk_redis_master\n"
            "frontend ft_redis_slave\n  bind %s:%d\n  use_backend bk_redis_slave\n",
            p->host, PROXY_MASTER, p->host, PROXY_REPLICA);
    haproxy_nodes(out, t, "master");
    haproxy_nodes(out, t, "slave");
    fclose(out);
    int result = file_write(p->config, text);
    free(text);
    return result;
}

static bool serves(const struct proxy *p, const struct trio_options *o)
{
    redisContext *w = client_open_as(p->host, PROXY_MASTER, o->client_user, o->client_password);
    redisContext *r = client_open_as(p->host, PROXY_REPLICA, o->client_user, o->client_password);
    bool good = strcmp(ask(w, "SET serves 1"), "+OK") == 0 &&
                strcmp(info_field(r, "replication", "role"), "slave") == 0;
    redisFree(w);
    redisFree(r);
    return good;
}

static int start_haproxy(struct proxy *p, const struct trio *t)
{
    *p = (struct proxy){0};
    snprintf(p->host, sizeof(p->host), "%s", t->proxy_host);
    snprintf(p->config, sizeof(p->config), "%s/haproxy.conf", t->scratch.dir);
    snprintf(p->log, sizeof(p->log), "%s/haproxy.log", t->scratch.dir);
    if (write_haproxy(p, t) < 0)
        return -1;
    p->pid =
        trio_run(t, TRIO_MAX, (const char *[]){"haproxy", "-db", "-f", p->config, NULL}, p->log);
    return p->pid > 0 ? 0 : -1;
}

int target_start(struct target *target, enum target_kind kind, const struct trio *t,
                 const struct proxy_options *options)
{
    struct proxy *p = &target->proxy;
    target->kind = kind;
    int result = kind == TARGET_HAPROXY ? start_haproxy(p, t) : proxy_start(p, t, options);
    if (result == 0 && wait_until(SERVE_DEADLINE_MS, serves(p, &t->options)))
        return 0;
    fprintf(stderr, "%s does not serve\n", target_name(kind));
    file_show(p->log);
    process_kill(&p->pid);
    return -1;
}

int target_stop(struct target *target)
{
    if (target->kind == TARGET_REDISPROXY)
        return proxy_stop(&target->proxy);
    process_kill(&target->proxy.pid);
    return 0;
}
