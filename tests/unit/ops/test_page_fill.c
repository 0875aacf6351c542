/*
 * page_fill: fields and rows stand where the page's marks say, and whatever they hold is text.
 */
#include "ops/page_fill.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *html, const char *json, const char *wanted)
{
    cJSON *status = cJSON_Parse(json);
    cr_assert(status != NULL, "%s", json);
    char *text = page_fill(html, status);
    cr_expect_str_eq(text, wanted);
    free(text);
    cJSON_Delete(status);
}

Test(page_fill, values_of_every_kind)
{
    expect("<b data-value=\"a.b\"></b>!", "{\"a\":{\"b\":\"x\"}}", "<b data-value=\"a.b\">x</b>!");
    expect("<b data-value=\"n\"></b>", "{\"n\":12345678901}",
           "<b data-value=\"n\">12345678901</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":0.126}", "<b data-value=\"n\">0.13</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":1234.6}", "<b data-value=\"n\">1235</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":true}", "<b data-value=\"n\">yes</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":false}", "<b data-value=\"n\">no</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":null}", "<b data-value=\"n\">\xe2\x80\x93</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":\"\"}", "<b data-value=\"n\">\xe2\x80\x93</b>");
    expect("<b data-value=\"no.such\"></b>", "{\"no\":1}",
           "<b data-value=\"no.such\">\xe2\x80\x93</b>");
    expect("<b data-value=\"n\"></b>", "{\"n\":{\"k\":1,\"l\":\"m n\"}}",
           "<b data-value=\"n\">k=1 l=m n</b>");
}

Test(page_fill, rows_follow_the_heads)
{
    static const char table[] = "<table data-rows=\"r\"><th data-key=\"a\">A</th>"
                                "<th data-key=\"b.c\">B</th><tbody></tbody></table>"
                                "<i data-value=\"v\"></i>";
    expect(table, "{\"v\":1,\"r\":[{\"a\":1,\"b\":{\"c\":\"x\"}},{\"a\":2}]}",
           "<table data-rows=\"r\"><th data-key=\"a\">A</th><th data-key=\"b.c\">B</th><tbody>"
           "<tr><th scope=\"row\">1</th><td>x</td></tr>\n"
           "<tr><th scope=\"row\">2</th><td>\xe2\x80\x93</td></tr>\n"
           "</tbody></table><i data-value=\"v\">1</i>");
    expect(table, "{\"v\":1,\"r\":[]}",
           "<table data-rows=\"r\"><th data-key=\"a\">A</th><th data-key=\"b.c\">B</th><tbody>"
           "<tr><td colspan=\"2\">none</td></tr></tbody></table><i data-value=\"v\">1</i>");
}

Test(page_fill, whatever_is_told_is_text)
{
    expect("<b data-value=\"a\"></b>", "{\"a\":\"<script>alert('&\\\"')</script>\"}",
           "<b data-value=\"a\">&lt;script&gt;alert('&amp;&quot;')&lt;/script&gt;</b>");
    /* Marks in it are not looked for. */
    expect("<b data-value=\"a\"></b>", "{\"a\":\"data-value=\\\"a\\\">\"}",
           "<b data-value=\"a\">data-value=&quot;a&quot;&gt;</b>");
    expect("<b data-value=\"a\"></b>", "{\"a\":{\"<k>\":\"<v>\"}}",
           "<b data-value=\"a\">&lt;k&gt;=&lt;v&gt;</b>");
}
