/* scrape: see scrape.h. */
#include "harness/scrape.h"

#include "harness/raw.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *scrape(const struct proxy *p, const char *headers)
{
    char *answer = http_get_whole(p->host, PROXY_HTTP, "/metrics", headers);
    cr_assert(answer && strncmp(answer, "HTTP/1.", 7) == 0);
    char *body = strstr(answer, "\r\n\r\n");
    cr_assert(body != NULL);
    memmove(answer, body + 4, strlen(body + 4) + 1);
    return answer;
}

double scrape_sum(const char *text, const char *name, const char *label, const char *other)
{
    double sum = 0;
    size_t len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        char one[1024];
        if (!end)
            break;
        snprintf(one, sizeof(one), "%.*s", (int)(end - line), line);
        if (strncmp(one, name, len) == 0 && strchr(" {", one[len]) && strstr(one, label) &&
            strstr(one, other))
            sum += atof(strrchr(one, ' ') + 1);
    }
    return sum;
}

double scrape_value(const struct proxy *p, const char *name, const char *label, const char *other)
{
    char *text = scrape(p, "");
    double sum = scrape_sum(text, name, label, other);
    free(text);
    return sum;
}
