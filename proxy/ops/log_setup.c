/* log_setup: see the header. */
#include "ops/log_setup.h"

/* <syslog.h> has names for these, and for levels, which are not those of base/log.h. */
int log_setup_facility(size_t choice)
{
    enum { USER = 1, DAEMON = 3, LOCAL0 = 16 };
    static const int first[] = {DAEMON, USER, LOCAL0};
    return choice < 2 ? first[choice] : first[2] + (int)choice - 2;
}

void log_setup_apply(const struct log_setup *setup)
{
    log_set_format(setup->format);
    if (setup->target == LOG_TO_STDERR)
        log_set_stderr();
    else if (log_set_syslog(setup->socket, setup->facility) != 0)
        log_event(LOG_ERROR, "syslog_socket is too long for a Unix socket, lines go to stderr",
                  "socket=%s", setup->socket);
}
