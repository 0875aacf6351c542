/*
 * servers: see servers.h. "Redis server v=7.0.15 sha=..." and "Valkey server v=8.1.1 sha=..." is what
 * they say of themselves.
 */
#include "harness/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(int major, int minor)
{
    return major * 100 + minor;
}

static struct {
    bool known, valkey;
    int major, minor; /* its own */
} server;

static void ask_version(void)
{
    char name[32] = "";
    FILE *pipe = popen("redis-server --version", "r");
    if (!pipe || fscanf(pipe, "%31s server v=%d.%d", name, &server.major, &server.minor) != 3) {
        fprintf(stderr, "redis-server --version says nothing that is known\n");
        abort();
    }
    pclose(pipe);
    server.valkey = strcmp(name, "Valkey") == 0;
    server.known = true;
}

bool servers_have(int major, int minor)
{
    if (!server.known)
        ask_version();
    return (server.valkey ? number(7, 2) : number(server.major, server.minor)) >=
           number(major, minor);
}

bool servers_are_valkey(int major)
{
    if (!server.known)
        ask_version();
    return server.valkey && server.major >= major;
}
