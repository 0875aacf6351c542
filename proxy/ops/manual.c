/* manual: see the header. In man's own language a backslash, a line's first dot or quote, and a hyphen mean something:
 * texts of the tables go through put_text(). */
#include "ops/manual.h"

#include "ops/completion.h"
#include "ops/config_table.h"
#include "ops/reference.h"
#include "ops/verb.h"

#include <string.h>

#define DATE "2026-11-28"

static void put_text(FILE *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        if ((at == text || at[-1] == '\n') && (*at == '.' || *at == '\''))
            fputs("\\&", out);
        if (*at == '\\')
            fputs("\\e", out);
        else if (*at == '-')
            fputs("\\-", out);
        else if (at[0] == '\n' && at[1] == '\n')
            fputs("\n.PP", out), at += at[2] == '\n';
        else
            fputc(*at, out);
    }
}

static void put_line(FILE *out, const char *text)
{
    put_text(out, text);
    fputc('\n', out);
}

static void head(FILE *out, const char *title, const char *section, const char *name,
                 const char *what)
{
    fprintf(out, ".TH %s %s %s \"redisproxy " REDISPROXY_VERSION "\" \"redisproxy\"\n.SH NAME\n",
            title, section, DATE);
    put_text(out, name);
    fputs(" \\- ", out);
    put_line(out, what);
}

/* ---- redisproxy.1 ---- */

static const char synopsis[] = ".SH SYNOPSIS\n"
                               ".B redisproxy \\-c\n.I FILE\n.br\n"
                               ".B redisproxy \\-\\-sentinels\n\\fIHOST:PORT\\fR,...\n"
                               "[\\fB\\-\\-master\\fR \\fINAME\\fR]\n.br\n"
                               ".B redisproxy \\-t \\-c\n.I FILE\n.br\n"
                               ".B redisproxy \\-\\-check\\fR[=live]\n"
                               "[\\fB\\-c\\fR \\fIFILE\\fR]\n.br\n"
                               ".B redisproxy ctl\n"
                               "[\\fB\\-c\\fR \\fIFILE\\fR | \\fB\\-s\\fR \\fISOCKET\\fR]\n"
                               "[\\fB\\-\\-json\\fR]\n.I VERB\n[\\fIARGUMENT\\fR...]\n.br\n"
                               ".B redisproxy \\-\\-version\n|\n.B \\-\\-help\n";

static const char description[] =
    ".SH DESCRIPTION\n"
    "redisproxy stands between clients and groups of Redis servers that Sentinel watches. Clients "
    "have one\n"
    "address, whoever is master. While Sentinel replaces a master, their requests are held, in "
    "their order, and\n"
    "sent to the new one.\n"
    ".SH OPTIONS\n"
    ".TP\n\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIFILE\\fR\nruns with this configuration: see\n"
    ".BR proxy.conf (5).\n"
    ".TP\n\\fB\\-\\-sentinels\\fR \\fIHOST:PORT\\fR,...\nthe Sentinels of the one group, or of the "
    "configuration's first one; with it no\nfile is needed.\n"
    ".TP\n\\fB\\-\\-master\\fR \\fINAME\\fR\nwhat Sentinel calls its master; mymaster without it.\n"
    ".TP\n\\fB\\-\\-check\\fR[=live]\nasks the proxy that runs with this configuration, or with "
    "this "
    "environment, whether it is\nready (/readyz), or, live, alive (/healthz), tells the answer in "
    "one line, and "
    "ends with 0 or 1: a\nprobe for containers.\n"
    ".TP\n\\fB\\-t\\fR, \\fB\\-\\-test\\fR\nonly checks it: every error is told with its line.\n"
    ".TP\n\\fB\\-\\-version\\fR\ntells the version.\n"
    ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\ntells the options, and all settings with their "
    "defaults.\n"
    ".SH ADMINISTRATION\n"
    "\\fBredisproxy ctl\\fR asks and tells a running proxy over its admin socket: the one that the "
    "configuration\n"
    "after \\fB\\-c\\fR names, the one after \\fB\\-s\\fR, or /run/redisproxy/admin.sock. Answers "
    "are tables;\n"
    "with \\fB\\-\\-json\\fR they are one line of JSON, in which times are milliseconds (..._ms) "
    "and sizes bytes\n"
    "(..._bytes). A \\fITIME\\fR is 500ms, 20s, 2m or 1h.\n";

static const char rest[] =
    ".SH EXIT STATUS\n"
    "Of \\fBredisproxy ctl\\fR:\n"
    ".TP\n.B 0\nit is done.\n"
    ".TP\n.B 1\nit was refused, or it failed; stderr, or \"error\" in the JSON, says why, and how "
    "to mend it.\n"
    ".TP\n.B 2\nno proxy can be reached.\n"
    ".PP\nOf the proxy itself: 0 after it has drained, 1 when it could not start, or was stopped "
    "by a second signal.\n"
    ".SH SIGNALS\n"
    ".TP\n.BR SIGTERM \", \" SIGINT\n"
    "drain: nothing new is accepted, what is in flight or held is answered. A second one ends the "
    "proxy at once.\n"
    ".SH ENVIRONMENT\n"
    "Every setting of\n.BR proxy.conf (5)\ncan also come from a variable: see there.\n"
    ".SH FILES\n"
    ".TP\n.I /run/redisproxy/admin.sock\nthe admin socket, mode 0600, or 0660 with admin_group.\n"
    ".SH SEE ALSO\n"
    ".BR proxy.conf (5)\n";

static void print_verb(FILE *out, const struct verb *verb)
{
    fputs(".TP\n\\fB", out);
    put_text(out, verb->name);
    fputs(*verb->args ? "\\fR " : "\\fR", out);
    put_line(out, verb->args);
    put_text(out, verb->help);
    fputs(".\n", out);
    if (!verb->more)
        return;
    /* Further paragraphs are indented alike. */
    for (const char *at = verb->more, *end; at; at = end ? end + 2 : NULL) {
        char text[1024];
        end = strstr(at, "\n\n");
        snprintf(text, sizeof(text), "%.*s", end ? (int)(end - at) : (int)strlen(at), at);
        fputs(".IP\n", out);
        put_line(out, text);
    }
}

static void print_program(FILE *out)
{
    size_t count;
    const struct verb *table = verb_table(&count);
    head(out, "REDISPROXY", "1", "redisproxy", "a Sentinel-aware proxy in front of Redis");
    fputs(synopsis, out);
    fputs(description, out);
    for (size_t i = 0; i < count; i++)
        print_verb(out, &table[i]);
    fputs(rest, out);
}

/* ---- proxy.conf.5 ---- */

static const char form[] =
    ".SH DESCRIPTION\n"
    "An INI file. A comment begins with ; or # at the start of a line, or "
    "with ; after a blank. ${NAME} is replaced\n"
    "from the environment. Durations are 500ms, 20s or 2m; sizes 64kb, 16mb "
    "or 1gb, a bare number is bytes. A\n"
    "password that holds \" ;\" or \"${\" belongs into a file. "
    "\\fBredisproxy \\-t \\-c\\fR \\fIFILE\\fR checks a file,\n"
    "and tells every error with its line; \\fBredisproxy ctl config\\fR "
    "shows what a running proxy goes by.\n"
    ".SH ENVIRONMENT\n"
    "Every setting can also come from a variable, which is stronger than the "
    "file; an empty one counts as not\n"
    "set, and ${NAME} means nothing in it.\n"
    ".TP\n\\fBREDISPROXY_PROXY_WORKERS\\fR\nworkers of [proxy].\n"
    ".TP\n\\fBREDISPROXY_MASTER_SENTINELS\\fR\nsentinels of every [master]. "
    "Without one in a file there is one, mymaster.\n"
    ".TP\n\\fBREDISPROXY_MASTER_NAME\\fR\nwhat Sentinel calls the first one.\n"
    ".TP\n\\fBREDISPROXY_MASTER_2_PASSWORD\\fR\npassword of the second one, in the "
    "file's order; a number is stronger than none.\n"
    ".TP\n\\fBREDISPROXY_LISTEN_2_ADDRESS\\fR\nwhere the second [listen] is; "
    "off: nowhere.\n"
    ".TP\n\\fBREDISPROXY_LISTEN_3_ADDRESS\\fR\nwith two in the file, or the two "
    "default ones: one more.\n";

static void print_choices(FILE *out, const struct config_option *option)
{
    for (const char *const *choice = option->choices; *choice; choice++) {
        fputs(choice == option->choices ? "One of " : choice[1] ? ", " : " and ", out);
        put_text(out, *choice);
    }
    fputs(".\n", out);
}

static void print_range(FILE *out, const struct config_option *option)
{
    char min[32], max[32];
    if (option->choices) {
        print_choices(out, option);
        return;
    }
    if (option->max)
        fprintf(out, "From %s to %s", option_format_number(min, sizeof(min), option, option->min),
                option_format_number(max, sizeof(max), option, option->max));
    if (option->word)
        fprintf(out, "%s%s", option->max ? ", or " : "It may be ", option->word);
    if (option->max || option->word)
        fputs(".\n", out);
}

static void print_option(FILE *out, const struct config_option *option)
{
    fputs(".TP\n\\fB", out);
    put_text(out, option->name);
    fputs("\\fR", out);
    if (option->standard) {
        fputs(" = ", out);
        put_text(out, option->standard);
    } else {
        fputs(option->required ? " (required)" : " (not set)", out);
    }
    fputc('\n', out);
    put_text(out, option->help);
    fputs(".\n", out);
    print_range(out, option);
}

static void print_file(FILE *out)
{
    static const char *const titles[SECTION_KINDS] = {
        [SECTION_PROXY] = ".SH [proxy]\nThe whole process.\n",
        [SECTION_MASTER] =
            ".SH [master NAME]\nOne for each group: NAME is Sentinel's master name.\n",
        [SECTION_LISTEN] =
            ".SH [listen ADDRESS:PORT]\nWhere clients are accepted. Without any: 0.0.0.0:6379 with "
            "route = "
            "master, and\n0.0.0.0:6380 with route = replica, for the first group.\n"};
    size_t count;
    const struct config_option *table = config_table(&count);
    head(out, "PROXY.CONF", "5", "proxy.conf", "the configuration of redisproxy");
    fputs(form, out);
    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++) {
        fputs(titles[kind], out);
        for (size_t i = 0; i < count; i++)
            if (table[i].section == kind)
                print_option(out, &table[i]);
    }
    fputs(".SH SEE ALSO\n.BR redisproxy (1)\n", out);
}

int manual_print(FILE *out, const char *page)
{
    static const struct {
        const char *name;
        void (*print)(FILE *out);
    } pages[] = {{"redisproxy.1", print_program},
                 {"proxy.conf.5", print_file},
                 {"configuration.md", reference_print},
                 {"bash", completion_print_bash},
                 {"zsh", completion_print_zsh}};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(page, pages[i].name) != 0)
            continue;
        pages[i].print(out);
        return 0;
    }
    return -1;
}
