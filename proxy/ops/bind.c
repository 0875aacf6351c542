/* bind: see the header. */
#include "ops/bind.h"

#include "base/log.h"
#include "net/listener.h"
#include "ops/port_owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BACKLOG 4096

int bind_address(const struct address *address, const char *use, char *why, size_t size)
{
    char text[ENDPOINT_TEXT_MAX], owner[128], error[256];
    int fd = listener_bind(address, BACKLOG);

    if (fd >= 0)
        return fd;
    address_format(text, sizeof(text), address);
    log_quote(error, sizeof(error), strerror(-fd));
    if (fd == -EADDRINUSE) {
        port_owner(owner, sizeof(owner), address);
        log_event(LOG_ERROR, "the address is taken: stop who has it, or choose another one",
                  "address=%s use=%s by=\"%s\"", text, use, owner);
        snprintf(why, size, "%s (%s) is taken by %s: stop that, or choose another address", text,
                 use, owner);
    } else {
        log_event(LOG_ERROR, "cannot listen", "address=%s use=%s error=%s", text, use, error);
        snprintf(why, size, "cannot listen on %s (%s): %s", text, use, strerror(-fd));
    }
    return -1;
}
