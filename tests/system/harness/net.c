/*
 * net: see net.h. The commands of iproute2 do the work: they are what an operator would type, and a
 * failing one says what it wanted.
 */
#include "harness/net.h"

#include "harness/process.h"

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell command; 0, or -1 when it fails. */
__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    if (system(command) == 0)
        return 0;
    fprintf(stderr, "net: failed: %s\n", command);
    return -1;
}

const char *net_refused(void)
{
    if (system("unshare -n sh -c 'ip link set lo up && ip link add side0 type bridge && ip link "
               "add v0 "
               "type veth peer name v1' >/dev/null 2>&1") == 0)
        return NULL;
    return "this machine allows no network namespaces with veth and bridges (root is needed)";
}

/* A child that only keeps a namespace; it ends with the test. */
static pid_t hold_namespace(void)
{
    int ends[2];
    char byte;
    if (pipe(ends) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) < 0)
            _exit(1);
        if (write(ends[1], "x", 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &byte, 1);
    close(ends[0]);
    return got == 1 ? pid : -1;
}

static int build_host(struct net *net, int h)
{
    pid_t pid = net->holder[h] = hold_namespace();
    if (pid < 0)
        return -1;
    int failed = run("ip link add s%d type veth peer name eth0 address 02:00:00:00:00:%02x netns "
                     "%d && ip link set s%d master side0 up",
                     h, h + 1, pid, h);
    failed |= run("ip link add w%d type veth peer name eth1 netns %d && "
                  "ip link set w%d master watch up",
                  h, pid, h);
    failed |= run("nsenter --net=/proc/%d/ns/net sh -c 'ip link set lo up; ip addr add "
                  "10.77.0.%d/24 dev eth0; ip addr add 10.78.0.%d/24 dev eth1; ip link set eth0 "
                  "up; ip link set eth1 up'",
                  pid, h + 1, h + 1);
    for (int other = 0; other < net->hosts; other++)
        if (other != h)
            failed |= run("nsenter --net=/proc/%d/ns/net ip neigh replace 10.77.0.%d lladdr "
                          "02:00:00:00:00:%02x dev eth0 nud permanent",
                          pid, other + 1, other + 1);
    return failed;
}

int net_open(struct net *net, int hosts)
{
    *net = (struct net){.hosts = hosts};
    if (unshare(CLONE_NEWNET) < 0) {
        perror("unshare");
        return -1;
    }
    int failed = run("ip link set lo up && ip link add side0 type bridge && "
                     "ip link add side1 type bridge && ip link add watch type bridge && "
                     "ip link set side0 up && ip link set side1 up && "
                     "ip addr add 10.78.0.254/24 dev watch && ip link set watch up");
    for (int h = 0; h < hosts && !failed; h++)
        failed = build_host(net, h);
    return failed ? -1 : 0;
}

void net_close(struct net *net)
{
    for (int h = 0; h < net->hosts; h++)
        process_kill(&net->holder[h]);
    net->hosts = 0;
}

void net_address(int host, char *out, size_t size)
{
    snprintf(out, size, "10.77.0.%d", host + 1);
}

void net_watch_address(int host, char *out, size_t size)
{
    snprintf(out, size, "10.78.0.%d", host + 1);
}

void net_wrap(const struct net *net, int host, const char *const *argv, char *place, size_t size,
              const char **wrapped)
{
    if (net->hosts) {
        snprintf(place, size, "--net=/proc/%d/ns/net", net->holder[host]);
        *wrapped++ = "nsenter";
        *wrapped++ = place;
        *wrapped++ = "--";
    }
    while ((*wrapped++ = *argv++))
        ;
}

void net_move(const struct net *net, int host, enum net_side side)
{
    if (host >= net->hosts)
        return;
    if (side == NET_NOWHERE)
        run("ip link set s%d nomaster", host);
    else
        run("ip link set s%d master side%d", host, side == NET_OTHER_SIDE);
}
