/* config_rooms: the sections of a configuration as the rooms' option structs, without what TLS wants (config_tls.h). */
#ifndef REDISPROXY_OPS_CONFIG_ROOMS_H
#define REDISPROXY_OPS_CONFIG_ROOMS_H

#include "ops/config.h"
#include "ops/config_sections.h"

/* Fills config->traffic and config->topology, the arrays of both with room for the groups of all later configurations.
 * `running`: config_load_next()'s. */
void config_rooms_fill(struct config *config, const struct proxy_settings *proxy,
                       const struct config *running, struct config_errors *errors);

/* Gives a count back; NULL is allowed. */
void config_names_release(struct config_names *names);
/* Forgets those that `running` has not. */
void config_names_forget(struct config_names *names, const struct config *running);

#endif
