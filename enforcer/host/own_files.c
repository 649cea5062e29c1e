// Which files are the sandbox's own.
#include "enforcer/host/own_files.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

enum { PLACES_MOST = 2048 }; // what a pipe takes

struct place { // memory by its device, which no other has; an overlay's files have others, so it by its mount
    uint64_t device, mount;
};

struct own_files {
    size_t count;
    struct place places[];
};

static bool look(int fd, struct place *place)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0 || !(status.stx_mask & STATX_MNT_ID))
        return false;
    *place = (struct place){(uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor, status.stx_mnt_id};
    return true;
}

static void tell(int pipe, int fd, enum plan_from from)
{
    struct place place;
    if (fd < 0 || !look(fd, &place))
        return;
    if (from == PLAN_OVERLAY)
        place.device = 0;
    else
        place.mount = 0;
    if (write(pipe, &place, sizeof place) < 0)
        return; // it is full: what is not told is not the sandbox's own
}

// What lies at a path that the devices have is theirs where no rule shows something else there.
static bool is_of_devices(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->view_count; i++)
        if (str_is(plan->view[i].path, path) && plan->view[i].from != PLAN_INHERIT)
            return false;
    return true;
}

int own_files_tell(const struct plan *plan, int (*made)(const void *, size_t), const void *context)
{
    int ends[2];
    char path[PATH_MAX];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *place = &plan->view[i];
        if ((place->from != PLAN_TMPFS && place->from != PLAN_OVERLAY && place->from != PLAN_DEV) ||
            snprintf(path, sizeof path, "%.*s/shm", STR_ARGS(place->path)) >= (int)sizeof path)
            continue;
        closing_fd int shared = place->from == PLAN_DEV && made(context, i) >= 0 && is_of_devices(plan, path)
                                    ? sys_openat2(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS)
                                    : -1;
        tell(ends[1], shared, place->from);
        tell(ends[1], made(context, i), place->from);
    }
    close(ends[1]);
    return ends[0];
}

struct own_files *own_files_hear(int pipe)
{
    struct own_files *own = calloc(1, sizeof *own + PLACES_MOST * sizeof *own->places);
    while (own && own->count < PLACES_MOST &&
           read(pipe, &own->places[own->count], sizeof *own->places) == sizeof *own->places)
        own->count++;
    return own;
}

bool own_files_hold(const struct own_files *own, int fd)
{
    struct place place;
    if (!own || !own->count || !look(fd, &place))
        return false;
    for (size_t i = 0; i < own->count; i++)
        if (own->places[i].device ? own->places[i].device == place.device : own->places[i].mount == place.mount)
            return true;
    return false;
}
