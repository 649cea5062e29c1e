// Files that a person has named to be written.
#include "compiler/front/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The descriptor that a path is a spelling of; -1: it is none.
static int descriptor_of(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0)
        return path[8] == 'o' ? STDOUT_FILENO : STDERR_FILENO;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t length = strlen(folders[i]), digits = strspn(path + (strlen(path) < length ? 0 : length), "0123456789");
        if (strncmp(path, folders[i], length) == 0 && digits && digits < 9 && !path[length + digits])
            return atoi(path + length);
    }
    return -1;
}

struct beside { // a new file beside a path
    int fd;
    char path[PATH_MAX];
};

// False and errno.
static bool open_beside(struct beside *beside, const char *path)
{
    enum { TRIES = 100 };
    const char *slash = strrchr(path, '/');
    struct stat there;
    beside->fd = -1;
    for (int i = 0; i < TRIES && beside->fd < 0 && (i == 0 || errno == EEXIST); i++) {
        unsigned random;
        if (getentropy(&random, sizeof random) != 0)
            return false;
        if (snprintf(beside->path, PATH_MAX, "%.*s.sbx-%08x", slash ? (int)(slash + 1 - path) : 0, path, random) >=
            PATH_MAX)
            return errno = ENAMETOOLONG, false;
        beside->fd = open(beside->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    }
    if (beside->fd >= 0 && lstat(path, &there) == 0 && S_ISREG(there.st_mode)) {
        struct stat own;
        if (fstat(beside->fd, &own) == 0)
            fchmod(beside->fd, own.st_mode & there.st_mode & 0777); // more would be no worse than a new file
    }
    return beside->fd >= 0;
}

// Gives it the name. False and errno; then it is gone.
static bool take_name(const struct beside *beside, const char *path)
{
    if (rename(beside->path, path) == 0)
        return true;
    int error = errno;
    unlink(beside->path);
    close(beside->fd);
    return errno = error, false;
}

// Whether a new file can't be had at a name for a reason that leaves what is there.
static bool is_fixed(int error)
{
    return error == EACCES || error == EROFS || error == EBUSY;
}

static int open_there(const char *path, bool empty)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || !empty)
        return fd;
    if (fstat(fd, &status) == 0 && status.st_nlink == 1 && ftruncate(fd, 0) == 0)
        return fd;
    close(fd);
    return errno = EACCES, -1;
}

FILE *output_open(const char *path)
{
    struct stat there;
    struct beside beside;
    int fd = descriptor_of(path);
    bool exists = fd < 0 && lstat(path, &there) == 0;
    if (fd >= 0)
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    else if (exists && !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode))
        fd = open_there(path, false);
    else if (open_beside(&beside, path) && take_name(&beside, path))
        fd = beside.fd;
    else if (exists && S_ISREG(there.st_mode) && is_fixed(errno))
        fd = open_there(path, true);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && !file) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return file;
}

int output_write(const char *path, struct str text)
{
    struct beside beside;
    if (!open_beside(&beside, path))
        return errno;
    ssize_t n = 0;
    for (size_t done = 0; done < text.length && n >= 0; done += n > 0 ? (size_t)n : 0)
        n = write(beside.fd, text.text + done, text.length - done);
    if (n < 0) {
        int error = errno;
        unlink(beside.path);
        close(beside.fd);
        return error;
    }
    if (!take_name(&beside, path))
        return errno;
    return close(beside.fd) == 0 ? 0 : errno;
}
