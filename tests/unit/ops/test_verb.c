/* verb: one table is dispatch, help, man page and completion. */
#include "ops/verb.h"

#include "ops/manual.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *page(const char *name)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    cr_assert_eq(manual_print(out, name), 0);
    fclose(out);
    return text;
}

Test(verb, each_is_found_and_told_everywhere)
{
    static const char *const names[] = {"status",    "nodes",     "sentinels",  "sessions",
                                        "kill",      "pause",     "resume",     "drain",
                                        "reconnect", "rebalance", "switchover", "log-level",
                                        "config",    "history",   "reload",     "doctor"};
    size_t count;
    const struct verb *table = verb_table(&count);
    char *bash = page("bash"), *zsh = page("zsh");
    cr_expect_eq(count, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_expect_not_null(verb_find(names[i]), "%s", names[i]);
    for (size_t i = 0; i < count; i++) {
        char line[80];
        snprintf(line, sizeof(line), " %s) offer=", table[i].name);
        cr_expect(verb_find(table[i].name) == &table[i], "%s stands twice", table[i].name);
        cr_expect(*table[i].help && table[i].most >= table[i].least);
        cr_expect_not_null(strstr(bash, line), "%s", line);
        cr_expect_not_null(strstr(zsh, line), "%s", line);
    }
    cr_expect_null(verb_find("nothing"));
    cr_expect_null(verb_find(""));
    free(bash);
    free(zsh);
}

/* What the help says a verb takes, and what it takes, are the same. */
Test(verb, options_are_those_of_the_help)
{
    size_t count;
    const struct verb *table = verb_table(&count);
    for (size_t i = 0; i < count; i++) {
        char options[100] = "";
        snprintf(options, sizeof(options), "%s", table[i].options ? table[i].options : "");
        for (char *rest = options, *option; (option = strsep(&rest, " "));)
            cr_expect(!*option || strstr(table[i].args, option), "%s %s", table[i].name, option);
        cr_expect_eq(strstr(table[i].args, "--") != NULL, table[i].options != NULL, "%s",
                     table[i].name);
    }
}

Test(verb, a_level_that_is_only_asked_for_changes_nothing)
{
    cr_expect(!verb_changes(verb_find("log-level"), 0));
    cr_expect(verb_changes(verb_find("log-level"), 1));
    cr_expect(verb_changes(verb_find("drain"), 0));
    cr_expect(!verb_changes(verb_find("status"), 0));
}

Test(verb, there_is_no_other_page)
{
    cr_expect_neq(manual_print(stderr, "redisproxy.2"), 0);
}
