/*
 * soak: random events on a trio for as long as one likes (scenario/soak.h).
 *
 *   soak [-s SEED] [-n EVENTS] [-f FIRST]
 *
 * Without -s the seed is a new one; it is printed, and with it the same events come again. -f
 * begins with a later event of the seed: a single one that failed, for instance. Exits 1 when
 * something did not hold.
 */
#include "scenario/soak.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 200, SHOWN = 5 };

/* Returns -1 when the text is not a number from `least` up. */
static long number_of(const char *text, long least)
{
    char *end;
    long number = strtol(text, &end, 10);
    return *text && !*end && number >= least ? number : -1;
}

static int read_options(int argc, char **argv, struct soak_options *o)
{
    int option;
    while ((option = getopt(argc, argv, "s:n:f:")) != -1) {
        long number = option == '?' ? -1 : number_of(optarg, option == 's' ? 0 : 1);
        if (number < 0 || (option != 's' && number > SOAK_EVENTS_MAX))
            return -1;
        if (option == 's')
            o->seed = (unsigned long)number;
        else if (option == 'n')
            o->events = (int)number;
        else
            o->first = (int)number;
    }
    return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct soak_options o = {
        .seed = (unsigned long)time(NULL) % 100000, .first = 1, .events = EVENTS, .shown = SHOWN};
    signal(SIGPIPE, SIG_IGN);
    if (read_options(argc, argv, &o) < 0) {
        fprintf(stderr, "usage: soak [-s SEED] [-n EVENTS] [-f FIRST]\n");
        return 2;
    }
    int wrong = soak_play(&o, stdout);
    if (wrong < 0)
        return 1;
    printf("%s: seed %lu: %d things did not hold\n", wrong ? "FAILED" : "PASSED", o.seed, wrong);
    return wrong ? 1 : 0;
}
