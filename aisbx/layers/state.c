// What is at a path.
#include "aisbx/layers/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int beneath(int root, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
}

int state_open(int root, const char *path, int flags)
{
    return beneath(root, path, (uint64_t)flags);
}

int state_parent(int root, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX];
    *name = slash ? slash + 1 : path;
    return snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - path) : 0, path) >= (int)sizeof above
               ? (errno = ENAMETOOLONG, -1)
               : beneath(root, above, O_PATH | O_DIRECTORY);
}

static bool digest_of_file(int fd, char digest[DIGEST_SIZE])
{
    static char data[65536];
    SHA2_CTX sha;
    SHA256Init(&sha);
    for (ssize_t n; (n = read(fd, data, sizeof data)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        SHA256Update(&sha, (const uint8_t *)data, (size_t)n);
    }
    SHA256End(&sha, digest);
    return true;
}

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void take(struct state *state, const struct stat *status)
{
    *state = (struct state){.kind = S_ISREG(status->st_mode)   ? KIND_FILE
                                    : S_ISDIR(status->st_mode) ? KIND_FOLDER
                                    : S_ISLNK(status->st_mode) ? KIND_LINK
                                                               : KIND_OTHER,
                            .mode = S_ISLNK(status->st_mode) ? 0 : status->st_mode & 0777,
                            .size = S_ISREG(status->st_mode) ? status->st_size : 0,
                            .mtime = nanoseconds(status->st_mtim),
                            .ctime = nanoseconds(status->st_ctim),
                            .inode = status->st_ino};
}

// An O_PATH descriptor on what is there, a link itself. -1: nothing is; -2 and errno.
static int look(int root, const char *path, struct stat *status)
{
    int fd = beneath(root, path, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? -1 : -2;
    if (fstat(fd, status) != 0) {
        int error = errno;
        close(fd);
        return errno = error, -2;
    }
    return fd;
}

bool state_of_host(int root, const char *path, struct state *state)
{
    struct stat status, then;
    *state = (struct state){0};
    int fd = look(root, path, &status);
    if (fd < 0)
        return fd == -1;
    take(state, &status);
    bool fine = true;
    if (state->kind == KIND_LINK) {
        char text[PATH_MAX];
        ssize_t n = readlinkat(fd, "", text, sizeof text);
        fine = n >= 0;
        if (fine)
            SHA256Data((const uint8_t *)text, (size_t)n, state->digest);
    } else if (state->kind == KIND_FILE) {
        int file = beneath(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        fine = file >= 0 && fstat(file, &then) == 0;
        if (fine && (then.st_ino != status.st_ino || then.st_dev != status.st_dev))
            fine = false, errno = ESTALE;
        fine = fine && digest_of_file(file, state->digest);
        int error = errno;
        if (fine && (fstat(file, &then) != 0 || nanoseconds(then.st_ctim) != state->ctime))
            fine = false, error = ESTALE; // it changed under our eyes
        if (file >= 0)
            close(file);
        errno = error;
    }
    int error = errno;
    close(fd);
    errno = error;
    return fine;
}

bool state_equal(const struct state *a, const struct state *b)
{
    return a->kind == b->kind && a->kind != KIND_OTHER && a->mode == b->mode && strcmp(a->digest, b->digest) == 0;
}

const char *kind_name(enum kind kind)
{
    static const char *const names[] = {"nothing", "file", "folder", "link", "something else"};
    return names[kind];
}
