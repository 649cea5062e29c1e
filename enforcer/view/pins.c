// What can't be moved aside.
#include "enforcer/view/pins.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

bool is_mount(int fd)
{
    struct statx status;
    return statx(fd, "", AT_EMPTY_PATH, 0, &status) == 0 && status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int pin(const struct view *view, const char *path, size_t top, uint32_t rule, struct failure *failure)
{
    char above[4096];
    for (const char *slash = strchr(path + top + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(above, sizeof above, "%.*s", (int)(slash - path - 1), path + 1);
        closing_fd int folder = sys_openat2(view->root, above, O_PATH | O_DIRECTORY, INSIDE);
        if (folder >= 0 && is_mount(folder))
            continue;
        closing_fd int tree =
            folder < 0 ? -1
                       : sys_open_tree(folder, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0 || sys_move_mount(tree, folder) != 0)
            return fail(failure, rule, errno, "cannot pin /%s, which %s lies in", above, path);
    }
    return 0;
}

// Where a link of the view leads, by its words: absolute, without "." and "..". It may go back from the folders that it
// lies in, which can't be exchanged, but from nothing that its words name. False: it does, or is too long.
static bool link_goal(int link, const char *path, char goal[PATH_MAX])
{
    char words[PATH_MAX], *rest = words;
    ssize_t n = readlinkat(link, "", words, sizeof words);
    if (n <= 0 || n == sizeof words)
        return false;
    words[n] = '\0';
    bool named = false;
    size_t length = words[0] == '/' ? 0 : (size_t)(strrchr(path, '/') - path);
    memcpy(goal, path, length);
    for (char *part; (part = strsep(&rest, "/"));) {
        size_t part_length = strlen(part);
        if (strcmp(part, "..") == 0) {
            if (named)
                return false;
            while (length && goal[--length] != '/')
                ;
        } else if (part_length && strcmp(part, ".") != 0) {
            if (length + part_length + 2 > PATH_MAX)
                return false;
            goal[length] = '/';
            memcpy(goal + length + 1, part, part_length);
            length += part_length + 1;
            named = true;
        }
    }
    goal[length] = '\0';
    return length > 0;
}

int pin_obstacle(const struct view *view, size_t i, struct failure *failure)
{
    const struct view_place *place = &view->places[i];
    uint32_t rule = view->plan->view[i].rule;
    char above[4096], goal[PATH_MAX];
    for (const char *slash = strchr(place->path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct stat status;
        snprintf(above, sizeof above, "%.*s", (int)(slash - place->path), place->path);
        closing_fd int there = sys_openat2(view->root, above + 1, O_PATH | O_NOFOLLOW, INSIDE);
        if (there < 0 || fstat(there, &status) != 0)
            return 0;
        if (S_ISDIR(status.st_mode))
            continue;
        unsigned opened = view_is_mask(view, i) ? VERB_READ | VERB_WRITE : VERB_WRITE;
        closing_fd int end = -1; // ELOOP: on its way there are other links
        if (S_ISLNK(status.st_mode) &&
            (!link_goal(there, above, goal) || plan_verbs(view->plan, str_from(goal)) & opened ||
             ((end = sys_openat2(view->root, goal + 1, O_PATH, INSIDE)) < 0 && errno == ELOOP)))
            return fail_with_advice(failure, rule, 0, "name what it points to",
                                    "%s is a symbolic link to what the sandbox may %s, past the rule on %s", above,
                                    opened == VERB_WRITE ? "write" : "read or write", place->path);
        closing_fd int tree = sys_open_tree(there, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (!is_mount(there) && (tree < 0 || sys_move_mount(tree, there) != 0))
            return fail(failure, rule, errno, "cannot pin %s, which %s would lie beneath", above, place->path);
        int top = place->above;
        return pin(view, above, top >= 0 && view->places[top].path[1] ? strlen(view->places[top].path) : 0, rule,
                   failure)
                   ? -1
                   : 1;
    }
    return 0;
}
