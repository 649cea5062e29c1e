// Folders of sbxrun's cache.
#include "enforcer/host/cache_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

// Where caches are: the first that there is, and those of other environments. False: there is none of that number.
static bool place(int which, char path[PATH_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/';
    if (geteuid() == 0)
        return which == 0 && snprintf(path, PATH_MAX, "/var/cache/sbx") > 0;
    if (own && which-- == 0)
        return snprintf(path, PATH_MAX, "%s/sbx", cache) < PATH_MAX;
    return home && home[0] == '/' && which == 0 && snprintf(path, PATH_MAX, "%s/.cache/sbx", home) < PATH_MAX;
}

static int make_folders(char *path) // each above the last component and the last; -1 and errno
{
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        int made = mkdir(path, 0700);
        int error = errno;
        if (slash)
            *slash = '/';
        if (made != 0 && error != EEXIST)
            return errno = error, -1;
        if (!slash)
            return 0;
    }
}

// A link on the way could be exchanged for another, by a sandbox that may write where it lies: of root's, nobody's can.
static bool passes_link(const char *path)
{
    char above[PATH_MAX];
    struct stat status;
    for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
        const char *end = strchr(slash + 1, '/');
        snprintf(above, sizeof above, "%.*s", end ? (int)(end - path) : (int)strlen(path), path);
        if (lstat(above, &status) == 0 && S_ISLNK(status.st_mode) && (status.st_uid != 0 || geteuid() == 0))
            return true;
    }
    return false;
}

static int refuse(int error, const char *why, const char **problem)
{
    errno = error;
    *problem = why;
    return -1;
}

// Opens what no link leads to but one that can't be exchanged. -1 and errno: ELOOP for one that can.
static int open_there(const char *path, int how)
{
    int fd = sys_openat2(AT_FDCWD, path, (uint64_t)how, RESOLVE_NO_SYMLINKS);
    return fd >= 0 || errno != ELOOP ? fd
           : passes_link(path)       ? (errno = ELOOP, -1)
                                     : open(path, how | O_NOFOLLOW | O_CLOEXEC);
}

static int open_folder(char *path, const char **problem)
{
    enum { HOW = O_RDONLY | O_DIRECTORY };
    struct stat status;
    closing_fd int fd = open_there(path, HOW);
    if (fd < 0 && errno == ENOENT && make_folders(path) == 0)
        fd = open_there(path, HOW);
    if (fd < 0 && errno == ELOOP)
        return refuse(0, "a symbolic link leads there, so nothing is taken from it: set XDG_CACHE_HOME to where it is",
                      problem);
    if (fd < 0)
        return refuse(errno, "it cannot be opened", problem);
    if (fstat(fd, &status) != 0 || status.st_uid != geteuid() || status.st_mode & 022)
        return refuse(0, "it can be written by others, so nothing is taken from it", problem);
    return take_fd(fd);
}

int cache_folder_open(const char *kind, char path[PATH_MAX], const char **problem)
{
    char base[PATH_MAX];
    *path = '\0';
    if (!place(0, base))
        return refuse(0, "there is no folder for it: neither XDG_CACHE_HOME nor HOME is set", problem);
    if (snprintf(path, PATH_MAX, "%s/%s", base, kind) >= PATH_MAX)
        return refuse(ENAMETOOLONG, "it cannot be opened", problem);
    int fd = open_folder(path, problem);
    struct stat above;
    if (fd >= 0 && (stat(base, &above) != 0 || above.st_uid != geteuid() || above.st_mode & 022)) {
        close(fd);
        return refuse(0, "it can be written by others, so nothing is taken from it", problem);
    }
    return fd;
}

int cache_place_open(int which, bool *there)
{
    enum { HOW = O_PATH | O_CLOEXEC };
    char path[PATH_MAX];
    const char *problem;
    *there = true;
    if (!place(which, path))
        return -1;
    int fd = open(path, HOW | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT) {
        closing_fd int made = open_folder(path, &problem);
        fd = open(path, HOW | O_DIRECTORY);
    }
    while (fd < 0 && path[1]) {
        *there = false;
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
        fd = open(path, HOW);
    }
    return fd;
}
