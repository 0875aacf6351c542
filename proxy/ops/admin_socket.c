/* admin_socket: the admin socket's file: made, taken over from the dead, and removed. */
#include "base/log.h"
#include "ops/admin.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define GROUPS_MAX 256
#define PATH_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)
#define BESIDE ".next"
#define BESIDE_MAX (PATH_SIZE + sizeof(BESIDE))

static int complain(const char *path, const char *what, const char *why)
{
    char quoted[160];
    log_event(LOG_ERROR, what, "admin=%s error=%s", path, log_quote(quoted, sizeof(quoted), why));
    return -1;
}

static int connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result =
        fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static bool may_be_replaced(const char *path)
{
    struct stat file;
    if (lstat(path, &file) != 0 || S_ISSOCK(file.st_mode))
        return true;
    (void)complain(path, "the admin socket's path is a file: remove it, or choose another",
                   "it is no socket");
    return false;
}

/* The path is taken: by a process that is dead? Then it is free when this returns 0. */
static int take_over(const struct sockaddr_un *address)
{
    const char *path = address->sun_path;
    if (!may_be_replaced(path))
        return -1;
    int status = connect_to(address);
    if (status == 0 || status == -EAGAIN)
        return complain(path,
                        "another process has the admin socket: stop it, or choose another path",
                        "it is listened to");
    if (status != -ECONNREFUSED && status != -ENOENT)
        return complain(path,
                        "the admin socket's path is taken: remove the file, or choose another",
                        strerror(-status));
    if (status == -ECONNREFUSED && unlink(path) != 0 && errno != ENOENT)
        return complain(path, "a dead process's admin socket cannot be removed: remove it",
                        strerror(errno));
    log_event(LOG_INFO, "a dead process's admin socket is replaced", "admin=%s", path);
    return 0;
}

/* Mode 0600 from the first moment: nobody may come in between. */
static int bind_privately(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : -errno;
    umask(before);
    return result;
}

static int open_to_group(struct admin_socket *out, const char *path, const char *name)
{
    const struct group *group = getgrnam(name);
    if (!group)
        return complain(path, "admin_group names no group: create it, or remove the setting", name);
    if (chown(path, (uid_t)-1, group->gr_gid) != 0 || chmod(path, 0660) != 0)
        return complain(path,
                        "the admin socket cannot be given to admin_group: the proxy's user has to "
                        "be a member",
                        strerror(errno));
    out->group = group->gr_gid;
    return 0;
}

/* Binds it, in a dead one's place if need be. Returns the descriptor, or -1 after telling why. */
static int bind_at(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int status = fd < 0 ? -errno : bind_privately(fd, address);
    if (status == -EADDRINUSE) {
        if (take_over(address) != 0) {
            close(fd);
            return -1;
        }
        status = bind_privately(fd, address);
    }
    if (status == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return complain(address->sun_path,
                    "the admin socket cannot be bound: its folder has to be there, and writable",
                    strerror(-status));
}

/* Where one listens that replaces another one's socket later. Nobody else has any business there. */
static void put_beside(char out[BESIDE_MAX], const char *path)
{
    size_t len = strnlen(path, PATH_SIZE - 1);
    memcpy(out, path, len);
    memcpy(out + len, BESIDE, sizeof(BESIDE));
}

static int listen_at(struct admin_socket *out, const struct config_admin *admin, bool replaces)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char beside[BESIDE_MAX];
    struct stat file;
    _Static_assert(sizeof(out->path) == sizeof(address.sun_path), "one of them is too short");
    if (strlen(admin->path) + strlen(BESIDE) >= sizeof(address.sun_path))
        return complain(admin->path, "the admin socket's path is too long: 102 bytes at most", "");
    memcpy(out->path, admin->path, strlen(admin->path) + 1);
    put_beside(beside, admin->path);
    if (replaces && !may_be_replaced(admin->path))
        return -1;
    if (replaces)
        (void)unlink(beside);                           /* of one that died before it took over */
    const char *path = replaces ? beside : admin->path; /* which fits: see above */
    memcpy(address.sun_path, path, strlen(path) + 1);
    out->fd = bind_at(&address);
    if (out->fd < 0)
        return -1;
    if (stat(address.sun_path, &file) == 0) {
        out->device = file.st_dev;
        out->inode = file.st_ino;
    }
    if (admin->group && open_to_group(out, address.sun_path, admin->group) != 0)
        return -1;
    return listen(out->fd, BACKLOG) == 0 ? 0
                                         : complain(admin->path, "cannot listen", strerror(errno));
}

void admin_replace(const struct config *config)
{
    char beside[BESIDE_MAX];
    const char *path = config->admin.path;
    if (!path)
        return;
    put_beside(beside, path);
    if (rename(beside, path) == 0)
        log_event(LOG_INFO, "the admin socket is this process's now", "admin=%s", path);
    else if (errno != ENOENT) /* there was no folder for it, or it cannot be used */
        (void)complain(path, "the admin socket cannot be put in its place", strerror(errno));
}

/* Whether the folder for a path that nobody asked for is there, and writable. */
static bool has_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash - path) >= sizeof(folder))
        return false;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    return access(folder, W_OK | X_OK) == 0;
}

int admin_bind(struct admin_socket *out, const struct config *config, bool replaces)
{
    const struct config_admin *admin = &config->admin;
    *out = (struct admin_socket){.fd = -1, .group = (gid_t)-1};
    if (!admin->path)
        return 0;
    if (!admin->given && !has_folder(admin->path)) {
        log_event(LOG_INFO, "there is no admin socket: its folder is not there, or not writable",
                  "admin=%s mend=\"make the folder, or set admin to another path\"", admin->path);
        return 0;
    }
    if (listen_at(out, admin, replaces) == 0)
        return 0;
    admin_unbind(out);
    return admin->given ? -1 : 0;
}

/* Unless another process has put its own there. */
static void remove_ours(const struct admin_socket *out, const char *path)
{
    struct stat file;
    if (lstat(path, &file) == 0 && file.st_dev == out->device && file.st_ino == out->inode)
        unlink(path);
}

void admin_unbind(struct admin_socket *out)
{
    char beside[BESIDE_MAX];
    if (out->fd < 0)
        return;
    close(out->fd);
    out->fd = -1;
    put_beside(beside, out->path);
    remove_ours(out, out->path);
    remove_ours(out, beside);
}

/* ---- who may ---- */

static bool is_in_group(int fd, const struct ucred *peer, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof(groups);
    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool admin_socket_admits(const struct admin_socket *out, int fd, const struct ucred *peer)
{
    return peer->uid == 0 || peer->uid == geteuid() ||
           (out->group != (gid_t)-1 && is_in_group(fd, peer, out->group));
}
