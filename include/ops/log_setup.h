/*
 * log_setup: what the log looks like and where it goes, as the configuration says. Its level is log_set_level()'s.
 */
#ifndef REDISPROXY_OPS_LOG_SETUP_H
#define REDISPROXY_OPS_LOG_SETUP_H

#include "base/log.h"

#include <stddef.h>

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

struct log_setup {
    enum log_format format;
    enum log_target target;
    const char *socket; /* the configuration's; for LOG_TO_SYSLOG */
    int facility;       /* as <syslog.h> numbers them */
};

/* The number of a facility, by its place among the setting's choices. */
int log_setup_facility(size_t choice);

/* Any time, from any thread. What is written from then on is written so. A socket whose name is too long is told in the log,
 * which goes to stderr then. */
void log_setup_apply(const struct log_setup *setup);

#endif
