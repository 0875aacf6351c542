/*
 * ctl: see the header. The verb table says what there is; the answer says how it is shown (ctl_table.h).
 *
 *     exit status   0 done    1 refused, or it failed: the answer says why    2 no proxy can be reached
 */
#include "ops/ctl.h"

#include "base/buf.h"
#include "ops/admin_call.h"
#include "ops/ctl_path.h"
#include "ops/ctl_table.h"
#include "ops/verb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_PATH "/run/redisproxy/admin.sock"
#define ANSWER_MS 15000
#define SLOW_ANSWER_MS (15 * 60000)
#define ANSWER_MAX ((size_t)1 << 30)

struct ctl {
    const char *path; /* of the socket */
    struct config
        *config; /* where the path came from; NULL: from nowhere, or from a file with errors: */
    char *errors, *path_among_errors;
    bool json, help;
    const struct verb *verb;
    const char *verb_name;
    int argc;
    char **argv; /* behind the verb */
};

static void print_usage(FILE *out)
{
    size_t count;
    const struct verb *table = verb_table(&count);
    fprintf(out,
            "usage: redisproxy ctl [-c proxy.conf | -s SOCKET] [--json] VERB [ARGUMENT...]\n\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %s%s%s\n      %s\n", table[i].name, *table[i].args ? " " : "",
                table[i].args, table[i].help);
    fprintf(out, "\nA TIME is 500ms, 20s, 2m or 1h. \"redisproxy ctl help VERB\" says more.\n"
                 "Without -c and -s the socket is $REDISPROXY_PROXY_ADMIN, or " DEFAULT_PATH ".\n"
                 "Exit status: 0 done; 1 refused, or it failed; 2 no proxy can be reached.\n");
}

static void print_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "redisproxy ctl %s%s%s\n\n%s\n", verb->name, *verb->args ? " " : "", verb->args,
            verb->help);
    if (verb->more)
        fprintf(out, "\n%s\n", verb->more);
}

/* ---- the command line ---- */

static int complain(const char *format, const char *what)
{
    fputs("redisproxy ctl: ", stderr);
    fprintf(stderr, format, what);
    fputc('\n', stderr);
    return CTL_FAILED;
}

/* Where no option says it: as the proxy itself has it, without a file. */
static const char *default_path(void)
{
    const char *path = getenv("REDISPROXY_PROXY_ADMIN");
    return path && *path ? strcmp(path, "off") == 0 ? "" : path : DEFAULT_PATH;
}

/* The path of the socket that this configuration names; also of one with errors, for the proxy that runs has the one
 * before. Returns 0, or the exit status. */
static int path_from(struct ctl *ctl, const char *file)
{
    size_t len;
    FILE *said = open_memstream(&ctl->errors, &len);
    if (!said)
        abort();
    ctl->config = config_load(file, said);
    fclose(said);
    if (ctl->config) {
        ctl->path = ctl->config->admin.path ? ctl->config->admin.path : "";
        return 0;
    }
    ctl->path = ctl->path_among_errors = ctl_path_of(file, default_path());
    if (ctl->path)
        return 0;
    fputs(ctl->errors, stderr);
    return CTL_UNREACHABLE;
}

/* Takes --json, wherever it stands, out of what follows the verb. */
static void take_json(struct ctl *ctl)
{
    int kept = 0;
    for (int i = 0; i < ctl->argc; i++) {
        if (strcmp(ctl->argv[i], "--json") == 0)
            ctl->json = true;
        else
            ctl->argv[kept++] = ctl->argv[i];
    }
    ctl->argc = kept;
}

static int read_command_line(struct ctl *ctl, int argc, char **argv)
{
    int i, status = 0;
    for (i = 1; i < argc && argv[i][0] == '-' && !status; i++) {
        if (strcmp(argv[i], "--json") == 0)
            ctl->json = true;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            ctl->help = true;
        else if (i + 1 == argc)
            return complain("%s: unknown, or without its value: see redisproxy ctl help", argv[i]);
        else if (strcmp(argv[i], "-s") == 0)
            ctl->path = argv[++i];
        else if (strcmp(argv[i], "-c") == 0)
            status = path_from(ctl, argv[++i]);
        else
            return complain("there is no option %s: see redisproxy ctl help", argv[i]);
    }
    if (status)
        return status;
    ctl->verb_name = i < argc ? argv[i] : NULL;
    ctl->argc = i < argc ? argc - i - 1 : 0;
    ctl->argv = argv + i + 1;
    take_json(ctl);
    return 0;
}

/* ---- asking ---- */

/* Returns the socket, or -1 after saying how to mend it. */
static int reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!*path) {
        complain("%s", "the configuration says admin = off: there is no socket to ask");
        close(fd);
        return -1;
    }
    if (strlen(path) >= sizeof(address.sun_path)) {
        complain("%s: the path is too long for a socket", path);
        close(fd);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    fprintf(stderr, "redisproxy ctl: cannot reach a proxy at %s (%s): %s\n", path, strerror(errno),
            errno == EACCES ? "be the proxy's user, root, or a member of admin_group"
            : errno == ENOENT
                ? "is it running, with this admin in its configuration? Say which one "
                  "with -c proxy.conf or -s SOCKET"
                : "is it running?");
    if (fd >= 0)
        close(fd);
    return -1;
}

static char *request_of(const struct ctl *ctl)
{
    cJSON *root = cJSON_CreateObject(), *args = cJSON_CreateArray();
    cJSON_AddNumberToObject(root, "version", ADMIN_VERSION);
    cJSON_AddStringToObject(root, "verb", ctl->verb_name);
    for (int i = 0; i < ctl->argc; i++)
        cJSON_AddItemToArray(args, cJSON_CreateString(ctl->argv[i]));
    cJSON_AddItemToObject(root, "args", args);
    char *text = cJSON_PrintUnformatted(root);
    if (!text)
        abort();
    cJSON_Delete(root);
    return text;
}

static void send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* what it has to say about that is read */
        text += sent;
        len -= (size_t)sent;
    }
}

/* Reads up to the end. Returns NULL or why it did not come. */
static const char *read_answer(int fd, struct buf *answer, int limit_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (buf_len(answer) < ANSWER_MAX) {
        int ready = poll(&poll_fd, 1, limit_ms);
        if (ready == 0)
            return "it does not answer: is it stopped, or overloaded?";
        ssize_t got = ready > 0 ? recv(fd, buf_reserve(answer, 65536), 65536, 0) : -1;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return buf_len(answer) > 0 ? NULL : "it closed the connection without an answer";
        buf_grew(answer, (size_t)got);
    }
    return "its answer is too large";
}

/* ---- showing ---- */

static int show(const struct ctl *ctl, const struct buf *answer)
{
    cJSON *root = cJSON_ParseWithLength(buf_head(answer), buf_len(answer));
    const cJSON *ok = cJSON_GetObjectItemCaseSensitive(root, "ok");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(root, "result");
    int status = cJSON_IsTrue(ok) ? CTL_OK : CTL_FAILED;
    if (!cJSON_IsBool(ok))
        status = complain("%s", "this is no answer of a proxy: is it another program's socket?");
    else if (ctl->json)
        fwrite(buf_head(answer), 1, buf_len(answer), stdout);
    else if (cJSON_IsObject(result))
        ctl_print(stdout, result);
    fflush(stdout);
    if (cJSON_IsString(error) && !ctl->json)
        complain("%s", error->valuestring);
    cJSON_Delete(root);
    return status;
}

static int ask(const struct ctl *ctl)
{
    struct buf answer = {0};
    int fd = reach(ctl->path ? ctl->path : default_path()), status = CTL_UNREACHABLE;
    if (fd < 0)
        return CTL_UNREACHABLE;
    char *request = request_of(ctl);
    send_all(fd, request, strlen(request));
    send_all(fd, "\n", 1);
    cJSON_free(request);
    const char *why = read_answer(fd, &answer, ctl->verb->slow ? SLOW_ANSWER_MS : ANSWER_MS);
    if (why)
        complain("%s", why);
    else
        status = show(ctl, &answer);
    buf_free(&answer);
    close(fd);
    return status;
}

static int help(const struct ctl *ctl)
{
    const char *name = ctl->argc > 0 ? ctl->argv[0] : ctl->verb ? ctl->verb_name : NULL;
    const struct verb *verb = name ? verb_find(name) : NULL;
    if (name && !verb)
        return complain("there is no verb %s: \"redisproxy ctl help\" lists them", name);
    if (verb)
        print_verb(stdout, verb);
    else
        print_usage(stdout);
    return CTL_OK;
}

static int run_here(const struct ctl *ctl)
{
    if (!ctl->config && ctl->errors) {
        fputs(ctl->errors, stderr);
        return CTL_FAILED;
    }
    if (!ctl->config)
        return complain("%s goes by the configuration: say which, with -c proxy.conf",
                        ctl->verb_name);
    return ctl->verb->local(ctl->config, ctl->json);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    int status = read_command_line(ctl, argc, argv);
    if (status)
        return status;
    ctl->verb = ctl->verb_name ? verb_find(ctl->verb_name) : NULL;
    if (ctl->help || (ctl->verb_name && strcmp(ctl->verb_name, "help") == 0))
        return help(ctl);
    if (!ctl->verb_name) {
        print_usage(stderr);
        return CTL_FAILED;
    }
    if (!ctl->verb)
        return complain("there is no verb %s: \"redisproxy ctl help\" lists them", ctl->verb_name);
    if (ctl->verb->local)
        return run_here(ctl);
    if (ctl->path_among_errors)
        complain("%s",
                 "the file has errors (redisproxy -t -c FILE shows them); the proxy that runs "
                 "goes on with what it read before, and is asked");
    return ask(ctl);
}

int ctl_main(int argc, char **argv)
{
    struct ctl ctl = {0};
    int status = run(&ctl, argc, argv);
    config_free(ctl.config);
    free(ctl.errors);
    free(ctl.path_among_errors);
    return status;
}
