/* table: all special commands, one row for each, for the sessions of a worker (session_host.hooks). */
#ifndef REDISPROXY_COMMANDS_TABLE_H
#define REDISPROXY_COMMANDS_TABLE_H

#include "session/hooks.h"

extern const struct session_hooks command_hooks;

#endif
