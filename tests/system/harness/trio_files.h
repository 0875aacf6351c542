/*
 * trio_files: the configuration files of a trio's servers, and starting them: what trio and
 * trio_life share.
 */
#ifndef TESTS_SYSTEM_TRIO_FILES_H
#define TESTS_SYSTEM_TRIO_FILES_H

#include "harness/trio.h"

void trio_set_hosts(struct trio *trio);
/* The hosts file of a trio with names, put over /etc/hosts; and written again. */
int trio_open_names(struct trio *trio) __attribute__((warn_unused_result));
int trio_write_names(const struct trio *trio) __attribute__((warn_unused_result));

/* `follow`: the node to replicate from; -1: none. */
int trio_write_node(const struct trio *trio, int node, int follow)
    __attribute__((warn_unused_result));
/* A new file that names this master. A Sentinel that had one before keeps its id, and nothing else. */
int trio_write_sentinel(const struct trio *trio, int sentinel, int master)
    __attribute__((warn_unused_result));
/* Gives the file that a server left behind its host's present address. */
int trio_readdress(const struct trio *trio, const char *kind, int host)
    __attribute__((warn_unused_result));

/* kind: "redis" or "sentinel"; one further option and its value, or NULL. */
pid_t trio_start_server(const struct trio *trio, const char *kind, int host, const char *option,
                        const char *value);

#endif
