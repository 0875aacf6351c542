/* config_show: settings as text again, as they are in effect; secrets are not shown. */
#ifndef REDISPROXY_OPS_CONFIG_SHOW_H
#define REDISPROXY_OPS_CONFIG_SHOW_H

#include "base/buf.h"
#include "ops/config_table.h"

/* Appends the option's value, as it would be written into the file (no NUL); a secret that is set is "***". Returns false
 * when it is not set. */
bool config_show_value(struct buf *out, const struct config_option *option,
                       const union settings *settings);

#endif
