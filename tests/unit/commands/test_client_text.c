/*
 * client_text: lines of CLIENT LIST, of whatever version.
 */
#include "commands/client_text.h"

#include <criterion/criterion.h>
#include <string.h>

static struct slice text(const char *of)
{
    return (struct slice){of, strlen(of)};
}

static void value_is(const char *line, const char *key, const char *wanted)
{
    struct slice value = client_text_value(text(line), key);
    if (!wanted) {
        cr_assert_null(value.data, "%s of %s", key, line);
        return;
    }
    cr_assert_not_null(value.data, "%s of %s", key, line);
    cr_assert_eq(value.len, strlen(wanted), "%s of %s", key, line);
    cr_assert_eq(memcmp(value.data, wanted, value.len), 0, "%s of %s", key, line);
}

static void written_is(const char *form, const struct client_text_field *fields, size_t count,
                       const char *wanted)
{
    struct buf out = {0};
    client_text_write(&out, text(form), fields, count);
    cr_assert_eq(buf_len(&out), strlen(wanted), "%.*s", (int)buf_len(&out), buf_head(&out));
    cr_assert_eq(memcmp(buf_head(&out), wanted, strlen(wanted)), 0, "%.*s", (int)buf_len(&out),
                 buf_head(&out));
    buf_free(&out);
}

Test(client_text, a_value_is_found_by_its_whole_key)
{
    value_is("id=3 addr=1.2.3.4:5 laddr=6:7 name= db=0", "addr", "1.2.3.4:5");
    value_is("id=3 laddr=6:7", "addr", NULL);
    value_is("id=3 name= db=0", "name", "");
    value_is("id=3 name=a=b", "name", "a=b");
    value_is("id=3", "i", NULL);
    value_is("id=3", "id=", NULL);
    value_is("", "id", NULL);
}

Test(client_text, lines_are_found_by_their_ids)
{
    struct client_text roll;
    client_text_read(&roll, text("id=7 db=1\nid=12 db=2\nnonsense\n\nid=x db=9\nid=9 db=3"));
    cr_assert_eq(roll.count, 3);
    cr_assert_eq(roll.lines[1].id, 9);
    value_is(client_text_find(&roll, 12)->text.data, "id", "12");
    cr_assert_eq(client_text_find(&roll, 12)->text.len, strlen("id=12 db=2"));
    cr_assert_null(client_text_find(&roll, 8));
    client_text_free(&roll);
    client_text_read(&roll, text(""));
    cr_assert_eq(roll.count, 0);
    cr_assert_null(client_text_find(&roll, 8));
    client_text_free(&roll);
}

Test(client_text, a_form_is_filled_in)
{
    const struct client_text_field fields[] = {
        {"name", {"me", 2}}, {"id", {"1099511627777", 13}}, {"newer", {"1", 1}}, {"db", {"", 0}}};
    written_is("id=3 addr=x name= db=0 user=u", fields, 4,
               "id=1099511627777 addr=x name=me db= user=u\n");
    written_is("id=3 addr=x", NULL, 0, "id=3 addr=x\n");
}
