/* memory: see the header. */
#include "base/memory.h"

#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void out_of_memory(size_t bytes)
{
    log_event(LOG_ERROR, "out of memory", "bytes=%zu", bytes);
    abort();
}

static void say(const char *text)
{
    while (write(STDERR_FILENO, text, strlen(text)) < 0 && errno == EINTR)
        ;
}

/* Within abort(), which ends the program when this returns. After malloc() said no, errno still tells. */
static void on_abort(int number)
{
    int error = errno;
    (void)number;
    say(error == ENOMEM ? "level=error msg=\"the program aborts: out of memory\"\n"
                        : "level=error msg=\"the program aborts\"\n");
}

void memory_install_last_words(void)
{
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_RESETHAND};
    sigaction(SIGABRT, &action, NULL);
}
