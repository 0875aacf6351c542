/*
 * page_fill: the page's text (web/page.html) with what /status tells put in, for who has no JavaScript, and for the first
 * moment of who has. The HTML itself says what stands where, and the page's script goes by the same marks:
 *
 *     <b data-value="proxy.status"></b>             the text of this field stands in it
 *     <table data-rows="nodes">                     one row for each object of this array, and in it
 *       ... <th data-key="upstreams.shared">        one cell for each of these, the first one as the row's head
 *       ... <tbody></tbody>
 *
 * Whatever a field holds is text: it is escaped. Pure. Any thread.
 */
#ifndef REDISPROXY_OPS_PAGE_FILL_H
#define REDISPROXY_OPS_PAGE_FILL_H

#include <cjson/cJSON.h>

/* Returns the text, to be freed. `html` is the program's own: it aborts where a table has no end. */
char *page_fill(const char *html, const cJSON *status);

#endif
