/* command_line: see the header. */
#include "ops/command_line.h"

#include "ops/config_environment.h"
#include "ops/config_table.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void print_help(void)
{
    printf(
        "redisproxy %s: a Sentinel-aware proxy in front of Redis groups\n\n"
        "usage: redisproxy -c FILE        run with this configuration\n"
        "       redisproxy --sentinels HOST:PORT,... [--master NAME]\n"
        "                                 run without one: clients' port 6379 leads to the master, "
        "6380 to replicas;\n"
        "                                 NAME is what Sentinel calls the master, mymaster "
        "without it\n"
        "       redisproxy -c FILE --takeover\n"
        "                                 the same, in the place of the process that runs\n"
        "       redisproxy -t -c FILE     only check it\n"
        "       redisproxy --check[=live] -c FILE\n"
        "                                 ask the proxy that runs with it whether it is ready "
        "(live: alive)\n"
        "       redisproxy doctor -c FILE what is wrong with the Sentinels and nodes that it "
        "names\n"
        "       redisproxy ctl VERB       ask or tell a running one; \"redisproxy ctl help\" "
        "lists the verbs\n"
        "       redisproxy --version\n"
        "       redisproxy --help\n\n"
        "The log goes to stderr, unless log_target says otherwise. SIGTERM or SIGINT drains and "
        "exits, a\n"
        "second one exits at once; SIGHUP reloads the configuration; SIGUSR2 starts a new process "
        "that\n"
        "takes over; SIGUSR1 does nothing.\n\n",
        REDISPROXY_VERSION);
    config_environment_print(stdout);
    printf("The configuration's sections and settings, with their defaults. A reload applies what "
           "has\n"
           "changed at once; [new connections]: to those that are opened from then on; [restart]: "
           "not\n"
           "before the next start.\n\n");
    config_print_reference(stdout);
}

static void be_done(struct command_line *out)
{
    out->command = COMMAND_DONE;
}

static void read_check(struct command_line *out, const char *argument)
{
    out->command = COMMAND_CHECK;
    out->alive = argument && strcmp(argument, "live") == 0;
    if (!argument || out->alive)
        return;
    fprintf(stderr, "redisproxy: --check=%s: there are --check and --check=live\n", argument);
    out->command = COMMAND_WRONG;
}

/* Returns whether more of the line is to be read. */
static bool take(struct command_line *out, int letter)
{
    switch (letter) {
    case 'c':
        out->path = optarg;
        return true;
    case 't':
        out->command = COMMAND_TEST;
        return true;
    case 'o':
        out->takes_over = true;
        return true;
    case 's':
        config_environment_set(optarg, NULL);
        return true;
    case 'm':
        config_environment_set(NULL, optarg);
        return true;
    case 'k':
        read_check(out, optarg);
        return out->command == COMMAND_CHECK;
    case 'v':
        printf("redisproxy %s\n", REDISPROXY_VERSION);
        be_done(out);
        return false;
    case 'h':
        print_help();
        be_done(out);
        return false;
    default:
        out->command = COMMAND_WRONG;
        return false;
    }
}

static void complain(const char *program, const char *what)
{
    fprintf(stderr,
            "%s%s%susage: redisproxy [-t | --check | --takeover] -c FILE | --sentinels "
            "HOST:PORT,... [--master NAME] |\n       --version | --help\n",
            program ? program : "", program ? ": " : "", what);
}

void command_line_read(struct command_line *out, int argc, char **argv)
{
    static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                          {"test", no_argument, NULL, 't'},
                                          {"check", optional_argument, NULL, 'k'},
                                          {"sentinels", required_argument, NULL, 's'},
                                          {"master", required_argument, NULL, 'm'},
                                          {"takeover", no_argument, NULL, 'o'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int letter = 0;
    *out = (struct command_line){.command = COMMAND_RUN};
    while ((letter = getopt_long(argc, argv, "c:th", names, NULL)) != -1)
        if (!take(out, letter))
            break;
    if (out->command == COMMAND_DONE)
        return;
    if (out->command == COMMAND_WRONG) {
        complain(NULL, "");
        return;
    }
    if (optind != argc ||
        (!out->path && !config_environment_suffices() && out->command != COMMAND_CHECK)) {
        complain(argv[0], optind != argc ? "too many arguments\n"
                                         : "-c FILE, or --sentinels HOST:PORT,..., is missing\n");
        out->command = COMMAND_WRONG;
    }
}
