/* open_files: see the header. */
#include "ops/open_files.h"

#include "base/log.h"

#include <inttypes.h>
#include <sys/resource.h>

/* Kept back from clients: for Sentinels, probes and the web server; for upstreams and the loops. */
#define OTHER_FILES 256
#define FILES_OF_WORKER 256
/* Where the limit is low, a part of it is kept back. */
#define KEPT_PART 2
/* Of what is kept back, leases get half, and the web server a part. */
#define LEASES_PART 2
#define HTTP_PART 8
#define HTTP_CONNECTIONS 64
/* More would only be a number. */
#define FILES_MAX ((rlim_t)1024 * 1024)

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool open_files_share(struct traffic_options *options, size_t files)
{
    size_t wanted = options->max_clients, kept;
    kept = smaller(OTHER_FILES + options->workers * FILES_OF_WORKER, files / KEPT_PART);
    options->client_files = (int)(files - kept);
    options->lease_files = (int)(files - kept / LEASES_PART);
    options->http_connections = (unsigned)smaller(HTTP_CONNECTIONS, kept / HTTP_PART);
    options->max_clients = smaller(wanted, files - kept);
    return options->max_clients == wanted;
}

void open_files_share_out(struct traffic_options *options)
{
    size_t wanted = options->max_clients;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t had = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
    if (limit.rlim_cur <= had || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = had < FILES_MAX ? had : FILES_MAX;
    if (!open_files_share(options, limit.rlim_cur))
        log_event(
            LOG_WARN,
            "too few open files for max_clients, which is lower now: raise the limit (ulimit -n)",
            "open_files=%" PRIu64 " wanted=%zu max_clients=%zu", (uint64_t)limit.rlim_cur, wanted,
            options->max_clients);
}
