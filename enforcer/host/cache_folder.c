// Folders of sbxrun's cache.
#include "enforcer/host/cache_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int refuse(int error, const char *why, const char **problem)
{
    errno = error;
    *problem = why;
    return -1;
}

int cache_folder_open(const char *kind, char path[PATH_MAX], const char **problem)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    *path = '\0';
    if (geteuid() == 0)
        snprintf(path, PATH_MAX, "/var/cache/sbx/%s", kind);
    else if (cache && cache[0] == '/')
        snprintf(path, PATH_MAX, "%s/sbx/%s", cache, kind);
    else if (home && home[0] == '/')
        snprintf(path, PATH_MAX, "%s/.cache/sbx/%s", home, kind);
    else
        return refuse(0, "there is no folder for it: neither XDG_CACHE_HOME nor HOME is set", problem);
    struct stat status;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && make_folders(path) == 0)
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return refuse(errno, "it cannot be opened", problem);
    if (fstat(fd, &status) == 0 && status.st_uid == geteuid() && !(status.st_mode & 022))
        return fd;
    close(fd);
    return refuse(0, "it can be written by others, so nothing is taken from it", problem);
}
