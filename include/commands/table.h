/* table: what special commands add to a session, one row for each. */
#ifndef REDISPROXY_COMMANDS_TABLE_H
#define REDISPROXY_COMMANDS_TABLE_H

#include "session/hooks.h"

extern const struct session_hooks command_hooks;

#endif
