/*
 * tunnel: allow_replication = yes. A replica, or a tool that reads the replication stream, gets what its node
 * sends, and can tell the node what replicas tell, and nothing else.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true},
                            .proxy = {.listen_lines = "allow_replication = yes\n"}};

/* To its node the connection is still a client's: what no replica says must not come through. */
static void cannot_command(struct shared *s, int port, const char *psync)
{
    char text[16];
    int fd = raw_open(s->proxy.host, port);
    raw_send_text(fd, psync);
    cr_assert_eq(raw_read(fd, text, 1, 20000), 1);
    raw_send_text(fd, "REPLCONF ACK 0\r\nCONFIG SET maxmemory 104857600\r\n"
                      "ACL SETUSER intruder on nopass ~* +@all\r\nSHUTDOWN NOSAVE\r\n");
    cr_assert(raw_ended(fd, 20000));
    close(fd);
}

Test(tunnel, a_replica_commands_nobody, .timeout = 100)
{
    struct shared s = shared();
    for (int port = PROXY_MASTER; port <= PROXY_SPLIT; port++) {
        cannot_command(&s, port, "PSYNC ? -1\r\n");
        cannot_command(&s, port, "SYNC\r\n");
    }
    redisContext *c = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT_PREFIX(c, "-ERR redisproxy: PSYNC with FAILOVER", "PSYNC %s 1 FAILOVER",
                  info_field(c, "replication", "master_replid"));
    redisFree(c);
    for (int i = 0; i < s.trio.options.nodes; i++) {
        c = trio_node(&s.trio, i);
        EXPECT(c, "[maxmemory, 0]", "CONFIG GET maxmemory");
        EXPECT(c, "(nil)", "ACL GETUSER intruder");
        redisFree(c);
    }
    cr_assert_geq(trio_master(&s.trio), 0); /* and there is one only */
}

static bool has_acknowledged(redisContext *master, const char *port)
{
    return strstr(ask(master, "INFO replication"), port) != NULL;
}

/* A real one: its reports arrive, so the master counts it among those that have what was written. No other
 * test may wait for a whole trio: Sentinels never forget a replica. */
Test(tunnel, the_reports_of_a_replica, .timeout = 100)
{
    struct shared s = shared();
    enum { HOST = TRIO_MAX - 1 };
    redisContext *master = trio_node(&s.trio, trio_master(&s.trio)), *replica;
    char log[128];
    const char *const argv[] = {"redis-server",
                                "--bind",
                                s.proxy.host,
                                "--port",
                                "6390",
                                "--save",
                                "",
                                "--dir",
                                s.trio.scratch.dir,
                                "--replica-announced",
                                "no",
                                "--replicaof",
                                s.proxy.host,
                                "6379",
                                NULL};
    snprintf(log, sizeof(log), "%s/replica.log", s.trio.scratch.dir);
    pid_t pid = trio_run(&s.trio, HOST, argv, log);
    EXPECT(master, "+OK", "SET behind 1");
    cr_assert(wait_until(10000, has_acknowledged(master, "port=6390,state=online")));
    replica = client_open(s.proxy.host, 6390);
    cr_assert(wait_until(10000, strcmp(ask(replica, "GET behind"), "1") == 0));
    for (int i = 0; i < 20; i++) {
        EXPECT(master, "+OK", "SET behind %d", i);
        EXPECT(master, ":3", "WAIT 3 10000");
    }
    EXPECT(replica, "19", "GET behind");
    redisFree(replica);
    redisFree(master);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    master = trio_node(&s.trio, trio_master(&s.trio));
    cr_assert(wait_until(20000, !has_acknowledged(master, "port=6390")));
    redisFree(master);
}
