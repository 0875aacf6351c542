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

static int ask_version(void)
{
    char name[32] = "";
    int major = 0, minor = 0;
    FILE *pipe = popen("redis-server --version", "r");
    if (!pipe || fscanf(pipe, "%31s server v=%d.%d", name, &major, &minor) != 3) {
        fprintf(stderr, "redis-server --version says nothing that is known\n");
        abort();
    }
    pclose(pipe);
    return strcmp(name, "Valkey") == 0 ? number(7, 2) : number(major, minor);
}

bool servers_have(int major, int minor)
{
    static int version;
    if (!version)
        version = ask_version();
    return version >= number(major, minor);
}
