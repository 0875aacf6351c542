/*
 * port_owner: who sits on a port.
 *
 * /proc/net/tcp and tcp6 name the inode of each listening socket; the process
 * is the one that has a descriptor for this inode in /proc/PID/fd, which only
 * root can see of other users' processes.
 */
#include "ops/port_owner.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTENING 0x0a

/* The address as /proc/net writes it: 32-bit words in the machine's order. */
static void format_words(char out[33], const struct address *address)
{
    const uint32_t *words = &address->sa.v4.sin_addr.s_addr;
    int count = 1;

    if (address->sa.any.sa_family == AF_INET6) {
        words = address->sa.v6.sin6_addr.s6_addr32;
        count = 4;
    }
    for (int i = 0; i < count; i++)
        snprintf(out + 8L * i, 9, "%08X", words[i]);
}

static bool is_wildcard(const char *words)
{
    return !words[strspn(words, "0")];
}

/* The inode of a socket that listens where `address` would, 0: none. */
static unsigned long find_inode(const char *table, const struct address *address)
{
    char line[512], wanted[33], words[33];
    unsigned long inode, found = 0;
    unsigned port, state;
    FILE *file = fopen(table, "re");

    if (!file)
        return 0;
    format_words(wanted, address);
    while (!found && fgets(line, sizeof(line), file)) {
        /*      sl    local address:port  remote  st  queues tr:when retrnsmt uid timeout inode */
        if (sscanf(line, "%*d: %32[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", words, &port,
                   &state, &inode) != 4 ||
            state != TCP_LISTENING || port != ntohs(address->sa.v4.sin_port))
            continue;
        if (is_wildcard(words) || is_wildcard(wanted) || strcmp(words, wanted) == 0)
            found = inode;
    }
    fclose(file);
    return found;
}

/* Whether a process has the socket among its descriptors. */
static int holds(const char *pid, const char *socket)
{
    char path[300], target[64];
    struct dirent *entry;
    int found = 0;

    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    while (!found && (entry = readdir(dir))) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (len > 0) {
            target[len] = '\0';
            found = strcmp(target, socket) == 0;
        }
    }
    closedir(dir);
    return found;
}

static void read_name(char *out, size_t size, const char *pid)
{
    char path[300];

    snprintf(out, size, "a process");
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fgets(out, (int)size, file))
        out[strcspn(out, "\n")] = '\0';
    fclose(file);
}

const char *port_owner(char *out, size_t size, const struct address *address)
{
    char socket[64], name[64];
    unsigned long inode = find_inode("/proc/net/tcp", address);
    struct dirent *entry;

    snprintf(out, size, "another process");
    if (!inode)
        inode = find_inode("/proc/net/tcp6", address);
    DIR *dir = inode ? opendir("/proc") : NULL;
    if (!dir)
        return out;
    snprintf(socket, sizeof(socket), "socket:[%lu]", inode);
    while ((entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, socket))
            continue;
        read_name(name, sizeof(name), entry->d_name);
        snprintf(out, size, "%s (pid %s)", name, entry->d_name);
        break;
    }
    closedir(dir);
    return out;
}
