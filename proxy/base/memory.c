/* memory: see the header. */
#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Written at once, past the log: nobody is left to write it later. */
static void say(const char *text)
{
    while (write(STDERR_FILENO, text, strlen(text)) < 0 && errno == EINTR)
        ;
}

void out_of_memory(size_t bytes)
{
    char line[96];
    snprintf(line, sizeof(line), "level=error msg=\"out of memory\" bytes=%zu\n", bytes);
    say(line);
    abort();
}

static struct sigaction before; /* the log's: it writes what waits there (log_queue.c) */

/* Within abort(), which ends the program when this returns. After malloc() said no, errno still tells. */
static void on_abort(int number)
{
    int error = errno;
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
    say(error == ENOMEM ? "level=error msg=\"the program aborts: out of memory\"\n"
                        : "level=error msg=\"the program aborts\"\n");
}

void memory_install_last_words(void)
{
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_RESETHAND};
    sigaction(SIGABRT, &action, &before);
}
