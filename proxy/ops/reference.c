/* reference: see the header. In a table of Markdown a "|" ends a cell, and "<" may begin a tag: texts of the option table
 * go through put_text(). */
#include "ops/reference.h"

#include "ops/config_table.h"

#include <string.h>

/* clang-format off */
static const char introduction[] =
    "# Configuration reference\n"
    "\n"
    "<!-- Made from the option table (proxy/ops/config_table.c) by \"make reference\": change it there. -->\n"
    "\n"
    "This page lists every setting with its default, what it may be, and when a change of it takes effect. "
    "[conf/proxy.conf](../conf/proxy.conf)\n"
    "is the same as a file to start from, with longer comments. `redisproxy --help` and `man proxy.conf` "
    "print it, too.\n"
    "\n"
    "## The file\n"
    "\n"
    "The configuration is an INI file: sections in brackets, and lines of `name = value`.\n"
    "\n"
    "- A comment begins with `;` or `#` at the start of a line, or with `;` after a blank.\n"
    "- `${NAME}` is replaced with the environment variable of that name, as it was when the proxy was started.\n"
    "- Every setting can also come from the environment (`REDISPROXY_MASTER_PASSWORD`, `REDISPROXY_LISTEN_2_ADDRESS`, ...), which is\n"
    "  stronger than the file. `redisproxy --help` says how the names are made.\n"
    "- A duration is a number with a unit: `500ms`, `20s`, `2m`. A size is `64kb`, `16mb` or `1gb`; a bare "
    "number is bytes.\n"
    "- An address to listen on is numeric: `0.0.0.0:6379`, `[::]:6379`.\n"
    "- A password that contains ` ;` or `${` cannot stand in this file. Put it into a file of its own, and name that with\n"
    "  `password_file` or `sentinel_password_file`.\n"
    "\n"
    "`redisproxy -t -c proxy.conf` checks a file. It reports every mistake at once, each with its line and how to mend it.\n"
    "`redisproxy ctl config` shows which settings a running proxy goes by, and where each of them was set.\n"
    "\n"
    "## When a change takes effect\n"
    "\n"
    "The proxy reads its file again when it gets SIGHUP, or with `redisproxy ctl reload`. The last column of the tables says what\n"
    "happens with a setting that has changed: see [operations.md](operations.md#changing-the-configuration).\n"
    "\n"
    "| it says | a changed setting takes effect |\n"
    "|---|---|\n"
    "| at once | immediately, for everything that is there |\n"
    "| new connections | for connections that are opened from then on; those that are open keep what they began with |\n"
    "| restart | at the next start; a reload warns of it, and applies the rest |\n";
static const char *const titles[SECTION_KINDS] = {
    [SECTION_PROXY] = "## `[proxy]`\n\nThere is one of these sections, or none. It is about the whole process.\n",
    [SECTION_MASTER] = "## `[master NAME]`\n\n"
                       "There is one of these sections for each group of Redis servers. NAME is the name by which the\n"
                       "Sentinels know the group's master.\n",
    [SECTION_LISTEN] =
        "## `[listen ADDRESS:PORT]`\n\n"
        "There is one of these sections for each address on which clients are accepted. Without any, the proxy listens on\n"
        "0.0.0.0:6379 with `route = master`, and on 0.0.0.0:6380 with `route = replica`, for the first group.\n"};
/* clang-format on */

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '<')
            fputc('\\', out);
        fputc(*text, out);
    }
}

/* "a", "b" or "c", each as code. */
static void put_choices(FILE *out, const char *const *choices)
{
    for (const char *const *choice = choices; *choice; choice++)
        fprintf(out, "%s`%s`", choice == choices ? "" : choice[1] ? ", " : " or ", *choice);
}

/* What a value without bounds or choices looks like. */
static const char *kind(const struct config_option *option)
{
    switch (option->type) {
    case OPTION_ADDRESS:
        return "an address";
    case OPTION_ENDPOINTS:
        return "a list";
    case OPTION_SECRET_FILE:
        return "a path";
    default:
        return "text";
    }
}

static void put_range(FILE *out, const struct config_option *option)
{
    char min[32], max[32];

    if (option->choices) {
        put_choices(out, option->choices);
        return;
    }
    if (option->max)
        fprintf(out, "%s to %s", option_format_number(min, sizeof(min), option, option->min),
                option_format_number(max, sizeof(max), option, option->max));
    else
        fputs(kind(option), out);
    if (option->word)
        fprintf(out, ", or `%s`", option->word);
}

static void put_option(FILE *out, const struct config_option *option)
{
    const char *effect = option_reload_name(option->reload);

    fprintf(out, "| `%s` | ", option->name);
    if (option->standard)
        fprintf(out, "`%s`", option->standard);
    else
        fputs(option->required ? "**required**" : "not set", out);
    fputs(" | ", out);
    put_range(out, option);
    fputs(" | ", out);
    put_text(out, option->help);
    fprintf(out, " | %s |\n", *effect ? effect : "at once");
}

void reference_print(FILE *out)
{
    size_t count;
    const struct config_option *table = config_table(&count);

    fputs(introduction, out);
    for (enum section_kind section = 0; section < SECTION_KINDS; section++) {
        fprintf(out,
                "\n%s\n| setting | default | it may be | what it does | effect "
                "|\n|---|---|---|---|---|\n",
                titles[section]);
        for (size_t i = 0; i < count; i++)
            if (table[i].section == section)
                put_option(out, &table[i]);
    }
}
