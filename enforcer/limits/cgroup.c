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
#include "enforcer/limits/service_manager.h"

enum { PERIOD = 100000 }; // microseconds, of the cpu controller; its default in both versions

static const char *const controller_names[CONTROLLER_COUNT] = {"memory", "cpu", "pids", "io", "cpu"},
                         *const v1_names[CONTROLLER_COUNT] = {"memory", "cpu", "pids", "blkio", "cpuacct"};

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
    {LIMIT_io, CONTROLLER_IO, "io.max", "blkio.throttle.read_bps_device"},
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

// ---- files --------------------------------------------------------------------------------------------------------

static ssize_t read_at(int folder, const char *name, char *text, size_t size)
{
    closing_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t used = 0;
    ssize_t n;
    while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    return (ssize_t)used;
}

static int write_at(int folder, const char *name, const char *text)
{
    closing_fd int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool has_word(const char *list, const char *word, const char *separators)
{
    size_t length = strlen(word);
    for (const char *at = list; *at;) {
        size_t span = strcspn(at, separators);
        if (span == length && memcmp(at, word, length) == 0)
            return true;
        at += span;
        at += strspn(at, separators);
    }
    return false;
}

// ---- the caller's own group ---------------------------------------------------------------------------------------

// The path of the caller's group in the hierarchy that has `controller`. False when none has.
static char own_groups[16384]; // /proc/self/cgroup; empty: not read

static bool own_path(const char *controller, char *path, size_t size, bool *v2)
{
    char *text = own_groups;
    if (!text[0] && read_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof own_groups) <= 0)
        return false;
    bool found = false;
    for (const char *line = text; *line;) { // hierarchy:controllers:path (cgroups(7))
        const char *end = strchrnul(line, '\n'), *first = memchr(line, ':', (size_t)(end - line));
        const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
        if (second) {
            char names[256];
            snprintf(names, sizeof names, "%.*s", (int)(second - first - 1), first + 1);
            bool unified = first == line + 1 && *line == '0' && !names[0];
            if (has_word(names, controller, ",") || (unified && !found)) {
                snprintf(path, size, "%.*s", (int)(end - second - 1), second + 1);
                *v2 = unified;
                found = true;
                if (!unified)
                    return true;
            }
        }
        line = *end ? end + 1 : end;
    }
    return found;
}

// Where that hierarchy is mounted, joined with the path. /proc/self/mountinfo: id parent major:minor root point options
// … - type source options
static bool own_folder(const char *controller, char *folder, size_t size, bool *v2)
{
    char path[400];
    if (!own_path(controller, path, sizeof path, v2))
        return false;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (file && !found && getline(&line, &capacity, file) > 0) {
        char root[400], point[400], options[400];
        const char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %399s %399s", root, point) != 2)
            continue;
        bool unified = strncmp(tail, " - cgroup2 ", 11) == 0;
        if (unified != *v2 ||
            (!unified && (strncmp(tail, " - cgroup ", 10) != 0 || sscanf(tail, " - %*s %*s %399s", options) != 1 ||
                          !has_word(options, controller, ",\n"))))
            continue;
        size_t above = strcmp(root, "/") == 0 ? 0 : strlen(root);
        if (strncmp(path, root, above) != 0)
            continue; // the caller's group lies outside of what is mounted
        const char *rest = path + above;
        found = snprintf(folder, size, "%s%s", point, strcmp(rest, "/") == 0 ? "" : rest) < (int)size;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static bool enable(const char *folder, const char *controller)
{
    char path[600], text[512];
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder);
    if (read_at(AT_FDCWD, path, text, sizeof text) >= 0 && has_word(text, controller, " \n"))
        return true;
    snprintf(text, sizeof text, "+%s", controller);
    return write_at(AT_FDCWD, path, text) == 0;
}

static bool parent_folder(int controller, char *folder, size_t size, bool *v2)
{
    const char *name = controller_names[controller];
    if (!own_folder(v1_names[controller], folder, size, v2))
        return false;
    if (!*v2)
        return access(folder, W_OK) == 0;
    // In v2 a group with processes of its own, as the caller's is, can't hand controllers down to groups of processes:
    // unless it is the root of all, which alone has no type, the sandbox's group stands beside it. (A write to its
    // subtree_control may succeed all the same, for threads.)
    char path[600], text[512];
    snprintf(path, sizeof path, "%s/cgroup.type", folder);
    if (access(path, F_OK) == 0)
        *strrchr(folder, '/') = '\0';
    snprintf(path, sizeof path, "%s/cgroup.controllers", folder);
    return read_at(AT_FDCWD, path, text, sizeof text) >= 0 && has_word(text, name, " \n") &&
           access(folder, W_OK) == 0 && enable(folder, name);
}

// The same, also where the user's service manager has to give a group first.
static bool parent_or_scope(int controller, char *folder, size_t size, bool *v2)
{
    if (parent_folder(controller, folder, size, v2))
        return true;
    if (!service_manager_give_group())
        return false;
    own_groups[0] = '\0'; // it is another one now
    return parent_folder(controller, folder, size, v2);
}

int cgroup_version(void)
{
    char folder[512];
    bool v2;
    return parent_or_scope(CONTROLLER_MEMORY, folder, sizeof folder, &v2) ? v2 ? 2 : 1 : 0;
}

static bool host_has_swap(void)
{
    char text[512];
    return read_at(AT_FDCWD, "/proc/swaps", text, sizeof text) > 0 && strchr(text, '\n') && strchr(text, '\n')[1];
}

bool cgroup_can(enum limit limit)
{
    const struct control *control = control_of(limit);
    char folder[512], path[600];
    bool v2;
    // Others keep these as well, without asking anybody for a group.
    if (!control || !(limit == LIMIT_pids || limit == LIMIT_cpu_time ? parent_folder : parent_or_scope)(
                        control->controller, folder, sizeof folder, &v2))
        return false;
    if (v2 || (limit != LIMIT_swap && limit != LIMIT_io))
        return true;
    snprintf(path, sizeof path, "%s/%s", folder, control->v1);
    if (limit == LIMIT_io)
        return access(path, F_OK) == 0; // the root group has none, and a kernel may be built without
    return access(path, F_OK) == 0 ||
           !host_has_swap(); // swap accounting is a boot option there; without swap there is nothing to limit
}

// ---- making and removing ------------------------------------------------------------------------------------------

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
        if (entry->d_name[0] == '.' || read_at(AT_FDCWD, path, size, sizeof size) <= 0 || strtoull(size, NULL, 10) == 0)
            continue; // a loop device that nothing stands behind
        snprintf(path, sizeof path, "/sys/block/%.200s/dev", entry->d_name);
        if (read_at(AT_FDCWD, path, number, sizeof number) <= 0)
            continue;
        number[strcspn(number, "\n")] = '\0';
        if (group->v2) {
            snprintf(text, sizeof text, "%s rbps=%" PRIu64 " wbps=%" PRIu64, number, limit->value, limit->value);
            error = write_at(group->folder, "io.max", text);
        } else {
            snprintf(text, sizeof text, "%s %" PRIu64, number, limit->value);
            error = write_at(group->folder, "blkio.throttle.read_bps_device", text);
            error = error ? error : write_at(group->folder, "blkio.throttle.write_bps_device", text);
        }
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
    int error = write_at(group->folder, group->v2 ? control->v2 : control->v1, text);
    if (error == -ENOENT && control->limit == LIMIT_swap && !host_has_swap())
        return 0;
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
        write_at(group->folder, "memory.oom.group",
                 "1"); // all at once; older kernels kill one by one, and the supervisor the rest
        cgroup->events_is_file = true;
        cgroup->events = openat(group->folder, "memory.events", O_RDONLY | O_CLOEXEC);
        return cgroup->events < 0 ? fail(failure, NO_RULE, errno, "cannot watch %s/memory.events", group->path) : 0;
    }
    closing_fd int control = openat(group->folder, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    closing_fd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    char text[32];
    snprintf(text, sizeof text, "%d %d", event, control);
    int error = control < 0 || event < 0 ? -errno : write_at(group->folder, "cgroup.event_control", text);
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
        if (!parent_folder(controller, folders[controller], sizeof folders[controller], &v2))
            return fail(failure, plan->limits[controls[i].limit].rule, EACCES, "cannot make a control group for %s",
                        controller_names[controller]);
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
        int error = write_at(cgroup->groups[i].folder, "cgroup.procs", text);
        if (error)
            return fail(failure, NO_RULE, -error, "cannot move the sandbox into %s", cgroup->groups[i].path);
    }
    return 0;
}

static uint64_t value_in(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoull(line + length, NULL, 10);
    return 0;
}

void cgroup_read(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
    char text[2048];
    *usage = (struct cgroup_usage){0};
    if (cgroup->first[CONTROLLER_MEMORY] >= 0) {
        const struct cgroup_group *group = &cgroup->groups[cgroup->first[CONTROLLER_MEMORY]];
        if (read_at(group->folder, group->v2 ? "memory.peak" : "memory.max_usage_in_bytes", text, sizeof text) > 0) {
            usage->memory_known = true;
            usage->peak_bytes = strtoull(text, NULL, 10);
        }
        if (read_at(group->folder, group->v2 ? "memory.events" : "memory.oom_control", text, sizeof text) > 0)
            usage->oom_kills = value_in(text, "oom_kill");
    }
    if (cgroup->first[CONTROLLER_MEMORY] >= 0 && read_at(cgroup->groups[cgroup->first[CONTROLLER_MEMORY]].folder,
                                                         "memory.swap.peak", text, sizeof text) > 0) { // v2, Linux 6.5
        usage->swap_peak_known = true;
        usage->swap_peak = strtoull(text, NULL, 10);
    }
    if (cgroup->first[CONTROLLER_MEMORY] >= 0 && read_at(cgroup->groups[cgroup->first[CONTROLLER_MEMORY]].folder,
                                                         "memory.swap.events", text, sizeof text) > 0) // v2
        usage->swap_refused = value_in(text, "max");
    if (cgroup->first[CONTROLLER_CPU] >= 0 &&
        read_at(cgroup->groups[cgroup->first[CONTROLLER_CPU]].folder, "cpu.stat", text, sizeof text) > 0) {
        usage->cpu_known = true;
        usage->throttled = value_in(text, "nr_throttled");
    }
    cgroup_cpu_time(cgroup, &usage->cpu_us);
    if (cgroup->first[CONTROLLER_PIDS] >= 0 && read_at(cgroup->groups[cgroup->first[CONTROLLER_PIDS]].folder,
                                                       "pids.peak", text, sizeof text) > 0) { // Linux 6.1
        usage->pids_peak_known = true;
        usage->pids_peak = strtoull(text, NULL, 10) ? strtoull(text, NULL, 10) - 1 : 0; // without the sandbox's init
    }
    if (cgroup->first[CONTROLLER_PIDS] >= 0 &&
        read_at(cgroup->groups[cgroup->first[CONTROLLER_PIDS]].folder, "pids.events", text, sizeof text) > 0) {
        usage->pids_known = true;
        usage->pids_refused = value_in(text, "max");
    }
}

// v2: io.stat has "8:0 rbytes=1 wbytes=2 …", a line for each disk; v1: "8:0 Read 1" and "8:0 Write 2".
bool cgroup_io_bytes(const struct cgroup *cgroup, uint64_t bytes[2])
{
    static const char *const names[2][2] = {{" Read ", " Write "}, {" rbytes=", " wbytes="}};
    static char text[64 * 1024];
    bytes[0] = bytes[1] = 0;
    if (cgroup->first[CONTROLLER_IO] < 0)
        return false;
    const struct cgroup_group *group = &cgroup->groups[cgroup->first[CONTROLLER_IO]];
    if (read_at(group->folder, group->v2 ? "io.stat" : "blkio.throttle.io_service_bytes", text, sizeof text) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        for (const char *at = text; (at = strstr(at, names[group->v2][i])); at++)
            bytes[i] += strtoull(at + strlen(names[group->v2][i]), NULL, 10);
    return true;
}

// v2: cpu.stat, in each group; v1: cpuacct.usage, in nanoseconds.
bool cgroup_cpu_time(const struct cgroup *cgroup, uint64_t *microseconds)
{
    char text[2048];
    int first =
        cgroup->first[CONTROLLER_ACCOUNT] >= 0 ? cgroup->first[CONTROLLER_ACCOUNT] : cgroup->first[CONTROLLER_CPU];
    const struct cgroup_group *group = first < 0 ? NULL : &cgroup->groups[first];
    *microseconds = 0;
    if (!group || read_at(group->folder, group->v2 ? "cpu.stat" : "cpuacct.usage", text, sizeof text) <= 0)
        return false;
    *microseconds = group->v2 ? value_in(text, "usage_usec") : strtoull(text, NULL, 10) / 1000;
    return true;
}

// v2: memory.swap.current; v1: the line "swap" of memory.stat, where swap is counted.
bool cgroup_swap_bytes(const struct cgroup *cgroup, uint64_t *bytes)
{
    char text[4096];
    if (cgroup->first[CONTROLLER_MEMORY] < 0)
        return false;
    const struct cgroup_group *group = &cgroup->groups[cgroup->first[CONTROLLER_MEMORY]];
    if (read_at(group->folder, group->v2 ? "memory.swap.current" : "memory.stat", text, sizeof text) <= 0 ||
        (!group->v2 && !strstr(text, "\nswap ")))
        return false;
    *bytes = group->v2 ? strtoull(text, NULL, 10) : value_in(text, "swap");
    return true;
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

// ---- a group for the guard ----------------------------------------------------------------------------------------

static bool unified_folder(char *folder, size_t size)
{
    bool v2 = false;
    return own_folder("", folder, size, &v2) && v2 && access(folder, W_OK) == 0;
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
    return write_at(folder, "cgroup.procs", text);
}
