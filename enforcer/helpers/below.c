// Layers that overlays begin with.
#include "enforcer/helpers/below.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "compiler/sets/path_set.h"
#include "enforcer/helpers/layer_wire.h"
#include "enforcer/helpers/unpacked.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

struct look { // through a layer
    struct view *view;
    size_t layer;
    const char *shown; // what the layer is called
    struct failure *failure;
    char path[PATH_MAX]; // in the view; "" for the root
};

static int refuse(const struct look *look, const char *format)
{
    return fail(look->failure, NO_RULE, 0, format, look->shown, look->path[0] ? look->path : "/");
}

static int refuse_unread(const struct look *look)
{
    return fail(look->failure, NO_RULE, errno, "cannot look at %s in the layer %s",
                look->path[0] ? look->path : "/", look->shown);
}

// Opens what the layer has at an absolute path. -1 and errno.
static int open_in(const struct look *look, const char *path, uint64_t flags)
{
    return sys_openat2(look->view->layers[look->layer].folder, path[1] ? path + 1 : ".", flags, INSIDE);
}

// True if the layer says nothing of the folder itself. An errno: EACCES where it can't be read.
static int is_implied(int folder, const char *name, bool *implied)
{
    char none;
    closing_fd int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    // Whoever made it and said nothing of it can read it.
    *implied = fd >= 0 && fgetxattr(fd, LAYER_IMPLIED, &none, 0) >= 0;
    return fd >= 0 || errno == EACCES ? 0 : errno;
}

// Calls `visit` with each name of a folder, which is at look->path, while that is the path of the name.
static int each_in(struct look *look, int folder, int (*visit)(struct look *, int folder, const char *name))
{
    size_t length = strlen(look->path);
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *list = again < 0 ? NULL : fdopendir(again);
    if (!list) {
        refuse_unread(look);
        close_scoped(&again);
        return -1;
    }
    for (struct dirent *entry; !result && (errno = 0, entry = readdir(list));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(look->path + length, sizeof look->path - length, "/%s", entry->d_name) >=
            (int)(sizeof look->path - length))
            result = fail(look->failure, NO_RULE, ENAMETOOLONG, "cannot look through the layer %s", look->shown);
        else
            result = visit(look, folder, entry->d_name);
        look->path[length] = '\0';
    }
    if (!result && errno)
        result = refuse_unread(look);
    closedir(list);
    return result;
}

// ---- where it has something ---------------------------------------------------------------------------------------

enum leads { NOWHERE, TO_OVERLAYS, IS_OVERLAY };

static enum leads leads(const struct look *look)
{
    struct str path = str_from(look->path);
    enum leads found = NOWHERE;
    for (size_t i = 0; i < look->view->plan->view_count && found != IS_OVERLAY; i++) {
        struct str place = look->view->plan->view[i].path;
        if (view_is_overlay(look->view, i) && path_covers(path, place))
            found = str_equal(path, place) ? IS_OVERLAY : TO_OVERLAYS;
    }
    return found;
}

// A name in a folder that is no overlay's.
static int look_outside(struct look *look, int folder, const char *name)
{
    enum leads to = leads(look);
    closing_fd int fd = to == NOWHERE ? -1 : openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return to == NOWHERE || errno == ENOTDIR || errno == ELOOP
                   ? refuse(look, "the layer %s has %s, which lies in no overlay of the policy")
                   : refuse_unread(look);
    return to == IS_OVERLAY ? 0 : each_in(look, fd, look_outside);
}

// Where it has something beside the overlays, or in one where something else is shown.
static int refuse_others(struct look *look)
{
    const struct view *view = look->view;
    look->path[0] = '\0';
    if (!(view->plan->view_count && view->places[0].path[1] == '\0' && view_is_overlay(view, 0)) &&
        each_in(look, view->layers[look->layer].folder, look_outside))
        return -1;
    for (size_t i = 0; i < view->plan->view_count; i++) {
        const struct view_place *place = &view->places[i];
        enum plan_from from = view->plan->view[i].from;
        if (place->above < 0 || from == PLAN_INHERIT || from == PLAN_SANDBOX || view_is_overlay(view, i))
            continue;
        closing_fd int there = open_in(look, place->path, O_PATH | O_NOFOLLOW);
        struct stat status;
        if (there < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
            continue;
        snprintf(look->path, sizeof look->path, "%s", place->path);
        if (there < 0 || fstat(there, &status) != 0)
            return refuse_unread(look);
        if (!S_ISDIR(status.st_mode))
            return refuse(look, "the layer %s has %s, which lies in no overlay of the policy");
        if (each_in(look, there, look_outside))
            return -1;
    }
    return 0;
}

// ---- what it has for an overlay -----------------------------------------------------------------------------------

static int look_implied(struct look *look, int folder, const char *name)
{
    struct stat status;
    bool implied = false;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return refuse_unread(look);
    if (S_ISDIR(status.st_mode) && (errno = is_implied(folder, name, &implied)))
        return refuse_unread(look);
    return implied ? refuse(look, "the layer %s says nothing of the folder %s, in which it has something") : 0;
}

// Of two that are the same the upper hides all that the lower has; an overlay stands on no folder twice.
static bool comes_again(const struct view *view, size_t layer)
{
    for (size_t k = layer + 1; k < view->layer_count; k++)
        if (strcmp(view->layers[k].hash, view->layers[layer].hash) == 0)
            return true;
    return false;
}

static int look_at_overlay(struct look *look, size_t i)
{
    struct view *view = look->view;
    struct view_place *place = &view->places[i];
    const struct unpacked *layer = &view->layers[look->layer];
    closing_fd int there = open_in(look, place->path, O_PATH | O_NOFOLLOW);
    struct stat status;
    bool implied = place->path[1] == '\0';
    snprintf(look->path, sizeof look->path, "%s", implied ? "" : place->path);
    if (there < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return 0;
    if (there < 0 || fstat(there, &status) != 0)
        return refuse_unread(look);
    if (!S_ISDIR(status.st_mode))
        return refuse(look, "the layer %s has no folder at %s, where the policy has an overlay");
    if (!implied && (errno = is_implied(there, ".", &implied)))
        return refuse_unread(look);
    if (implied && each_in(look, there, look_implied))
        return -1;
    if (!implied) {
        place->has_top = true;
        place->top_mode = status.st_mode;
        place->top_time = status.st_mtim;
    }
    place->layers[look->layer].host = str_format(view->plan->arena, "%s%s", layer->host, place->path).text;
    return 0;
}

int below_prepare(struct view *view, const char *const *paths, size_t count, const struct view_bases *bases,
                  struct failure *failure)
{
    struct arena *arena = view->plan->arena;
    view->layers = NEW_ARRAY(arena, struct unpacked, count);
    for (size_t i = 0; i < view->plan->view_count && count; i++) {
        if (!view_is_overlay(view, i))
            continue;
        view->places[i].layers = NEW_ARRAY(arena, struct lying, count);
        for (size_t k = 0; k < count; k++)
            view->places[i].layers[k] = (struct lying){NULL, -1};
    }
    for (size_t k = 0; k < count; k++) {
        const char *path =
            view_host_path(arena, paths[k][0] == '/' ? PLAN_ABSOLUTE : PLAN_CWD, str_from(paths[k]), bases);
        if (!path)
            return fail(failure, NO_RULE, 0, "cannot tell where the layer %s is: the current folder is gone", paths[k]);
        int found = unpacked_find(view, UNPACKED_LAYER, path, NO_RULE, &view->layers[k], failure);
        view->layer_count += found == 0;
        if (found)
            return found < 0 ? -1 : fail(failure, NO_RULE, ENOENT, "cannot open the layer %s", path);
    }
    for (size_t k = 0; k < count; k++) {
        struct look look = {.view = view, .layer = k, .shown = paths[k], .failure = failure};
        if (comes_again(view, k))
            continue;
        if (refuse_others(&look))
            return -1;
        for (size_t i = 0; i < view->plan->view_count; i++)
            if (view_is_overlay(view, i) && look_at_overlay(&look, i))
                return -1;
    }
    return 0;
}

void below_release(const struct view *view)
{
    for (size_t k = 0; k < view->layer_count; k++)
        unpacked_release(&view->layers[k]);
}
