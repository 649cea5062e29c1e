// Opening what a view takes from the host.
#include "enforcer/view/view_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/mount.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

// ---- where the sandbox writes --------------------------------------------------------------------------------------

struct ground { // a folder or file of the host, by what it is and not by how it is spelled
    dev_t device;
    ino_t inode;
};

struct grounds { // all that the sandbox may write
    size_t count;
    bool known, all; // looked up; one of them can't be looked at
    struct ground list[];
};

struct grounds *grounds_new(struct arena *arena, size_t most)
{
    struct grounds *grounds = arena_alloc(arena, sizeof *grounds + most * sizeof *grounds->list);
    *grounds = (struct grounds){0};
    return grounds;
}

// Where a place of the view is on the host; false when it is not from there.
static bool host_of(const struct view *view, size_t i, char path[PATH_MAX])
{
    const struct view_place *place = &view->places[i],
                            *content = place->content < 0 ? NULL : &view->places[place->content];
    if (!content || !content->host)
        return false;
    snprintf(path, PATH_MAX, "%s%s", content->host, place->path + (content->path[1] ? strlen(content->path) : 0));
    return true;
}

// Each is opened as the plan spells it, through whatever links lead there now: a place that the sandbox's own links
// lead to is refused when the view is opened.
static const struct grounds *find_grounds(const struct view *view)
{
    struct grounds *grounds = view->grounds;
    char path[PATH_MAX];
    struct stat status;
    for (size_t i = 0; !grounds->known && i < view->plan->view_count; i++) {
        if (!(view->plan->view[i].verbs & VERB_WRITE) || !host_of(view, i, path))
            continue;
        if (stat(path, &status) == 0)
            grounds->list[grounds->count++] = (struct ground){status.st_dev, status.st_ino};
        else if (errno != ENOENT && errno != ENOTDIR)
            grounds->all = true;
    }
    grounds->known = true;
    return grounds;
}

// Whether the sandbox may write in a folder, whose path has no link: it, or one above it, is what a place shows. Also
// where that can't be told.
static bool sandbox_writes(const struct view *view, const char *path)
{
    const struct grounds *grounds = find_grounds(view);
    if (!grounds->count || grounds->all)
        return grounds->all;
    closing_fd int folder = sys_openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    struct ground below = {0};
    for (struct stat status; folder >= 0 && fstat(folder, &status) == 0;) {
        if (status.st_dev == below.device && status.st_ino == below.inode)
            return false; // the root is its own folder
        below = (struct ground){status.st_dev, status.st_ino};
        for (size_t i = 0; i < grounds->count; i++)
            if (grounds->list[i].device == below.device && grounds->list[i].inode == below.inode)
                return true;
        int above = openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(folder);
        folder = above;
    }
    return true;
}

// ---- opening ------------------------------------------------------------------------------------------------------

// Follows the links of `path` one by one into `resolved`, which has none. False and errno.
static bool resolve(const struct view *view, const char *path, char resolved[PATH_MAX])
{
    char rest[PATH_MAX], link[PATH_MAX], joined[PATH_MAX];
    size_t length = 0;
    int links = 0;
    if (snprintf(rest, sizeof rest, "%s", path) >= (int)sizeof rest)
        return errno = ENAMETOOLONG, false;
    for (char *at = rest; *at;) {
        at += strspn(at, "/");
        size_t span = strcspn(at, "/");
        if (span == 0)
            break;
        if (span == 1 && at[0] == '.') {
            at++;
            continue;
        }
        if (span == 2 && at[0] == '.' && at[1] == '.') {
            while (length && resolved[--length] != '/')
                ;
            at += 2;
            continue;
        }
        if (length + 1 + span >= PATH_MAX)
            return errno = ENAMETOOLONG, false;
        resolved[length] = '/';
        memcpy(resolved + length + 1, at, span);
        resolved[length + 1 + span] = '\0';
        ssize_t n = readlink(resolved, link, sizeof link - 1);
        if (n < 0) { // not a link, or not there, as the opening will say
            length += 1 + span;
            at += span;
            continue;
        }
        link[n] = '\0';
        resolved[length] = '\0';
        if (sandbox_writes(view, length ? resolved : "/") || ++links > 40)
            return errno = ELOOP, false;
        if (snprintf(joined, sizeof joined, "%s%s", link, at + span) >= (int)sizeof joined)
            return errno = ENAMETOOLONG, false;
        if (link[0] == '/')
            length = 0;
        strcpy(rest, joined);
        at = rest;
    }
    resolved[length] = '\0';
    if (length == 0)
        strcpy(resolved, "/");
    return true;
}

// No part is empty, "." or "..".
static bool is_plain(const char *path)
{
    while (*path == '/') {
        size_t span = strcspn(++path, "/");
        if (span == 0 || (span <= 2 && strncmp(path, "..", span) == 0))
            return false;
        path += span;
    }
    return !*path;
}

int host_open(const struct view *view, const char *path, bool *straight)
{
    enum { STRICT = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    int fd = sys_openat2(AT_FDCWD, path, O_PATH, STRICT);
    char resolved[PATH_MAX];
    if (straight)
        *straight = fd >= 0 && is_plain(path);
    if (fd >= 0 || errno != ELOOP || !resolve(view, path, resolved))
        return fd;
    return sys_openat2(AT_FDCWD, resolved, O_PATH, STRICT);
}

bool host_could_be_made(const struct view *view, const char *path)
{
    char folder[PATH_MAX], resolved[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return true;
    for (char *slash; (slash = strrchr(folder, '/'));) {
        *slash = '\0';
        if (!resolve(view, folder, resolved))
            return true;
        closing_fd int there = sys_openat2(AT_FDCWD, resolved, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
        if (there >= 0 || (errno != ENOENT && errno != ENOTDIR))
            return sandbox_writes(view, resolved);
    }
    return true;
}

int host_refused(uint32_t rule, int error, const char *path, const char *advice, struct failure *failure)
{
    return error == ELOOP ? fail_with_advice(failure, rule, 0, "name what it points to",
                                             "%s is, or passes, a symbolic link that the sandbox could have made", path)
                          : fail_with_advice(failure, rule, error, advice, "cannot open %s on the host", path);
}

int tree_clone(int source, uint64_t attributes, int identities, bool *mapped)
{
    closing_fd int tree = sys_open_tree(source, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return -1;
    struct mount_attr set = {.attr_set = attributes,
                             .propagation = MS_PRIVATE}; // what the host mounts later does not appear here
    *mapped = false;
    if (identities >= 0) {
        set.attr_set |= MOUNT_ATTR_IDMAP;
        set.userns_fd = (uint64_t)identities;
        if (sys_mount_setattr(tree, AT_RECURSIVE, &set) == 0) {
            *mapped = true;
            return take_fd(tree);
        }
        set.attr_set = attributes;
        set.userns_fd = 0;
    }
    return sys_mount_setattr(tree, AT_RECURSIVE, &set) != 0 ? -1 : take_fd(tree);
}

// A file of the host that nobody could execute, whatever rules say.
static bool is_no_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && !(status.st_mode & 0111);
}

bool link_instead(const struct view *view, size_t place)
{
    const struct plan_view *p = &view->plan->view[place];
    const struct view_place *at = &view->places[place];
    if (!at->link)
        return false;
    char text[LINK_MOST], target[PATH_MAX];
    ssize_t n = readlink(at->path, text, sizeof text);
    if (n <= 0 || n == sizeof text || memmem(text, (size_t)n, "..", 2) || memmem(text, (size_t)n, "//", 2) ||
        memmem(text, (size_t)n, "./", 2))
        return false;
    text[n] = '\0';
    const char *slash = strrchr(at->path, '/');
    int length = text[0] == '/' ? snprintf(target, sizeof target, "%s", text)
                                : snprintf(target, sizeof target, "%.*s/%s", (int)(slash - at->path), at->path, text);
    if (length < 2 || length >= (int)sizeof target || target[length - 1] == '/')
        return false;
    struct str goal = {target, (size_t)length};
    for (size_t i = view->plan->view_count; i-- > 0;) {
        const struct plan_view *other = &view->plan->view[i];
        if (!path_covers(other->path, goal))
            continue;
        bool same = other->from == PLAN_HOST && other->base == PLAN_ABSOLUTE && str_equal(other->host, other->path) &&
                    (other->verbs == p->verbs || (other->verbs == (p->verbs | VERB_EXEC) && is_no_program(target))) &&
                    i != place;
        if (same)
            memcpy(at->link, text, (size_t)n + 1);
        return same;
    }
    return false;
}
