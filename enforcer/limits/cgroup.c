// The sandbox's own control groups.
#include "enforcer/limits/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"
#include "enforcer/limits/cgroup_place.h"

enum { PERIOD = 100000 }; // microseconds, of the cpu controller; its default in both versions

// limit, controller, file in v2, file in v1
static const struct control {
    enum limit limit;
    int controller;
    const char *v2, *v1;
} controls[] = {
    {LIMIT_memory, CONTROLLER_MEMORY, "memory.max", "memory.limit_in_bytes"},
    {LIMIT_swap, CONTROLLER_MEMORY, "memory.swap.max",
     "memory.memsw.limit_in_bytes"}, // v1 counts memory and swap together
    {LIMIT_cpu, CONTROLLER_CPU, "cpu.max", "cpu.cfs_quota_us"},
    {LIMIT_cpu_weight, CONTROLLER_CPU, "cpu.weight", "cpu.shares"},
    {LIMIT_io, CONTROLLER_IO, "io.max", NULL}, // what v1 throttles is not what is written through the page cache
    {LIMIT_pids, CONTROLLER_PIDS, "pids.max", "pids.max"},
    {LIMIT_cpu_time, CONTROLLER_ACCOUNT, NULL, NULL}, // counted, and kept by whoever reads that
};

static const struct control *control_of(enum limit limit)
{
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (controls[i].limit == limit)
            return &controls[i];
    return NULL;
}

// ---- what can be kept
// -------------------------------------------------------------------------------------------------

static bool host_has_swap(void)
{
    char text[512];
    return cgroup_file_read(AT_FDCWD, "/proc/swaps", text, sizeof text) > 0 && strchr(text, '\n') &&
           strchr(text, '\n')[1];
}

int cgroup_version(void)
{
    char folder[512];
    bool v2;
    return cgroup_parent_or_scope(CONTROLLER_MEMORY, folder, sizeof folder, &v2) ? v2 ? 2 : 1 : 0;
}

bool cgroup_can(enum limit limit)
{
    const struct control *control = control_of(limit);
    char folder[512], path[600];
    bool v2;
    // Others keep these as well, without asking anybody for a group.
    if (!control || !(limit == LIMIT_pids || limit == LIMIT_cpu_time ? cgroup_parent_folder : cgroup_parent_or_scope)(
                        control->controller, folder, sizeof folder, &v2))
        return false;
    if (v2 || limit != LIMIT_swap)
        return v2 || limit != LIMIT_io;
    snprintf(path, sizeof path, "%s/%s", folder, control->v1);
    return access(path, F_OK) == 0 ||
           !host_has_swap(); // swap accounting is a boot option there; without swap there is nothing to limit
}

// ---- making and removing -------------------------------------------------------------------------------------------

// Removes groups that a killed sbxrun left: those that nobody holds a lock on.
static void sweep(const char *folder)
{
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (strncmp(entry->d_name, "sbx-", 4) != 0)
            continue;
        closing_fd int fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
    }
    if (list)
        closedir(list);
}

static int make_group(struct cgroup_group *group, const char *folder, struct failure *failure)
{
    sweep(folder);
    for (int attempt = 0; attempt < 100; attempt++) {
        if (snprintf(group->path, sizeof group->path, "%s/sbx-%d-%d", folder, (int)getpid(), attempt) >=
            (int)sizeof group->path)
            return fail(failure, NO_RULE, ENAMETOOLONG, "cannot make a control group in %s", folder);
        if (mkdir(group->path, 0755) != 0) {
            if (errno == EEXIST)
                continue;
            return fail(failure, NO_RULE, errno, "cannot make the control group %s", group->path);
        }
        closing_fd int fd = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 && access(group->path, F_OK) == 0) {
            group->folder = take_fd(fd);
            return 0;
        }
        rmdir(group->path); // another run took it for abandoned
    }
    return fail(failure, NO_RULE, EEXIST, "cannot make a control group in %s", folder);
}

// Disks as a whole; what a kernel throttles is what comes to one.
static int limit_disks(const struct cgroup_group *group, const struct plan_limit *limit, struct failure *failure)
{
    DIR *list = opendir("/sys/block");
    int error = list ? 0 : -errno;
    for (struct dirent *entry; list && !error && (entry = readdir(list));) {
        char path[300], number[32] = "", size[32] = "", text[160];
        snprintf(path, sizeof path, "/sys/block/%.200s/size", entry->d_name);
        if (entry->d_name[0] == '.' || cgroup_file_read(AT_FDCWD, path, size, sizeof size) <= 0 ||
            strtoull(size, NULL, 10) == 0)
            continue; // a loop device that nothing stands behind
        snprintf(path, sizeof path, "/sys/block/%.200s/dev", entry->d_name);
        if (cgroup_file_read(AT_FDCWD, path, number, sizeof number) <= 0)
            continue;
        number[strcspn(number, "\n")] = '\0';
        snprintf(text, sizeof text, "%s rbps=%" PRIu64 " wbps=%" PRIu64, number, limit->value, limit->value);
        error = cgroup_file_write(group->folder, "io.max", text);
        if (error == -ENODEV && access(path, F_OK) != 0) // it was taken away meanwhile
            error = 0;
    }
    if (list)
        closedir(list);
    return error ? fail(failure, limit->rule, -error, "cannot limit io in %s", group->path) : 0;
}

static int set_limit(struct cgroup *cgroup, const struct plan *plan, const struct control *control,
                     struct failure *failure)
{
    const struct cgroup_group *group = &cgroup->groups[cgroup->first[control->controller]];
    const struct plan_limit *limit = &plan->limits[control->limit];
    char text[64];
    uint64_t value = limit->value;
    if (control->limit == LIMIT_cpu_time)
        return 0;
    if (control->limit == LIMIT_io)
        return limit_disks(group, limit, failure);
    if (control->limit == LIMIT_cpu_weight && !group->v2) // where 1024 is usual, and 2 the least
        snprintf(text, sizeof text, "%" PRIu64, value * 1024 / 100 < 2 ? 2 : value * 1024 / 100);
    else if (control->limit == LIMIT_cpu)
        snprintf(text, sizeof text, group->v2 ? "%" PRIu64 " %d" : "%" PRIu64,
                 value > UINT64_MAX / PERIOD ? UINT64_MAX / 1000 : value * PERIOD / 1000, PERIOD);
    else if (control->limit == LIMIT_pids)
        snprintf(text, sizeof text, "%" PRIu64, value < UINT32_MAX ? value + 1 : UINT32_MAX); // and the sandbox's init
    else if (control->limit == LIMIT_swap && !group->v2)
        snprintf(text, sizeof text, "%" PRIu64, value + plan->limits[LIMIT_memory].value);
    else
        snprintf(text, sizeof text, "%" PRIu64, value);
    int error = cgroup_file_write(group->folder, group->v2 ? control->v2 : control->v1, text);
    if (error == -ENOENT && control->limit == LIMIT_swap && !host_has_swap())
        return 0;
    if (!error && control->limit == LIMIT_memory && !group->v2) // v1 counts what waits in sockets of tcp by itself
        error = cgroup_file_write(group->folder, "memory.kmem.tcp.limit_in_bytes", text);
    if (error)
        return fail(failure, limit->rule, -error, "cannot limit %s to %s in %s", limit_names[control->limit], text,
                    group->path);
    return 0;
}

// Asks to be told when memory runs out. v1: an eventfd registered with memory.oom_control; v2: memory.events has
// priority data.
static int watch_memory(struct cgroup *cgroup, struct failure *failure)
{
    const struct cgroup_group *group = &cgroup->groups[cgroup->first[CONTROLLER_MEMORY]];
    if (group->v2) {
        cgroup_file_write(group->folder, "memory.oom.group",
                          "1"); // all at once; older kernels kill one by one, and the supervisor the rest
        cgroup->events_is_file = true;
        cgroup->events = openat(group->folder, "memory.events", O_RDONLY | O_CLOEXEC);
        return cgroup->events < 0 ? fail(failure, NO_RULE, errno, "cannot watch %s/memory.events", group->path) : 0;
    }
    closing_fd int control = openat(group->folder, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    closing_fd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    char text[32];
    snprintf(text, sizeof text, "%d %d", event, control);
    int error = control < 0 || event < 0 ? -errno : cgroup_file_write(group->folder, "cgroup.event_control", text);
    if (error)
        return fail(failure, NO_RULE, -error, "cannot watch %s/memory.oom_control", group->path);
    cgroup->events = take_fd(event);
    return 0;
}

int cgroup_create(struct cgroup *cgroup, const struct plan *plan, unsigned wanted, struct failure *failure)
{
    char folders[CONTROLLER_COUNT][512];
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        int controller = controls[i].controller;
        if (!(wanted >> controls[i].limit & 1) || cgroup->first[controller] >= 0)
            continue;
        bool v2;
        if (!cgroup_parent_folder(controller, folders[controller], sizeof folders[controller], &v2))
            return fail(failure, plan->limits[controls[i].limit].rule, EACCES, "cannot make a control group for %s",
                        cgroup_controllers[controller]);
        for (int other = 0; other < CONTROLLER_COUNT; other++) // also v1's cpu and cpuacct may be one
            if (cgroup->groups[other].folder >= 0 && strcmp(folders[other], folders[controller]) == 0)
                cgroup->first[controller] = other;
        if (cgroup->first[controller] >= 0)
            continue;
        cgroup->groups[controller].v2 = v2;
        if (make_group(&cgroup->groups[controller], folders[controller], failure))
            return -1;
        cgroup->first[controller] = controller;
    }
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (wanted >> controls[i].limit & 1 && set_limit(cgroup, plan, &controls[i], failure))
            return -1;
    return wanted >> LIMIT_memory & 1 ? watch_memory(cgroup, failure) : 0;
}

int cgroup_add(const struct cgroup *cgroup, pid_t pid, struct failure *failure)
{
    char text[32];
    snprintf(text, sizeof text, "%d", (int)pid);
    for (int i = 0; i < CONTROLLER_COUNT; i++) {
        if (cgroup->groups[i].folder < 0)
            continue;
        int error = cgroup_file_write(cgroup->groups[i].folder, "cgroup.procs", text);
        if (error)
            return fail(failure, NO_RULE, -error, "cannot move the sandbox into %s", cgroup->groups[i].path);
    }
    return 0;
}

void cgroup_remove_group(struct cgroup_group *group)
{
    if (group->folder < 0)
        return;
    for (int attempt = 0; rmdir(group->path) != 0 && errno == EBUSY && attempt < 200; attempt++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000},
                  NULL); // the last process is dead, its exit not yet accounted for
    close(group->folder);
    group->folder = -1;
}

void cgroup_remove(struct cgroup *cgroup)
{
    close_scoped(&cgroup->events);
    cgroup->events = -1;
    for (int i = 0; i < CONTROLLER_COUNT; i++)
        cgroup_remove_group(&cgroup->groups[i]);
}

// ---- a group for the guard -----------------------------------------------------------------------------------------

static bool unified_folder(char *folder, size_t size)
{
    bool v2 = false;
    return cgroup_own_folder("", folder, size, &v2) && v2 && access(folder, W_OK) == 0;
}

bool cgroup_has_unified(void)
{
    char folder[512];
    return unified_folder(folder, sizeof folder);
}

int cgroup_make_plain(struct cgroup_group *group, int *own, struct failure *failure)
{
    char folder[512];
    if (!unified_folder(folder, sizeof folder))
        return fail(failure, NO_RULE, ENOENT, "cannot make a control group in the unified hierarchy");
    *own = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    group->v2 = true;
    return *own < 0 ? fail(failure, NO_RULE, errno, "cannot open %s", folder) : make_group(group, folder, failure);
}

int cgroup_join(int folder, pid_t process)
{
    char text[16];
    snprintf(text, sizeof text, "%d", (int)process);
    return cgroup_file_write(folder, "cgroup.procs", text);
}
