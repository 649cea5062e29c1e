// What a folder says to an overlay that stands on it.
#include "image/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "enforcer/helpers/layer_wire.h"

static const char prefix[] = ".wh.";

enum { PREFIX = sizeof prefix - 1 };

bool mark_is(const char *name)
{
    return strncmp(name, prefix, PREFIX) == 0;
}

// The attribute of a folder: set, or (value NULL) only looked for. 0, or -1 and errno.
static int attribute(int folder, const char *name, const char *key, const char *value)
{
    char none;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), result = -1;
    if (fd < 0)
        return -1;
    if (value)
        result = fsetxattr(fd, key, value, strlen(value), 0);
    else
        result = fgetxattr(fd, key, &none, 0) < 0 ? -1 : 0;
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

const char *mark_make(int folder, const char *name, bool is_top)
{
    const char *gone = name + PREFIX;
    errno = 0;
    if (strcmp(name, ".wh..wh..opq") == 0) {
        if (is_top || attribute(folder, ".", LAYER_IMPLIED, NULL) == 0)
            return errno = 0, "it says nothing of the folder of";
        return attribute(folder, ".", "user.overlay.opaque", "y") == 0 ? NULL : "cannot mark what hides others,";
    }
    if (mark_is(gone) || !*gone || strcmp(gone, ".") == 0 || strcmp(gone, "..") == 0)
        return "this name in it stands for nothing:";
    return mknodat(folder, gone, S_IFCHR, makedev(0, 0)) == 0 ? NULL : "cannot mark what is gone,";
}

int mark_implied(int folder, const char *name, bool in_top)
{
    if (!in_top && attribute(folder, ".", LAYER_IMPLIED, NULL) != 0)
        return errno == ENODATA ? (errno = ENOKEY, -1) : -1;
    return mkdirat(folder, name, 0755) != 0 ? -1 : attribute(folder, name, LAYER_IMPLIED, "");
}
