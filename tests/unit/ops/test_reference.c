/* reference: the kept docs/configuration.md is what the option table makes. */
#include "ops/config_table.h"
#include "ops/reference.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char *read_kept(void)
{
    FILE *file = fopen("docs/configuration.md", "r");
    char *text = NULL;
    size_t size = 0;

    cr_assert_not_null(file, "docs/configuration.md is missing: make reference");
    ssize_t len = getdelim(&text, &size, '\0', file);
    cr_assert_gt(len, 0);
    fclose(file);
    return text;
}

static char *print(void)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    reference_print(out);
    fclose(out);
    return text;
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

Test(reference, the_kept_page_is_what_the_table_makes)
{
    char *kept = read_kept(), *made = print();
    const char *left = kept, *right = made;

    while (*left && line_length(left) == line_length(right) &&
           strncmp(left, right, line_length(left)) == 0) {
        left += line_length(left) + (left[line_length(left)] == '\n');
        right += line_length(right) + (right[line_length(right)] == '\n');
    }
    cr_assert(!*left && !*right,
              "docs/configuration.md is not what the option table makes: run make reference\n"
              "kept: %.*s\nmade: %.*s",
              (int)line_length(left), left, (int)line_length(right), right);
    free(kept);
    free(made);
}

Test(reference, each_setting_has_a_row_with_its_default)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    char *made = print(), row[256];

    for (size_t i = 0; i < count; i++) {
        if (table[i].standard)
            snprintf(row, sizeof(row), "\n| `%s` | `%s` |", table[i].name, table[i].standard);
        else
            snprintf(row, sizeof(row), "\n| `%s` | %s |", table[i].name,
                     table[i].required ? "**required**" : "not set");
        cr_expect_not_null(strstr(made, row), "%s has no row", table[i].name);
    }
    free(made);
}
