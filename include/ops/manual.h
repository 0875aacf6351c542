/*
 * manual: the man pages redisproxy.1 and proxy.conf.5, and the completions for bash and zsh, made from the verb table and
 * the option table: "redisproxy --print PAGE", for "make install".
 */
#ifndef REDISPROXY_OPS_MANUAL_H
#define REDISPROXY_OPS_MANUAL_H

#include <stdio.h>

/* Writes one of "redisproxy.1", "proxy.conf.5", "configuration.md" (ops/reference.h), "bash", "zsh". Returns 0, or -1: there is no such page. */
int manual_print(FILE *out, const char *page);

#endif
