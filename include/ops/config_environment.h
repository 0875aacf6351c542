/*
 * config_environment: settings from the environment, which are stronger than the file's: a container's manifest sets one
 * without a file of its own.
 *
 *     REDISPROXY_PROXY_WORKERS=2                a setting of [proxy]
 *     REDISPROXY_MASTER_SENTINELS=a,b           of every [master]; without a file there is one, mymaster
 *     REDISPROXY_MASTER_NAME=argocd             what Sentinel calls the first one
 *     REDISPROXY_LISTEN_TLS=yes                 of every [listen]; without a file there are the two default ones
 *     REDISPROXY_LISTEN_2_ADDRESS=off           of the second one: it is not there
 *     REDISPROXY_LISTEN_3_ADDRESS=0.0.0.0:6381  one more than there are
 *
 * A number counts a kind's sections in the file's order, and is stronger than none. An empty variable is one that is not
 * set. A value is taken as it stands: ${NAME} means nothing in it.
 */
#ifndef REDISPROXY_OPS_CONFIG_ENVIRONMENT_H
#define REDISPROXY_OPS_CONFIG_ENVIRONMENT_H

#include "ops/config_sections.h"

#define CONFIG_VARIABLE_MAX 128

/* Of how many sections of a kind the environment may tell. */
#define CONFIG_NUMBERED_MAX 64

/* Sets what the environment says, adding sections where it must. What is wrong goes to the errors, as "environment: ...". */
void config_environment_read(struct config_sections *sections, struct config_errors *errors);

/* Whether the environment names Sentinels: it is enough to run without a file. */
bool config_environment_suffices(void);

/* What the command line says of the one group, or of the first: stronger than the environment. Kept in that, so that a reload
 * and a process that takes over have it, too. NULL: nothing. */
void config_environment_set(const char *sentinels, const char *master);

/* "REDISPROXY_MASTER_HOLD_TIMEOUT". Returns out. */
const char *config_variable(char out[CONFIG_VARIABLE_MAX], const struct config_option *option);

/* For --help. */
void config_environment_print(FILE *out);

#endif
