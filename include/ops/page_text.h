/*
 * page_text: the page as it is in the program: web/page.html with web/page.css and web/page.js in it, and the policy that
 * lets a browser run these two and nothing else.
 */
#ifndef REDISPROXY_OPS_PAGE_TEXT_H
#define REDISPROXY_OPS_PAGE_TEXT_H

/* All that a browser gets is below this. Held by tests/system/test_page.c. */
#define PAGE_BYTES_MAX (60 * 1024)

struct page_text {
    char *html;   /* to be filled in: page_fill.h */
    char *policy; /* Content-Security-Policy */
};

/* Puts it together; both to be freed by page_text_free(). */
void page_text_make(struct page_text *text);
void page_text_free(struct page_text *text);

#endif
