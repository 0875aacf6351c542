/*
 * fuzz_inline: what the proxy takes for requests, Redis takes for the same. The bytes are played to a real
 * redis-server as they are; what the proxy's parser makes of them, each request as multibulk, is played to
 * it on a second connection. Both have to get the same answers, and where the parser finds an error, the
 * first has to get that error, and the end, too.
 *
 * The server's only user may do nothing. So nothing changes, and an unknown command is answered with its
 * name and its arguments: they are what is compared. A request that Redis never executes (a line with a
 * NUL byte) shows by its missing answer, as both connections are half closed behind the bytes.
 *
 * Build and run: make fuzz-inline [FUZZ_SECONDS=60]; needs redis-server.
 */
#include "check.h"

#include "redis/resp.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char socket_path[64];

/* ---- the server ---- */

static void remove_socket(void)
{
    unlink(socket_path);
}

static void start_server(void)
{
    char conf[256];
    int pipes[2], len;
    pid_t fuzzer = getpid();
    snprintf(socket_path, sizeof(socket_path), "/tmp/fuzz-inline-%d.sock", (int)fuzzer);
    len = snprintf(conf, sizeof(conf),
                   "port 0\nunixsocket %s\nsave \"\"\nappendonly no\nlogfile /dev/null\n"
                   "user default on nopass -@all\n",
                   socket_path);
    CHECK(pipe(pipes) == 0);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != fuzzer)
            _exit(1);
        dup2(pipes[0], 0);
        close(pipes[0]);
        close(pipes[1]);
        execlp("redis-server", "redis-server", "-", (char *)NULL);
        _exit(1);
    }
    close(pipes[0]);
    CHECK(write(pipes[1], conf, (size_t)len) == len);
    close(pipes[1]);
    atexit(remove_socket);
}

static int open_connection(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, socket_path, sizeof(socket_path));
    for (int tries = 0; connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0; tries++) {
        CHECK(tries < 500); /* no redis-server? */
        usleep(20000);
    }
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    start_server();
    close(open_connection());
    return 0;
}

/* ---- playing ---- */

/* HELLO tells the connection's id, which differs. */
static void mask_ids(struct buf *answers)
{
    static const char key[] = "$2\r\nid\r\n:";
    if (buf_len(answers) == 0)
        return;
    char *at = (char *)buf_head(answers), *end = at + buf_len(answers);
    while ((at = memmem(at, (size_t)(end - at), key, sizeof(key) - 1))) {
        char *digits = at += sizeof(key) - 1;
        while (at < end && *at != '\r')
            at++;
        memset(digits, '0', (size_t)(at - digits));
    }
}

/* All that the server answers to these bytes, until it closes. */
static void play(const char *bytes, size_t len, struct buf *answers)
{
    char chunk[4096];
    ssize_t n;
    int fd = open_connection();
    (void)!write(fd, bytes, len); /* it may have hung up already */
    shutdown(fd, SHUT_WR);
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        buf_append(answers, chunk, (size_t)n);
    close(fd);
    mask_ids(answers);
}

/* Lower than Redis 7's, which goes on reading. */
static const char OWN_LIMIT[] = "too many arguments";

static bool is_own_limit(const char *data, size_t len)
{
    const char *end = memchr(data, '\r', len);
    int64_t count;
    return data[0] == '*' && end &&
           resp_parse_integer((struct slice){data + 1, (size_t)(end - data - 1)}, &count) &&
           count > RESP_ARGS_MAX && count <= INT32_MAX;
}

/* The proxy's parser (session_read.c): the requests go into `out`. Returns the error, or NULL. */
static const char *take_requests(const char *data, size_t len, struct buf *out,
                                 struct resp_request *request)
{
    while (len > 0) {
        memset(request, 0, sizeof(*request));
        enum resp_result result = resp_request_parse(request, data, len);
        if (result == RESP_ERROR && is_own_limit(data, len))
            return OWN_LIMIT;
        if (result == RESP_ERROR)
            return request->error;
        if (result == RESP_MORE)
            return NULL;
        if (request->is_inline) {
            if (resp_inline_to_multibulk(data, request->pos, out) < 0)
                return RESP_UNBALANCED_QUOTES;
        } else if (request->argc > 0) {
            buf_append(out, data, request->pos);
        }
        data += request->pos;
        len -= request->pos;
    }
    return NULL;
}

/* Whether the first ends as the second with this error behind it. A server that hung up before (QUIT,
 * POST) says no error. */
static bool same(const struct buf *raw, const struct buf *taken, const char *error)
{
    char line[128] = "";
    size_t len = buf_len(taken), error_len;
    if (error)
        snprintf(line, sizeof(line), "-ERR %s\r\n", error);
    error_len = strlen(line);
    if (buf_len(raw) < len || (len && memcmp(buf_head(raw), buf_head(taken), len) != 0))
        return false;
    return error == OWN_LIMIT || buf_len(raw) == len ||
           (buf_len(raw) == len + error_len && memcmp(buf_head(raw) + len, line, error_len) == 0);
}

static bool has_word(const uint8_t *data, size_t size, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= size; i++)
        if (strncasecmp((const char *)data + i, word, len) == 0)
            return true;
    return false;
}

/* What Redis never comes to, though it is an error to the parser: it hangs up on a request before it. */
static bool may_be_unseen(const uint8_t *data, size_t size, const char *error)
{
    return error == OWN_LIMIT || has_word(data, size, "quit") || has_word(data, size, "post") ||
           has_word(data, size, "host:");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf requests = {0}, raw = {0}, taken = {0};
    struct resp_request parse;
    const char *error = take_requests((const char *)data, size, &requests, &parse);
    play((const char *)data, size, &raw);
    if (buf_len(&requests) > 0)
        play(buf_head(&requests), buf_len(&requests), &taken);
    bool ok = same(&raw, &taken, error);
    if (ok && error && buf_len(&raw) == buf_len(&taken))
        ok = may_be_unseen(data, size, error);
    if (!ok) {
        fprintf(stderr, "---- Redis:\n%.*s\n---- the parser's requests:\n%.*s\n---- error: %s\n",
                (int)buf_len(&raw), buf_len(&raw) ? buf_head(&raw) : "", (int)buf_len(&taken),
                buf_len(&taken) ? buf_head(&taken) : "", error ? error : "none");
        abort();
    }
    buf_free(&requests);
    buf_free(&raw);
    buf_free(&taken);
    return 0;
}
