// Files and folders of ours, in memory.
#include "enforcer/view/lay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

void lay_unseen(int folder, const char *name, const struct stat *before)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, before->st_mtim};
    utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW);
    utimensat(folder, "", times, AT_EMPTY_PATH);
}

int lay_file(int folder, const char *name, mode_t mode, const char *data, size_t length)
{
    closing_fd int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    for (size_t done = 0; file >= 0 && done < length;) {
        ssize_t n = write(file, data + done, length - done);
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return file < 0 ? -1 : 0;
}

int lay_made(int folder, const char *name, struct view_place *place)
{
    int made = place->is_folder ? mkdirat(folder, name, LAID_FOLDER)
                                : lay_file(folder, name, 0444, place->text.text, place->text.length);
    if (made == 0)
        place->tree = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return made == 0 && place->tree >= 0 ? 0 : -1;
}

int lay_parents(int root, const char *path, bool unseen, const char **name)
{
    const char *last = strrchr(path, '/');
    char above[4096];
    *name = last ? last + 1 : path;
    if (snprintf(above, sizeof above, "%.*s", last ? (int)(last - path) : 1, last ? path : ".") >= (int)sizeof above)
        return errno = ENAMETOOLONG, -1;
    int there = sys_openat2(root, above, O_PATH | O_DIRECTORY, INSIDE);
    if (there >= 0 || errno != ENOENT)
        return there;
    closing_fd int folder = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char part[256];
        struct stat before;
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        int next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        if (next < 0 && errno == ENOENT && (!unseen || fstat(folder, &before) == 0) &&
            mkdirat(folder, part, LAID_FOLDER) == 0) {
            next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
            if (unseen)
                lay_unseen(folder, part, &before);
        }
        close(folder);
        folder = next;
    }
    return take_fd(folder);
}
