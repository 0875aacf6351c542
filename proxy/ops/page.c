/* page: see the header. */
#include "ops/page.h"

#include "base/clock.h"
#include "ops/http_answer.h"
#include "ops/http_look.h"
#include "ops/json_text.h"
#include "ops/page_fill.h"
#include "ops/page_streams.h"
#include "ops/page_text.h"
#include "ops/samples.h"
#include "ops/status.h"

#include <stdlib.h>
#include <string.h>

/* How often it is looked for changes while somebody watches. */
#define WATCH_MS 100
/* Streams have this part of the connections at most. */
#define STREAMS_PART 2

struct page {
    struct page_text text;
    struct samples *samples;
    struct page_streams streams;
    size_t max_connections;
    int64_t sample_ms;       /* when the next one is due, clock_ms() */
    struct status_mark sent; /* so far those who watch were told */
    uint64_t topology;       /* the newest snapshot that they were told */
};

struct page *page_new(struct http_connections *connections)
{
    struct page *page = calloc(1, sizeof(*page));
    if (!page)
        abort();
    page_text_make(&page->text);
    page->samples = samples_new();
    page->max_connections = connections->max;
    page_streams_init(&page->streams, connections);
    return page;
}

void page_end(struct page *page)
{
    page_streams_end(&page->streams);
}

void page_free(struct page *page)
{
    samples_free(page->samples);
    page_text_free(&page->text);
    free(page);
}

/* ---- answers ---- */

bool page_has(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, "/status") == 0 || strcmp(path, "/events") == 0;
}

/* All that there is. */
static cJSON *document(const struct page *page, const struct http_look *look,
                       const struct http_sources *sources)
{
    const struct status_sources from = {look, page->samples, board_history(sources->board)};
    struct status_mark to = status_mark_now(&from);
    return status_document(&from, &(struct status_mark){0}, &to);
}

static cJSON *document_now(const struct page *page, const struct http_sources *sources,
                           bool draining)
{
    struct http_look look;
    http_look_open(&look, sources, draining);
    cJSON *status = document(page, &look, sources);
    http_look_close(&look);
    return status;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, const char *type, char *text,
                                   const char *policy)
{
    return http_answer(connection, &(struct http_answer){.status = MHD_HTTP_OK,
                                                         .type = type,
                                                         .text = text,
                                                         .len = strlen(text),
                                                         .mode = MHD_RESPMEM_MUST_FREE,
                                                         .policy = policy});
}

static enum MHD_Result answer_stream(struct page *page, struct MHD_Connection *connection,
                                     size_t most)
{
    static const char text[] = "there are as many streams as page_streams says: ask /status\n";
    size_t part = page->max_connections / STREAMS_PART;
    if (page->streams.count < (most < part ? most : part))
        return page_streams_open(&page->streams, connection);
    return http_answer(connection, &(struct http_answer){.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                                         .type = "text/plain",
                                                         .text = (char *)text,
                                                         .len = sizeof(text) - 1,
                                                         .mode = MHD_RESPMEM_PERSISTENT,
                                                         .retry_after = "10"});
}

enum MHD_Result page_answer(struct page *page, struct MHD_Connection *connection, const char *path,
                            bool head, const struct http_sources *sources, bool draining)
{
    if (!sources->options->page)
        return http_refuse(connection, MHD_HTTP_NOT_FOUND, "page = no in the configuration\n");
    if (strcmp(path, "/events") == 0)
        return head ? http_refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET\n")
                    : answer_stream(page, connection, sources->options->page_streams);
    cJSON *status = document_now(page, sources, draining);
    if (strcmp(path, "/status") == 0)
        return answer_text(connection, "application/json", json_print(status), NULL);
    char *text = page_fill(page->text.html, status);
    cJSON_Delete(status);
    return answer_text(connection, "text/html; charset=utf-8", text, page->text.policy);
}

/* ---- those who watch ---- */

/* `news`: everybody is told; otherwise who is new gets what the others have. */
static void tell(struct page *page, const struct http_look *look,
                 const struct http_sources *sources, bool news)
{
    const struct status_sources from = {look, page->samples, board_history(sources->board)};
    const struct status_mark before = page->sent, none = {0};
    char *whole = NULL, *update = NULL;
    if (news) {
        page->sent = status_mark_now(&from);
        page->topology = look->topology->seq;
    }
    if (page_streams_want_whole(&page->streams))
        whole = json_print(status_document(&from, &none, &page->sent));
    if (news && page->streams.count)
        update = json_print(status_document(&from, &before, &page->sent));
    page_streams_send(&page->streams, whole, update, look->metrics.now_ms);
    free(whole);
    free(update);
}

static bool has_changed(const struct page *page, const struct http_sources *sources)
{
    uint64_t switchovers;
    (void)history_read(board_history(sources->board), NULL, 0, &switchovers);
    return board_seq(sources->board) != page->topology || switchovers != page->sent.switchover;
}

static void take_sample(struct page *page, const struct http_look *look)
{
    int64_t now = look->metrics.now_ms, next = page->sample_ms + SAMPLE_MS;
    samples_take(page->samples, &look->metrics);
    page->sample_ms = next > now ? next : now + SAMPLE_MS;
}

static void look_after_streams(struct page *page, const struct http_sources *sources)
{
    if (page->streams.count && !sources->options->page)
        page_streams_end(&page->streams);
    else if (page->streams.count)
        page_streams_look(&page->streams);
}

int page_turn(struct page *page, const struct http_sources *sources, bool draining)
{
    bool due = clock_ms() >= page->sample_ms;
    bool news = due || (page->streams.count && has_changed(page, sources));
    struct http_look look;
    look_after_streams(page, sources);
    if (news || page_streams_want_whole(&page->streams)) {
        http_look_open(&look, sources, draining);
        if (due)
            take_sample(page, &look);
        tell(page, &look, sources, news);
        http_look_close(&look);
    }
    int64_t left = page->sample_ms - clock_ms();
    left = page->streams.count && left > WATCH_MS ? WATCH_MS : left;
    return left > 0 ? (int)left : 0;
}
