/*
 * http_answer: what the web server answers, with the headers that all of its answers have. The web server's thread only.
 */
#ifndef REDISPROXY_OPS_HTTP_ANSWER_H
#define REDISPROXY_OPS_HTTP_ANSWER_H

#include <microhttpd.h>
#include <stddef.h>

struct http_answer {
    unsigned status;
    const char *type; /* Content-Type */
    char *text;
    size_t len;
    enum MHD_ResponseMemoryMode mode; /* MHD_RESPMEM_MUST_FREE: the text is freed, in any case */
    const char *policy;               /* Content-Security-Policy; NULL: nothing is loaded or run */
    const char *retry_after;          /* seconds; NULL: not said */
};

/* Returns what on_request of libmicrohttpd is to return. */
enum MHD_Result http_answer(struct MHD_Connection *connection, const struct http_answer *answer);

/* A constant text. */
enum MHD_Result http_refuse(struct MHD_Connection *connection, unsigned status, const char *text);

/* The headers that all answers have; for one that is made elsewhere. `policy`: as above. */
void http_add_headers(struct MHD_Response *response, const char *type, const char *policy);

#endif
