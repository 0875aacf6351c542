/* config_tls: the TLS settings of a configuration as the sources of TLS contexts. It reads the certificates. */
#ifndef REDISPROXY_OPS_CONFIG_TLS_H
#define REDISPROXY_OPS_CONFIG_TLS_H

#include "ops/config.h"
#include "ops/config_sections.h"

/* Makes a source for each section that wants one: config->tls, and those in the rooms' structs, which are filled already.
 * `before`: what a running configuration has (NULL: there is none); of it those are taken that are set alike. What is
 * wrong goes to the errors. */
void config_tls_fill(struct config *config, const struct proxy_settings *proxy,
                     const struct config_tls *before, struct config_errors *errors);

void config_tls_free(struct config_tls *tls);

#endif
