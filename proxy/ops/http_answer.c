/* http_answer: see the header. */
#include "ops/http_answer.h"

#include <stdlib.h>
#include <string.h>

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    if (value)
        MHD_add_response_header(response, name, value);
}

void http_add_headers(struct MHD_Response *response, const char *type, const char *policy)
{
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"); /* all of it is of this moment */
    add(response, "Content-Security-Policy",
        policy ? policy : "default-src 'none'; frame-ancestors 'none'");
    add(response, "X-Content-Type-Options", "nosniff");
    add(response, "Referrer-Policy", "no-referrer");
    add(response, "Cross-Origin-Resource-Policy", "same-origin");
}

enum MHD_Result http_answer(struct MHD_Connection *connection, const struct http_answer *answer)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->len, answer->text, answer->mode);

    if (!response) {
        if (answer->mode == MHD_RESPMEM_MUST_FREE)
            free(answer->text);
        return MHD_NO;
    }
    http_add_headers(response, answer->type, answer->policy);
    add(response, MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after);
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result http_refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    return http_answer(connection, &(struct http_answer){.status = status,
                                                         .type = "text/plain",
                                                         .text = (char *)text,
                                                         .len = strlen(text),
                                                         .mode = MHD_RESPMEM_PERSISTENT});
}
